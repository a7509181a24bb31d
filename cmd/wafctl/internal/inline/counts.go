package inline

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// counts are what an engine counts besides its filter. It is a prometheus.Collector.
type counts struct {
	outcomes           map[Outcome]*atomic.Uint64 // requests by what became of them
	timeouts, failures atomic.Uint64              // inspections that came to nothing
	unseen             atomic.Uint64
}

func (c *counts) start() {
	c.outcomes = map[Outcome]*atomic.Uint64{}
	for _, o := range []Outcome{Passed, Alerted, Blocked, BlockedResponse, BlockedUninspected, NotInspected} {
		c.outcomes[o] = new(atomic.Uint64)
	}
}

var (
	decisionsDesc = prometheus.NewDesc("waf_inline_requests_total", "Requests by decision.", []string{"decision"}, nil)
	failuresDesc  = prometheus.NewDesc("waf_inline_uninspected_total", "Inspections that came to nothing, by reason; what became of their requests is "+
		"up to on_error.", []string{"reason"}, nil)
	unseenDesc = prometheus.NewDesc("waf_inline_unseen_bodies_total", "Requests of which the body was not inspected.", nil, nil)
)

// of counts a transaction that is settled.
func (c *counts) of(t *Transaction) {
	c.outcomes[t.Outcome()].Add(1)
	if t.request.Unseen && t.Reason != Disabled {
		c.unseen.Add(1)
	}
}

// Describe implements prometheus.Collector.
func (c *counts) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{decisionsDesc, failuresDesc, unseenDesc} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (c *counts) Collect(to chan<- prometheus.Metric) {
	send := func(d *prometheus.Desc, n *atomic.Uint64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n.Load()), labels...)
	}
	for outcome, n := range c.outcomes {
		send(decisionsDesc, n, string(outcome))
	}
	send(failuresDesc, &c.timeouts, "timeout")
	send(failuresDesc, &c.failures, "error")
	send(unseenDesc, &c.unseen)
}

// Totals are what an engine has decided.
type Totals struct{ Passed, Alerted, Blocked, Uninspected uint64 }

// Totals returns what was decided so far.
func (e *Engine) Totals() Totals {
	c := &e.counts
	return Totals{
		Passed: c.outcomes[Passed].Load() + c.outcomes[NotInspected].Load(), Alerted: c.outcomes[Alerted].Load(),
		Blocked:     c.outcomes[Blocked].Load() + c.outcomes[BlockedResponse].Load() + c.outcomes[BlockedUninspected].Load(),
		Uninspected: c.timeouts.Load() + c.failures.Load(),
	}
}
