package report

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/incident"
)

// incidentChart shows incidents over time, one row each, and who attacked whom in them. Background noise stands last, in one row.
type incidentChart struct {
	Title string
	Rows  []incidentRow
	More  int // incidents that are not shown
	Ticks []string
	Graph graph

	loud, others, background int // incidents of severity high or critical, lower ones, and background noise
}

// incidentRow is one incident: a bar from its first record to its last, and what is known of it. The row of background noise may have
// several incidents.
type incidentRow struct {
	ID, Kinds, Severity, Level string // Level is the severity as alerts name theirs, for the style
	Summary, Reason            string
	Seen                       string
	Bars                       []incidentBar
	Lists                      []cardList // sources and targets
	Hops                       []hopText
	Related                    []string
	Parts                      []incidentRow
	MoreParts                  int
}

type incidentBar struct{ X, Width float64 }

type hopText struct{ Time, From, To, What string }

// styles are the severities of alerts that have the colors of those of incidents.
var styles = map[incident.Severity]string{
	incident.Critical: "critical", incident.High: "error", incident.Medium: "warning", incident.Low: "notice", incident.Info: "info",
}

// How much of incidents the page shows.
const (
	shownIncidents = 20
	chartWidth     = 1000 // units of the picture, which is stretched to the page
	leastBar       = 6
)

// newIncidentChart draws incidents, the worst first.
func newIncidentChart(all []*incident.Incident) (c incidentChart) {
	all = slices.Clone(all)
	slices.SortStableFunc(all, incident.WorstFirst)
	var background []*incident.Incident
	drawn := all[:0]
	for _, i := range all {
		switch {
		case i.IsOnly(incident.Background):
			background = append(background, i)
			continue
		case i.Severity >= incident.High:
			c.loud++
		default:
			c.others++
		}
		drawn = append(drawn, i)
	}
	c.background = len(background)
	c.Title = c.title()
	c.More = max(0, len(drawn)-shownIncidents)
	drawn = drawn[:len(drawn)-c.More]
	if len(drawn)+len(background) == 0 {
		return c
	}
	x := newAxis(append(slices.Clone(drawn), background...))
	for _, i := range drawn {
		c.Rows = append(c.Rows, rowOf(i, x))
	}
	if len(background) > 0 {
		c.Rows = append(c.Rows, backgroundRow(background, x))
	}
	c.Ticks = x.ticks()
	c.Graph = graphOf(drawn)
	return c
}

func (c *incidentChart) title() string {
	switch n := c.loud + c.others; {
	case c.background == 0:
		return plural(n, "incident")
	case n == 0:
		return "Background noise"
	default:
		return plural(n, "incident") + " and background noise"
	}
}

// tile counts incidents; those that are background noise are nothing to look into.
func (c *incidentChart) tile() tile {
	var parts []string
	for _, part := range []struct {
		n    int
		text string
	}{{c.loud, "high or critical"}, {c.others, "lower"}, {c.background, "background"}} {
		if part.n > 0 {
			parts = append(parts, Number(part.n)+" "+part.text)
		}
	}
	return tile{Label: "Incidents", Value: Number(c.loud + c.others), Note: cmp.Or(strings.Join(parts, ", "), "across all records")}
}

// axis is the time that the chart shows, in milliseconds.
type axis struct{ first, last int64 }

func newAxis(all []*incident.Incident) axis {
	x := axis{all[0].First, all[0].Last}
	for _, i := range all {
		x.first, x.last = min(x.first, i.First), max(x.last, i.Last)
	}
	return x
}

func (x axis) bar(i *incident.Incident) incidentBar {
	whole := float64(max(1, x.last-x.first))
	width := max(leastBar, round(chartWidth*float64(i.Last-i.First)/whole))
	return incidentBar{min(round(chartWidth*float64(i.First-x.first)/whole), chartWidth-width), width}
}

func (x axis) ticks() (all []string) {
	for i := range int64(ticks) {
		at := time.UnixMilli(x.first + (x.last-x.first)*i/(ticks-1)).UTC()
		all = append(all, timeText(at, (x.last-x.first)/1000/leastBars))
	}
	return all
}

// backgroundRow returns the row of background noise. Bars that overlap are one.
func backgroundRow(all []*incident.Incident, x axis) incidentRow {
	if len(all) == 1 {
		return rowOf(all[0], x)
	}
	all = slices.SortedFunc(slices.Values(all), func(a, b *incident.Incident) int {
		return cmp.Or(cmp.Compare(a.First, b.First), cmp.Compare(a.ID, b.ID))
	})
	seen := newAxis(all)
	row := incidentRow{
		Kinds: string(incident.Background), Severity: all[0].Severity.String(), Level: styles[all[0].Severity], Seen: stamp(seen.first) + " – " + stamp(seen.last),
		Summary: plural(len(all), "incident") + " of background noise.", MoreParts: max(0, len(all)-shownIncidents),
	}
	for n, i := range all {
		if n < shownIncidents {
			row.Parts = append(row.Parts, rowOf(i, x))
		}
		next := x.bar(i)
		if n > 0 {
			if last := &row.Bars[len(row.Bars)-1]; next.X <= last.X+last.Width {
				last.Width = max(last.Width, next.X+next.Width-last.X)
				continue
			}
		}
		row.Bars = append(row.Bars, next)
	}
	return row
}

func rowOf(i *incident.Incident, x axis) incidentRow {
	row := incidentRow{
		ID: shown(i.ID, maxText), Kinds: strings.Join(i.KindNames(), ", "), Severity: i.Severity.String(), Level: styles[i.Severity],
		Summary: shown(i.Summary, maxDetail), Reason: shown(i.Reason, maxDetail), Seen: stamp(i.First) + " – " + stamp(i.Last), Related: i.Related,
		Bars: []incidentBar{x.bar(i)}, Lists: []cardList{listOf("Sources", i.Sources, i.SourceSeen), listOf("Targets", i.Targets, i.TargetSeen)},
	}
	for _, h := range i.Hops {
		what := shown(h.What, maxText)
		if h.Succeeded {
			what += ", likely succeeded"
		}
		row.Hops = append(row.Hops, hopText{stamp(h.Time), shown(h.From, maxText), shown(h.To, maxText), what})
	}
	return row
}

// listOf lists the first of so many sources or targets.
func listOf(title string, all []incident.Count, seen int) cardList {
	first := all[:min(len(all), namesInCard)]
	l := cardList{Title: title, More: max(seen, len(all)) - len(first)}
	for _, one := range first {
		l.Names = append(l.Names, ranked{shown(one.Name, maxName), one.Count})
	}
	return l
}

func stamp(milliseconds int64) string {
	return time.UnixMilli(milliseconds).UTC().Format(time.DateTime)
}
