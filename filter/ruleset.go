package filter

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/metrics"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// inUse is a rule set in use. It is closed after its last user: the filter, as long as it is the current one, and each chunk
// that is being evaluated with it.
type inUse struct {
	set   *rules.Set
	at    time.Time
	users atomic.Int64
	idle  chan struct{} // closed by the last user
}

func newInUse(set *rules.Set) *inUse {
	u := &inUse{set: set, at: time.Now(), idle: make(chan struct{})}
	u.users.Store(1)
	return u
}

// share adds a user to rules that have one.
func (u *inUse) share() { u.users.Add(1) }

// done takes a user away.
func (u *inUse) done() {
	if u.users.Add(-1) == 0 {
		close(u.idle)
	}
}

// release gives up rules that are no longer the current ones, and closes them when no chunk needs them.
func (u *inUse) release() error {
	u.done()
	<-u.idle
	return u.set.Close()
}

// opened are rules that were opened and are not in use yet.
type opened struct {
	name  string
	last  *LastGood
	set   *rules.Set
	watch *rules.Watch
	err   error // why the rules of before stand in for those of the configuration, nil when they do not
}

// openRules opens the rules of a configuration for a filter with a name, "" for one that has none. Where they are broken and a filter of
// the same name has had good ones before, these stand in.
func openRules(name string, last *LastGood, c rules.Config) (*opened, error) {
	o := &opened{name: name, last: last, watch: rules.NewWatch(c)}
	var err error
	if o.set, err = o.watch.Open(); err == nil {
		return o, nil
	}
	if o.set = last.of(name); o.set == nil {
		return nil, err
	}
	o.err = err
	return o, nil
}

// close gives up rules that will not be used.
func (o *opened) close() error { return o.set.Close() }

// use makes the rules the current ones of a filter.
func (o *opened) use(log Logger, caught *panics) *current {
	if o.err != nil {
		log(LevelError, fmt.Sprintf("property rules: %v", o.err))
		log(LevelError, "the new rules cannot be used: THE RULES OF BEFORE THE RELOAD STAY IN USE")
	}
	if err := o.last.keep(o.name, o.set); err != nil {
		log(LevelWarn, fmt.Sprintf("closing the rules of before: %v", err))
	}
	c := &current{name: o.name, last: o.last, log: log, panics: caught}
	c.rules.Store(newInUse(o.set))
	c.reloads.watch = o.watch
	c.reloads.broken.Store(o.err != nil)
	return c
}

// current are the rules of a filter, which others may take the place of while it runs.
type current struct {
	name    string    // of the filter, "" when nothing is kept of it
	last    *LastGood // keeps them for the filter that comes next
	log     Logger
	panics  *panics
	rules   atomic.Pointer[inUse]
	reloads reloads
}

// use returns the current rules for one chunk, which gives them back with done; nil when the filter is closed. Nothing waits: a
// chunk that comes while rules are swapped gets the old ones or the new ones.
func (c *current) use() *inUse {
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

// set returns the current rules for a caller that knows that they are not swapped.
func (c *current) set() *rules.Set { return c.rules.Load().set }

// release gives up the current rules, after stop.
func (c *current) release() error { return c.rules.Load().release() }

// tell says in the log what the current rules are.
func (c *current) tell(set *rules.Set) {
	for _, warning := range set.Warnings() {
		c.log(LevelWarn, warning)
	}
	for _, note := range set.Notes() {
		c.log(LevelWarn, note)
	}
	c.log(LevelInfo, fmt.Sprintf("%d rules loaded: %s", set.Rules(), set.Name()))
}

// collect sends what the rules are, and how reloads went, to Prometheus. It may be called while the filter is closed.
func (c *current) collect(to chan<- prometheus.Metric) {
	c.reloads.collect(to)
	u := c.use()
	if u == nil {
		return
	}
	defer u.done()
	metrics.RulesInfo.Send(to, 1, u.set.Name(), fmt.Sprintf("%.16s", u.set.ID()))
	metrics.RulesLoaded.Send(to, float64(u.set.Rules()))
	metrics.RulesSkipped.Send(to, float64(u.set.Skipped()))
	metrics.RulesTime.Send(to, seconds(u.at))
	usage := u.set.CacheUsage()
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
