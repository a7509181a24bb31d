package report

import (
	"crypto/sha256"
	_ "embed" // page.html, page.css
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/incident"
)

// Head is what the page says besides the alerts.
type Head struct {
	Records  uint64 // all that were read
	NotHTTP  uint64
	Broken   uint64 // could not be read or inspected
	Files    []string
	Blind    []Blind // the files of which nothing was inspected
	RuleSet  string
	Settings []string // that differ from the defaults: name, blank, value
	Made     time.Time
	MadeBy   string // the program and its version

	Incidents []*incident.Incident
}

// Blind is a file of which nothing was inspected, because no record is an HTTP transaction.
type Blind struct {
	File    string
	Records int
	Looks   string // of its first record: has the keys a, b
}

// HTTP returns how many records are HTTP transactions.
func (h *Head) HTTP() int { return int(h.Records - h.NotHTTP - h.Broken) }

var (
	//go:embed page.html
	pageHTML string
	//go:embed page.css
	pageCSS string

	pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
		"number": Number[int], "plural": plural, "share": share, "name": nameOf, "date": func(t time.Time) string { return t.UTC().Format(time.DateTime) },
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
	Alerts             int
	MoreFiles          int
	Tiles              []tile
	Timeline           timelineChart
	Chains             incidentChart
	Attackers          attackerList
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
type tile struct{ Label, Value, Note, Kind string }

// Write writes the page about all alerts that were added.
func (d *Digest) Write(to io.Writer, head Head) error {
	p := page{
		Head: head.fit(), Policy: policy(), Style: template.CSS(pageCSS), //nolint:gosec // the style is the program's own
		Alerts: d.alerts, Timeline: d.timelineChart(), Chains: newIncidentChart(head.Incidents), Attackers: d.attackers.list(), Shares: d.shareCharts(), Matrix: d.matrix(),
		Samples: d.samples.pick(shownAlerts, d.alertsOf), Untimed: d.timeline.undone,
		TooManyNames: d.sources.full() || d.destinations.full(), MaxNames: maxNames, MaxPairs: maxPairs,
		MoreFiles: max(0, len(head.Files)-shownFiles),
	}
	p.Title = d.title(&head)
	p.Rules, p.OtherRules = d.ruleBars()
	p.Rankings = []rankingChart{newRankingChart("Sources", &d.sources, d.alerts), newRankingChart("Destinations", &d.destinations, d.alerts)}
	p.Tiles = d.tiles(&p)
	if err := pageTemplate.Execute(to, &p); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

// fit returns a head whose texts can be shown, with as many files as the page shows.
func (h *Head) fit() Head {
	fit := *h
	fit.Files, fit.Settings, fit.Blind = nil, nil, nil
	for _, name := range h.Files[:min(len(h.Files), shownFiles)] {
		fit.Files = append(fit.Files, shown(name, maxText))
	}
	for _, s := range h.Settings {
		fit.Settings = append(fit.Settings, shown(s, maxText))
	}
	for _, b := range h.Blind[:min(len(h.Blind), shownFiles)] {
		fit.Blind = append(fit.Blind, Blind{shown(b.File, maxText), b.Records, shown(b.Looks, maxDetail)})
	}
	fit.RuleSet = shown(h.RuleSet, maxText)
	return fit
}

func (d *Digest) title(h *Head) string {
	switch {
	case h.HTTP() <= 0:
		return "Nothing was inspected"
	case d.alerts == 0:
		return "No alerts"
	}
	return plural(d.alerts, "alert")
}

func (d *Digest) tiles(p *page) []tile {
	http := p.HTTP()
	succeeded := tile{Label: "Likely succeeded", Value: Number(d.outcomes.counts[string(alert.LikelySucceeded)]), Note: "of the alerts"}
	if succeeded.Value != "0" {
		succeeded.Kind = succeededKind
		succeeded.Note = "from " + plural(d.attackers.succeeded(), "source")
	}
	worst, times := d.worst()
	others := "all records"
	if n := int(p.NotHTTP); n > 0 {
		others = Number(n) + " more not HTTP"
	}
	return []tile{
		{Label: "Alerts", Value: Number(p.Alerts), Note: share(p.Alerts, http) + " of the HTTP records"},
		succeeded,
		p.Chains.tile(),
		{Label: "Worst severity", Value: worst, Note: "in " + plural(times, "alert")},
		{Label: "HTTP records", Value: Number(http), Note: others},
		{Label: "Sources", Value: atLeast(&d.sources), Note: "named in alerts"},
		{Label: "Destinations", Value: atLeast(&d.destinations), Note: "named in alerts"},
	}
}

// worst returns the worst severity and how many alerts have it.
func (d *Digest) worst() (name string, alerts int) {
	for i, n := range d.severities {
		if n > 0 {
			return Severities[i], n
		}
	}
	return "none", 0
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
