package filter

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/delivery"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/metrics"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/recovery"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// meter measures what a filter does, besides the kinds of records. What it does for a clean record takes no lock and no memory.
type meter struct {
	instance   *metrics.Instance
	page       *metrics.Page // nil without metrics_listen
	ways       [rules.Judged + 1]atomic.Uint64
	times      [rules.Judged + 1]prometheus.Histogram
	candidates atomic.Uint64
	score      prometheus.Histogram
	alerts     tally // by severity and outcome
	categories tally // by name and outcome
	alertRules tally // by id and text

	border atomic.Pointer[func() int64] // counts panics outside the filter

	due  atomic.Bool   // a record under the metrics tag is to be emitted with the next chunk
	stop chan struct{} // nil without metrics_tag
}

// wayNames are the values of the label path.
var wayNames = [...]string{rules.Cached: "cache", rules.Gated: "gate", rules.Judged: "full"}

// Bounds of the histograms. A remembered verdict takes about a microsecond, the gate tens, the engine up to milliseconds.
var (
	timeBounds = []float64{
		1e-6, 2.5e-6, 5e-6, 10e-6, 25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 1,
	}
	scoreBounds = []float64{4, 5, 9, 10, 15, 20, 25, 30, 40, 50, 75, 100}
)

// sampling says of how many remembered verdicts one is timed: reading the clock twice costs a tenth of what they take.
const sampling = 64

// sampled reports whether the next remembered verdict is to be timed.
func (s *scratch) sampled() bool {
	s.turn++
	return s.turn%sampling == 0
}

// measure starts to measure, and opens the page of metrics where one is wanted.
func (f *Filter) measure() error {
	m := &f.meter
	kind, name, named := strings.Cut(f.name, " ")
	if !named {
		kind, name = "wafctl", "run"
	}
	m.instance = metrics.Join(kind, name, Version, f.Caught("metrics"))
	for way, label := range wayNames {
		m.times[way] = metrics.InspectTime.Histogram(timeBounds, label)
		m.instance.Add(m.times[way])
	}
	m.startAlerts()
	m.score = metrics.AlertScore.Histogram(scoreBounds)
	m.instance.Add(m.score, collector{f})
	if f.config.metricsTag != "" {
		m.stop = make(chan struct{})
		go recovery.Loop(m.stop, f.Caught("metrics record"), func() { m.remind(f.config.metricsInterval) })
	}
	if f.config.metricsListen == "" {
		return nil
	}
	page, err := metrics.Serve(f.config.metricsListen, f.Caught("metrics page"))
	if err != nil {
		return err
	}
	m.page = page
	f.log(LevelInfo, "metrics of all instances are at http://"+page.Address()+"/metrics")
	return nil
}

// remind asks for a record of metrics every interval. Only the thread that hands a chunk over can take one.
func (m *meter) remind(interval time.Duration) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-m.stop:
			return
		case <-ticker.C:
			m.due.Store(true)
		}
	}
}

func (m *meter) close() error {
	m.instance.Leave()
	if m.stop != nil {
		close(m.stop)
	}
	if m.page == nil {
		return nil
	}
	return m.page.Close()
}

// addWays adds how the verdicts on a batch were found.
func (m *meter) addWays(ways *[rules.Judged + 1]uint64) {
	for way, n := range ways {
		if n > 0 {
			m.ways[way].Add(n)
		}
	}
}

// time notes how long it took to find a verdict.
func (m *meter) time(way rules.Way, start time.Time) {
	m.times[way].Observe(time.Since(start).Seconds())
}

// recallTimed is recall with the clock, for some of the records.
func (f *Filter) recallTimed(s *scratch, d *demand) (*rules.Verdict, rules.Key) {
	if !s.sampled() {
		return f.recall(s, d)
	}
	start := time.Now()
	verdict, key := f.recall(s, d)
	if verdict != nil {
		f.meter.time(rules.Cached, start)
	}
	return verdict, key
}

// longestLabel bounds the text of a rule as a label, in bytes.
const longestLabel = 200

// startAlerts starts the alerts of each severity and outcome at 0: Prometheus sees no increase in a counter that was not there.
func (m *meter) startAlerts() {
	for severity := 2; severity <= 5; severity++ { // critical, error, warning, notice
		for _, outcome := range alert.Outcomes() {
			m.alerts.count(labels{rules.SeverityName(severity), string(outcome)})
		}
	}
}

// labelText returns a text as Prometheus takes it.
func labelText(text string) string {
	return strings.ToValidUTF8(text[:min(len(text), longestLabel)], "")
}

// alert counts an alert.
func (m *meter) alert(v *rules.Verdict, outcome alert.Outcome) {
	view := alert.View{Verdict: v}
	m.alerts.add(labels{rules.SeverityName(min(max(view.Severity(), 0), 7)), string(outcome)})
	m.score.Observe(float64(v.Score()))
	matches := v.Matches
	for i := range matches {
		m.alertRules.add(labels{strconv.Itoa(matches[i].Rule.ID), labelText(matches[i].Rule.Message)})
		category := matches[i].Rule.Category()
		again := false
		for j := 0; j < i && !again; j++ {
			again = matches[j].Rule.Category() == category
		}
		if !again {
			m.categories.add(labels{cmp.Or(category, beyond), string(outcome)})
		}
	}
}

