package report

import (
	"crypto/sha256"
	_ "embed" // page.html, page.css
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"time"
)

// Head is what the page says besides the alerts.
type Head struct {
	Records  uint64 // all that were read
	NotHTTP  uint64
	Broken   uint64 // could not be read or inspected
	Files    []string
	RuleSet  string
	Settings []string // that differ from the defaults: name, blank, value
	Made     time.Time
	MadeBy   string // the program and its version
}

var (
	//go:embed page.html
	pageHTML string
	//go:embed page.css
	pageCSS string

	pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
		"number": Number[int], "share": share, "date": func(t time.Time) string { return t.UTC().Format(time.DateTime) },
	}).Parse(pageHTML))
)

// policy lets a browser use the page's own style and nothing else: no script, image, font, form or request.
func policy() string {
	sum := sha256.Sum256([]byte(pageCSS))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'"
}

// Lengths of the page's lists.
const (
	topRules    = 15
	topNames    = 10
	matrixRows  = 12
	matrixCols  = 10
	maxBars     = 90
	shownAlerts = 40
	shownFiles  = 20
)

// page is what the template reads.
type page struct {
	Head
	Policy             string
	Style              template.CSS
	Title              string
	From, To           string
	Alerts, Clean      int
	MoreFiles          int
	Tiles              []tile
	Timeline           timelineChart
	Shares             []shareChart
	Rules              []bar
	OtherRules         int
	Rankings           []rankingChart
	Matrix             matrix
	Samples            []sample
	TooManyNames       bool
	Untimed            int
	MaxNames, MaxPairs int
}

// tile is one figure at the top of the page.
type tile struct{ Label, Value, Note string }

// Write writes the page about all alerts that were added.
func (d *Digest) Write(to io.Writer, head Head) error {
	p := page{
		Head: head, Policy: policy(), Style: template.CSS(pageCSS), //nolint:gosec // the style is the program's own
		Alerts: d.alerts, Clean: int(head.Records-head.NotHTTP-head.Broken) - d.alerts,
		Timeline: d.timelineChart(), Shares: d.shareCharts(), Matrix: d.matrix(),
		Samples: d.pickSamples(shownAlerts), Untimed: d.timeline.undone,
		TooManyNames: d.sources.full() || d.destinations.full(), MaxNames: maxNames, MaxPairs: maxPairs,
	}
	p.Title = "Web attacks: " + Number(d.alerts) + " alerts in " + Number(int(head.Records)) + " records"
	p.MoreFiles = max(0, len(head.Files)-shownFiles)
	p.Files = nil
	for _, name := range head.Files[:len(head.Files)-p.MoreFiles] {
		p.Files = append(p.Files, shown(name, maxText))
	}
	p.Settings = nil
	for _, s := range head.Settings {
		p.Settings = append(p.Settings, shown(s, maxText))
	}
	p.RuleSet = shown(head.RuleSet, maxText)
	if !d.first.IsZero() {
		p.From, p.To = d.first.UTC().Format(time.DateTime), d.last.UTC().Format(time.DateTime)
	}
	p.Rules, p.OtherRules = d.ruleBars()
	p.Rankings = []rankingChart{newRankingChart("Sources", &d.sources, d.alerts), newRankingChart("Destinations", &d.destinations, d.alerts)}
	p.Tiles = d.tiles(&p)
	if err := pageTemplate.Execute(to, &p); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

func (d *Digest) tiles(p *page) []tile {
	http := p.Alerts + p.Clean
	worst := "none"
	for i, n := range d.severities {
		if n > 0 {
			worst = Severities[i]
			break
		}
	}
	return []tile{
		{"Alerts", Number(p.Alerts), share(p.Alerts, http) + " of the HTTP records"},
		{"HTTP records", Number(http), fmt.Sprintf("%s more are not HTTP", Number(int(p.NotHTTP)))},
		{"Worst severity", worst, Number(d.atWorst()) + " times"},
		{"Rules that matched", Number(len(d.rules)), "in alerts"},
		{"Sources", atLeast(&d.sources), "that alerts name"},
		{"Destinations", atLeast(&d.destinations), "that alerts name"},
	}
}

func (d *Digest) atWorst() int {
	for _, n := range d.severities {
		if n > 0 {
			return n
		}
	}
	return 0
}

func atLeast(r *ranking) string {
	if r.full() {
		return "> " + Number(len(r.counts))
	}
	return Number(len(r.counts))
}

// Number writes a number with commas between its thousands.
func Number[N int | uint64](n N) string {
	text := fmt.Sprint(n)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}

// share writes a part of a whole in percent.
func share(part, whole int) string {
	switch {
	case part == 0 || whole == 0:
		return "0 %"
	case part == whole:
		return "100 %"
	}
	percent := 100 * float64(part) / float64(whole)
	switch {
	case percent < 0.1:
		return "< 0.1 %"
	case percent > 99.9:
		return "> 99.9 %"
	case percent < 10:
		return fmt.Sprintf("%.1f %%", percent)
	}
	return fmt.Sprintf("%.0f %%", percent)
}
