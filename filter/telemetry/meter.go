package telemetry

import (
	"cmp"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/delivery"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/metrics"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/recovery"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// Config is what the properties of metrics say.
type Config struct {
	listen   string // address, "" for none
	tag      string // of records with the metrics, "" for none
	interval time.Duration
}

// Properties are the settings of metrics in the order in which help lists them.
func Properties() []setting.Property {
	return []setting.Property{
		{Name: "metrics_listen", Default: "off", Help: "address that serves the metrics of all instances for Prometheus, " +
			"such as 127.0.0.1:2021; several instances may share it"},
		{Name: "metrics_tag", Help: "emits the instance's metrics as a record under this tag, " +
			"with the first chunk after each metrics_interval"},
		{Name: "metrics_interval", Default: "60s", Help: "interval of records under metrics_tag"},
	}
}

func ReadConfig(r *setting.Reader) (c Config) {
	if c.listen = r.Text("metrics_listen"); c.listen == "off" {
		c.listen = ""
	} else if _, _, err := net.SplitHostPort(c.listen); err != nil {
		r.Problem("metrics_listen", fmt.Errorf("malformed address %q (want HOST:PORT or off)", c.listen))
	}
	if c.tag = r.Text("metrics_tag"); strings.ContainsAny(c.tag, "$ *") {
		r.Problem("metrics_tag", fmt.Errorf("malformed tag %q (want one without $, * and spaces)", c.tag))
	}
	if c.interval = r.Interval("metrics_interval"); c.interval == 0 && c.tag != "" {
		r.Problem("metrics_interval", fmt.Errorf("off while metrics_tag is %q (want a time such as 60s)", c.tag))
	}
	return c
}

// Meter measures what a filter does, besides the kinds of records. What it does for a clean record takes no lock and no memory.
type Meter struct {
	counts     *Counters
	panics     *Panics
	log        Logger
	Instance   *metrics.Instance // has more collectors added by whoever has something to show
	page       *metrics.Page     // nil without metrics_listen
	Ways       [rules.Evaluated + 1]atomic.Uint64
	times      [rules.Evaluated + 1]prometheus.Histogram
	Candidates atomic.Uint64
	score      prometheus.Histogram
	alerts     labelCounts // by severity and outcome
	categories labelCounts // by name and outcome
	alertRules labelCounts // by id and text

	Tag  string        // of records with the metrics, "" for none
	due  atomic.Bool   // a record under the metrics tag is to be emitted with the next chunk
	stop chan struct{} // nil without metrics_tag
}

// wayNames are the values of the label path.
var wayNames = [...]string{rules.Cached: "cache", rules.Prefiltered: "gate", rules.Evaluated: "full"}

// Bounds of the histograms. A cached verdict takes about a microsecond, the prefilter tens, the engine up to milliseconds.
var (
	timeBounds = []float64{
		1e-6, 2.5e-6, 5e-6, 10e-6, 25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 1,
	}
	scoreBounds = []float64{4, 5, 9, 10, 15, 20, 25, 30, 40, 50, 75, 100}
)

// Start starts to measure an instance of a process, and opens the page of metrics where one is wanted. The name of an instance has its
// kind before a space.
func Start(process *metrics.Process, c Config, name, version string, counts *Counters, caught *Panics, log Logger) (*Meter, error) {
	m := &Meter{counts: counts, panics: caught, log: log, Tag: c.tag}
	kind, name, named := strings.Cut(name, " ")
	if !named {
		kind, name = "wafctl", "run"
	}
	m.Instance = process.Join(kind, name, version, caught.Caught("metrics"))
	for way, label := range wayNames {
		m.times[way] = metrics.InspectTime.Histogram(timeBounds, label)
		m.Instance.Add(m.times[way])
	}
	m.startAlerts()
	m.score = metrics.AlertScore.Histogram(scoreBounds)
	m.Instance.Add(m.score, metrics.Collecting(m.collect))
	if c.tag != "" {
		m.stop = make(chan struct{})
		go recovery.Loop(m.stop, caught.Caught("metrics record"), func() { m.remind(c.interval) })
	}
	if c.listen == "" {
		return m, nil
	}
	page, err := process.Serve(c.listen, caught.Caught("metrics page"))
	if err != nil {
		return m, err
	}
	m.page = page
	return m, nil
}

// Address returns where the page of metrics is, "" when there is none.
func (m *Meter) Address() string {
	if m.page == nil {
		return ""
	}
	return m.page.Address()
}

// remind asks for a record of metrics every interval. Only the thread that hands a chunk over can take one.
func (m *Meter) remind(interval time.Duration) {
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

func (m *Meter) Close() error {
	m.Instance.Leave()
	if m.stop != nil {
		close(m.stop)
	}
	if m.page == nil {
		return nil
	}
	return m.page.Close()
}

// AddWays adds how the verdicts on a batch were found.
func (m *Meter) AddWays(ways *[rules.Evaluated + 1]uint64) {
	for way, n := range ways {
		if n > 0 {
			m.Ways[way].Add(n)
		}
	}
}

// Time notes how long it took to find a verdict.
func (m *Meter) Time(way rules.Way, start time.Time) {
	m.times[way].Observe(time.Since(start).Seconds())
}

// longestLabel bounds the text of a rule as a label, in bytes.
const longestLabel = 200

// startAlerts starts the alerts of each severity and outcome at 0: Prometheus sees no increase in a counter that was not there.
func (m *Meter) startAlerts() {
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

// Alert counts an alert.
func (m *Meter) Alert(v *rules.Verdict, outcome alert.Outcome) {
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

// Record returns an event with the metrics when it is time for one, nil otherwise, where in it the body begins, and its time.
func (m *Meter) Record() (event []byte, body int, at time.Time) {
	if !m.due.Load() || !m.due.CompareAndSwap(true, false) {
		return nil, 0, at
	}
	at = time.Now()
	head := record.AppendHead(nil, at)
	event, err := m.Instance.AppendRecord(head)
	if err != nil {
		m.log(LevelWarn, err.Error())
		return nil, 0, at
	}
	return event, len(head), at
}

// MeasureDelivery has the metrics show what has become of alerts at their destinations.
func (m *Meter) MeasureDelivery(stats func() []delivery.Stats) {
	m.Instance.Add(metrics.Collecting(func(to chan<- prometheus.Metric) {
		for _, s := range stats() {
			metrics.Delivered.Send(to, float64(s.Delivered), s.Destination)
			metrics.Failures.Send(to, float64(s.Failures), s.Destination)
			metrics.Shortened.Send(to, float64(s.Shortened), s.Destination)
			metrics.Waiting.Send(to, float64(s.Waiting), s.Destination)
		}
	}))
}

// MeasureGauge has the metrics show a number.
func (m *Meter) MeasureGauge(family *metrics.Family, value func() int) {
	m.Instance.Add(metrics.Collecting(func(to chan<- prometheus.Metric) { family.Send(to, float64(value())) }))
}

// collect sends what was counted to Prometheus. It may be called while the filter is closed.
func (m *Meter) collect(to chan<- prometheus.Metric) {
	n := m.counts.Read()
	metrics.Records.SendAll(to, map[string]uint64{
		"clean": n.Clean, "alert": n.Alerts, "not_http": n.NotHTTP, "broken": n.Broken, "skipped": n.Skipped,
	})
	for _, s := range n.Sources {
		metrics.FieldMaps.Send(to, float64(s.Records), s.Map)
	}
	for way, label := range wayNames {
		metrics.Inspections.Send(to, float64(m.Ways[way].Load()), label)
	}
	metrics.Late.Send(to, float64(n.Late))
	metrics.Partial.Send(to, float64(n.Partial))
	metrics.Candidates.Send(to, float64(m.Candidates.Load()))
	metrics.Emits.SendAll(to, map[string]uint64{"taken": n.Emitted, "failed": n.Failed, "suppressed": n.Suppressed})
	metrics.Summaries.Send(to, float64(n.Summaries))
	metrics.Panics.Send(to, float64(m.panics.all()))
	m.collectAlerts(to)
}

func (m *Meter) collectAlerts(to chan<- prometheus.Metric) {
	for family, counts := range map[*metrics.Family]*labelCounts{metrics.Alerts: &m.alerts, metrics.Categories: &m.categories, metrics.AlertRules: &m.alertRules} {
		counts.each(func(l labels, n uint64) { family.Send(to, float64(n), l[:]...) })
	}
}