// emitMetrics appends a record with the metrics when it is time for one.
func (f *Filter) emitMetrics(emits []Emit) []Emit {
	if !f.meter.due.Load() || !f.meter.due.CompareAndSwap(true, false) {
		return emits
	}
	now := time.Now()
	event := appendHead(nil, now)
	head := len(event)
	event, err := f.meter.instance.AppendRecord(event)
	if err != nil {
		f.log(LevelWarn, err.Error())
		return emits
	}
	return append(emits, Emit{
		Tag: f.config.metricsTag, Event: event, Time: now, Severity: informational, head: head, metrics: true,
	})
}

// informational is syslog's severity of what is no alert.
const informational = 6

// MeasurePanics has the metrics count the panics that the host's border has caught, too.
func (f *Filter) MeasurePanics(caught func() int64) { f.meter.border.Store(&caught) }

// panics returns how many were caught, by the filter and at the border to its host.
func (f *Filter) panics() uint64 {
	n := f.counts.panics.Load()
	if border := f.meter.border.Load(); border != nil {
		n += uint64((*border)())
	}
	return n
}

// MeasureDelivery has the metrics tell what has become of alerts at their destinations.
func (f *Filter) MeasureDelivery(stats func() []delivery.Stats) {
	f.meter.instance.Add(metrics.Collecting(func(to chan<- prometheus.Metric) {
		for _, s := range stats() {
			metrics.Delivered.Send(to, float64(s.Delivered), s.Destination)
			metrics.Failures.Send(to, float64(s.Failures), s.Destination)
			metrics.Shortened.Send(to, float64(s.Shortened), s.Destination)
			metrics.Waiting.Send(to, float64(s.Waiting), s.Destination)
		}
	}))
}

// Measure has the metrics tell more.
func (f *Filter) Measure(more prometheus.Collector) { f.meter.instance.Add(more) }

func (f *Filter) measureGauge(family *metrics.Family, value func() int) {
	f.meter.instance.Add(metrics.Collecting(func(to chan<- prometheus.Metric) { family.Send(to, float64(value())) }))
}

// collector sends what a filter counts to Prometheus.
type collector struct{ f *Filter }

// Describe sends nothing: which metrics there are depends on what has happened.
func (c collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector. It may be called while the filter is closed.
func (c collector) Collect(to chan<- prometheus.Metric) {
	c.collectRecords(to)
	c.collectAlerts(to)
	c.collectIncidents(to)
	c.collectReloads(to)
	if l := c.f.use(); l != nil {
		defer l.done()
		collectRules(to, l)
	}
}

func (c collector) collectRecords(to chan<- prometheus.Metric) {
	n, m := c.f.Counts(), &c.f.meter
	metrics.Records.SendAll(to, map[string]uint64{
		"clean": n.Clean, "alert": n.Alerts, "not_http": n.NotHTTP, "broken": n.Broken, "skipped": n.Skipped,
	})
	for _, s := range n.Sources {
		metrics.FieldMaps.Send(to, float64(s.Records), s.Map)
	}
	for way, label := range wayNames {
		metrics.Inspections.Send(to, float64(m.ways[way].Load()), label)
	}
	metrics.Late.Send(to, float64(n.Late))
	metrics.Partial.Send(to, float64(n.Partial))
	metrics.Candidates.Send(to, float64(m.candidates.Load()))
	metrics.Emits.SendAll(to, map[string]uint64{"taken": n.Emitted, "failed": n.Failed, "suppressed": n.Suppressed})
	metrics.Summaries.Send(to, float64(n.Summaries))
	metrics.Panics.Send(to, float64(c.f.panics()))
}

func (c collector) collectAlerts(to chan<- prometheus.Metric) {
	m := &c.f.meter
	for family, counts := range map[*metrics.Family]*tally{metrics.Alerts: &m.alerts, metrics.Categories: &m.categories, metrics.AlertRules: &m.alertRules} {
		counts.each(func(l labels, n uint64) { family.Send(to, float64(n), l[:]...) })
	}
}

func (c collector) collectIncidents(to chan<- prometheus.Metric) {
	n := c.f.correlation.counts()
	metrics.Incidents.SendAll(to, map[string]uint64{"opened": n.Opened, "updated": n.Updated, "closed": n.Closed})
	metrics.Digests.SendAll(to, c.f.correlation.digestCounts())
	metrics.OpenOnes.Send(to, float64(n.Open))
	metrics.IncidentRoom.SendAll(to, map[string]uint64{
		"incidents": n.EvictedIncidents, "sources": n.EvictedSources, "actors": n.EvictedActors, "routes": n.EvictedRoutes,
		"tools": n.EvictedTools, "ids": n.EvictedSketches, "targets": n.EvictedTargets, "untracked": n.Untracked,
	})
}

func (c collector) collectReloads(to chan<- prometheus.Metric) {
	r := &c.f.reloads
	metrics.Reloads.SendAll(to, map[string]uint64{"done": r.done.Load(), "failed": r.failed.Load(), "unchanged": r.unchanged.Load()})
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

func collectRules(to chan<- prometheus.Metric, l *loaded) {
	metrics.RulesInfo.Send(to, 1, l.set.Name(), fmt.Sprintf("%.16s", l.set.ID()))
	metrics.RulesLoaded.Send(to, float64(l.set.Rules()))
	metrics.RulesSkipped.Send(to, float64(l.set.Skipped()))
	metrics.RulesTime.Send(to, seconds(l.at))
	u := l.set.CacheUsage()
	metrics.CacheEntries.Send(to, float64(u.Entries))
	metrics.CacheBytes.Send(to, float64(u.Bytes))
	metrics.CacheLimit.Send(to, float64(u.Limit))
	metrics.CacheEvicted.Send(to, float64(u.Evicted))
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
