// Package ruleset holds the rules that a filter uses, while others may take their place: changed files are compiled beside the rules in use, and
// take over between two chunks. Rules that cannot be used leave the rules of before in use, also across a restart of the filter in the same
// process. A set is closed once the last chunk that is evaluated with it is done.
package ruleset

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/metrics"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/telemetry"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// InUse is a rule set in use. It is closed after its last user: the filter, as long as it is the current one, and each chunk
// that is being evaluated with it.
type InUse struct {
	Set   *rules.Set
	at    time.Time
	users atomic.Int64
	idle  chan struct{} // closed by the last user
}

func newInUse(set *rules.Set) *InUse {
	u := &InUse{Set: set, at: time.Now(), idle: make(chan struct{})}
	u.users.Store(1)
	return u
}

// Share adds a user to rules that have one.
func (u *InUse) Share() { u.users.Add(1) }

// Done takes a user away.
func (u *InUse) Done() {
	if u.users.Add(-1) == 0 {
		close(u.idle)
	}
}

// release gives up rules that are no longer the current ones, and closes them when no chunk needs them.
func (u *InUse) release() error {
	u.Done()
	<-u.idle
	return u.Set.Close()
}

// opened are rules that were opened and are not in use yet.
type opened struct {
	name  string
	last  *LastGood
	set   *rules.Set
	watch *rules.Watch
	Err   error // why the rules of before stand in for those of the configuration, nil when they do not
}

// Open opens the rules of a configuration for a filter with a name, "" for one that has none. Where they are broken and a filter of
// the same name has had good ones before, these stand in.
func Open(name string, last *LastGood, c rules.Config) (*opened, error) {
	o := &opened{name: name, last: last, watch: last.watch(c)}
	var err error
	if o.set, err = o.watch.Open(); err == nil {
		return o, nil
	}
	if o.set = last.of(name); o.set == nil {
		return nil, err
	}
	o.Err = err
	return o, nil
}

// Close gives up rules that will not be used.
func (o *opened) Close() error { return o.set.Close() }

// Use makes the rules the current ones of a filter.
func (o *opened) Use(log telemetry.Logger, caught *telemetry.Panics) *Current {
	if o.Err != nil {
		log(telemetry.LevelError, fmt.Sprintf("property rules: %v", o.Err))
		log(telemetry.LevelError, "the new rules cannot be used: THE RULES FROM BEFORE THE RELOAD STAY IN USE")
	}
	if err := o.last.keep(o.name, o.set); err != nil {
		log(telemetry.LevelWarn, fmt.Sprintf("closing the previous rules: %v", err))
	}
	c := &Current{name: o.name, last: o.last, log: log, panics: caught}
	c.rules.Store(newInUse(o.set))
	c.reloads.watch, c.reloads.asked = o.watch, make(chan struct{}, 1)
	c.reloads.broken.Store(o.Err != nil)
	return c
}

// Current are the rules of a filter, which others may take the place of while it runs.
type Current struct {
	name    string    // of the filter, "" when nothing is kept of it
	last    *LastGood // keeps them for the filter that comes next
	log     telemetry.Logger
	panics  *telemetry.Panics
	rules   atomic.Pointer[InUse]
	reloads reloads
}

// Use returns the current rules for one chunk, which gives them back with done; nil when the filter is closed. Nothing waits: a
// chunk that comes while rules are swapped gets the old ones or the new ones.
func (c *Current) Use() *InUse {
	for {
		u := c.rules.Load()
		switch n := u.users.Load(); {
		case n > 0 && u.users.CompareAndSwap(n, n+1):
			return u
		case n == 0 && c.rules.Load() == u:
			return nil
		}
	}
}

// Set returns the current rules for a caller that knows that they are not swapped.
func (c *Current) Set() *rules.Set { return c.rules.Load().Set }

// Release gives up the current rules, after stop.
func (c *Current) Release() error { return c.rules.Load().release() }

// logRules logs what the current rules are.
func (c *Current) logRules(set *rules.Set) {
	for _, warning := range set.Warnings() {
		c.log(telemetry.LevelWarn, warning)
	}
	for _, note := range set.Notes() {
		c.log(telemetry.LevelWarn, note)
	}
	c.log(telemetry.LevelInfo, fmt.Sprintf("%d rules loaded: %s", set.Rules(), set.Name()))
}

// Collect sends what the rules are, and how reloads went, to Prometheus. It may be called while the filter is closed.
func (c *Current) Collect(to chan<- prometheus.Metric) {
	c.reloads.collect(to)
	u := c.Use()
	if u == nil {
		return
	}
	defer u.Done()
	metrics.RulesInfo.Send(to, 1, u.Set.Name(), fmt.Sprintf("%.16s", u.Set.ID()))
	metrics.RulesLoaded.Send(to, float64(u.Set.Rules()))
	metrics.RulesSkipped.Send(to, float64(u.Set.Skipped()))
	metrics.RulesTime.Send(to, seconds(u.at))
	usage := u.Set.CacheUsage()
	metrics.CacheEntries.Send(to, float64(usage.Entries))
	metrics.CacheBytes.Send(to, float64(usage.Bytes))
	metrics.CacheLimit.Send(to, float64(usage.Limit))
	metrics.CacheEvicted.Send(to, float64(usage.Evicted))
}

func (r *reloads) collect(to chan<- prometheus.Metric) {
	n := r.counts()
	metrics.Reloads.SendAll(to, map[string]uint64{"done": n.Done, "failed": n.Failed, "unchanged": n.Unchanged})
	current, at, took := 1.0, 0.0, 0.0
	if last := r.last.Load(); last != nil {
		at, took = seconds(last.at), last.took.Seconds()
	}
	if r.broken.Load() {
		current = 0
	}
	metrics.RulesCurrent.Send(to, current)
	metrics.ReloadTime.Send(to, at)
	metrics.ReloadTook.Send(to, took)
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
