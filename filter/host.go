package filter

import (
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/metrics"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/pipeline"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/ruleset"
)

// Host is what the filters and outputs of one process share, also across its reloads: the cores that the rule engine may use, the open
// rule sets, the one that each named filter opened last, the files of states, and the pages of metrics. Where a nil one is given, a filter shares nothing.
type Host struct {
	engine   *pipeline.EngineSlots
	lastGood *ruleset.LastGood // nil keeps nothing
	metrics  *metrics.Process
	states   *states
	producer Producer
}

// NewHost returns what the filters of a process share. A program that ends its filters for good closes it after them.
func NewHost() *Host {
	h := (*Host)(nil).orUnshared()
	h.lastGood = &ruleset.LastGood{}
	return h
}

// Metrics returns what the pages of metrics show, for instances that are no filters.
func (h *Host) Metrics() *metrics.Process { return h.metrics }

// As returns the same host for filters whose alerts another program makes than Fluent Bit, or that block attacks. It is closed with h.
func (h *Host) As(p Producer) *Host {
	as := *h.orUnshared()
	as.producer = p
	return &as
}

// orUnshared returns the host, and for nil one of which nobody else knows.
func (h *Host) orUnshared() *Host {
	if h == nil {
		return &Host{engine: pipeline.NewEngineSlots(), metrics: metrics.NewProcess(), states: &states{}}
	}
	return h
}

// Close releases the rules that are kept for filters to come.
func (h *Host) Close() error { return h.lastGood.Close() }
