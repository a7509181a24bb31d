package top

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/metrics"
)

// DefaultAddress is where the documentation has metrics_listen listen.
const DefaultAddress = "127.0.0.1:2021"

// Metrics is the page of metrics of a process.
type Metrics struct {
	url    string
	client *http.Client
	now    func() time.Time
}

const (
	answerTime = 10 * time.Second
	maxPage    = 64 << 20
)

// IsAddress reports whether a text is a URL, or HOST:PORT.
func IsAddress(text string) bool {
	if strings.HasPrefix(text, "http://") || strings.HasPrefix(text, "https://") {
		return true
	}
	host, port, err := net.SplitHostPort(text)
	return err == nil && !strings.Contains(host, "/") && port != "" && strings.Trim(port, "0123456789") == ""
}

// NewMetrics returns the source behind a URL or HOST:PORT; the path is /metrics unless it has one.
func NewMetrics(address string) (*Metrics, error) {
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("malformed address %q (want http://HOST:PORT or HOST:PORT)", address)
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/metrics"
	}
	return &Metrics{url: u.String(), client: &http.Client{Timeout: answerTime}, now: time.Now}, nil
}

// Title implements Source.
func (m *Metrics) Title() string { return shown(m.url) }

// errNotOurs is the answer of a server that has no metrics of the project, Fluent Bit's own for instance.
var errNotOurs = errors.New("no waf_ metrics: want the address of the property metrics_listen, not of Fluent Bit's own HTTP server")

// Read implements Source.
func (m *Metrics) Read(ctx context.Context) (*Reading, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, m.url, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("read metrics: %w", err)
	}
	answer, err := m.client.Do(request)
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err
		}
		return nil, fmt.Errorf("read metrics: %s: %w (want the address of the property metrics_listen, a file, or - for standard input)", m.url, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("read metrics: %s: %s (%w)", m.url, answer.Status, errNotOurs)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(io.LimitReader(answer.Body, maxPage))
	if err != nil {
		return nil, fmt.Errorf("read metrics: %s: %w", m.url, err)
	}
	p := page(families)
	if p[metrics.Records.Name] == nil {
		return nil, fmt.Errorf("read metrics: %s: %w", m.url, errNotOurs)
	}
	return p.reading(m.now()), nil
}

// page is the metrics of all instances of a process, by name.
type page map[string]*dto.MetricFamily

func (p page) reading(now time.Time) *Reading {
	r := &Reading{
		At: now, Since: p.start(), Records: p.by(metrics.Records.Name, "result"), Levels: p.by(metrics.Alerts.Name, "severity"),
		Ends: p.by(metrics.Alerts.Name, "outcome"), Ways: p.by(metrics.Inspections.Name, "path"), Missed: p.missed(),
		Note: "Metrics have no clients and targets; wafctl top FILE reads them from the log.",
	}
	r.Alerts = sum(r.Levels)
	for i := range r.Records {
		if r.Records[i].Name == "not_http" {
			r.Records[i].Name = notHTTP
		}
	}
	r.Lists = []List{
		p.list("Rules", metrics.AlertRules.Name, "rule_id", "message"), p.list("Categories", metrics.Categories.Name, "category"), p.instances(),
	}
	if destinations := p.destinations(); len(destinations.Rows) > 0 {
		r.Lists = append(r.Lists, destinations)
	}
	return r
}

// start returns when the process was started, zero when the page does not say it.
func (p page) start() time.Time {
	seconds := p.total("process_start_time_seconds")
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(int64(seconds), 0)
}

// each calls do with every value of a counter or gauge.
func (p page) each(name string, do func(label func(string) string, value uint64)) {
	for _, m := range p[name].GetMetric() {
		label := func(name string) string {
			for _, l := range m.GetLabel() {
				if l.GetName() == name {
					return shown(l.GetValue())
				}
			}
			return ""
		}
		do(label, uint64(max(m.GetCounter().GetValue()+m.GetGauge().GetValue()+m.GetUntyped().GetValue(), 0)))
	}
}

func (p page) total(name string) (all uint64) {
	p.each(name, func(_ func(string) string, n uint64) { all += n })
	return all
}

// by returns the sums of a metric by a label, nil when it has no such label.
func (p page) by(name, of string) []Count {
	sums := map[string]uint64{}
	p.each(name, func(label func(string) string, n uint64) {
		if value := label(of); value != "" {
			sums[value] += n
		}
	})
	var counts []Count
	for value, n := range sums {
		counts = append(counts, Count{value, n})
	}
	return sorted(counts)
}

// missed returns what is not inspected.
func (p page) missed() []Count {
	counts := []Count{{"late", p.total(metrics.Late.Name)}, {"in part", p.total(metrics.Partial.Name)}}
	for _, c := range p.by(metrics.Records.Name, "result") {
		if c.Name == "broken" {
			counts = append(counts, c)
		}
	}
	for _, c := range p.by(metrics.Lost.Name, "reason") {
		counts = append(counts, Count{"lost: " + c.Name, c.N})
	}
	return sorted(append(counts, Count{"panics", p.total(metrics.Panics.Name)}))
}

// list ranks the values of a label; what other labels say is said of them.
func (p page) list(title, name, of string, about ...string) List {
	rows := map[string]*Row{}
	p.each(name, func(label func(string) string, n uint64) {
		value := label(of)
		row := rows[value]
		if row == nil {
			row = &Row{Name: value}
			rows[value] = row
		}
		row.N += n
		for _, other := range about {
			row.About = cmp.Or(row.About, label(other))
		}
	})
	l := List{Title: title}
	for _, row := range rows {
		l.Rows = append(l.Rows, *row)
	}
	return l.bound()
}

// instances lists filters, outputs and the like with their alerts.
func (p page) instances() List {
	l := List{Title: "Instances"}
	row := func(label func(string) string) *Row {
		name := label("kind") + " " + label("name")
		i := slices.IndexFunc(l.Rows, func(r Row) bool { return r.Name == name })
		if i < 0 {
			i = len(l.Rows)
			l.Rows = append(l.Rows, Row{Name: name})
		}
		return &l.Rows[i]
	}
	records := map[string]uint64{}
	p.each(metrics.Records.Name, func(label func(string) string, n uint64) { records[row(label).Name] += n })
	p.each(metrics.Alerts.Name, func(label func(string) string, n uint64) { row(label).N += n })
	for i := range l.Rows {
		l.Rows[i].About = "of " + cli.Grouped(records[l.Rows[i].Name]) + " records"
	}
	return l.bound()
}

// destinations lists where alerts go, with the number that was taken.
func (p page) destinations() List {
	l := p.list("Destinations", metrics.Delivered.Name, "destination")
	waiting, failures := p.by(metrics.Waiting.Name, "destination"), p.by(metrics.Failures.Name, "destination")
	for i := range l.Rows {
		row := &l.Rows[i]
		row.About = cli.Grouped(of(waiting, row.Name)) + " waiting, " + cli.Grouped(of(failures, row.Name)) + " failed attempts"
	}
	return l
}

// of returns the count of a name.
func of(counts []Count, name string) uint64 {
	for _, c := range counts {
		if c.Name == name {
			return c.N
		}
	}
	return 0
}
