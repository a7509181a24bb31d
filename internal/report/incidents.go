package report

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/incident"
)

// incidentChart shows incidents over time, one row each, and who attacked whom in them.
type incidentChart struct {
	Title string
	Rows  []incidentRow
	More  int // incidents that are not shown
	Ticks []string
	Graph graph
}

// incidentRow is one incident: a bar from its first record to its last, and what is known of it.
type incidentRow struct {
	ID, Kinds, Severity, Level string // Level is the severity as alerts name theirs, for the style
	Summary, Reason            string
	Seen                       string
	X, Width                   float64
	Hops                       []hopText
	Related                    []string
}

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

// incidentChart draws incidents, the worst first.
func newIncidentChart(all []*incident.Incident) incidentChart {
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b *incident.Incident) int {
		return cmp.Or(cmp.Compare(b.Severity, a.Severity), cmp.Compare(a.First, b.First), cmp.Compare(a.ID, b.ID))
	})
	c := incidentChart{Title: plural(len(all), "incident"), More: max(0, len(all)-shownIncidents)}
	all = all[:min(len(all), shownIncidents)]
	if len(all) == 0 {
		return c
	}
	first, last := all[0].First, all[0].Last
	for _, i := range all {
		first, last = min(first, i.First), max(last, i.Last)
	}
	whole := float64(max(1, last-first))
	for _, i := range all {
		row := rowOf(i)
		row.Width = max(leastBar, round(chartWidth*float64(i.Last-i.First)/whole))
		row.X = min(round(chartWidth*float64(i.First-first)/whole), chartWidth-row.Width)
		c.Rows = append(c.Rows, row)
	}
	for i := range int64(ticks) {
		at := time.UnixMilli(first + (last-first)*i/(ticks-1)).UTC()
		c.Ticks = append(c.Ticks, timeText(at, (last-first)/1000/leastBars))
	}
	c.Graph = graphOf(all)
	return c
}

func rowOf(i *incident.Incident) incidentRow {
	row := incidentRow{
		ID: shown(i.ID, maxText), Kinds: strings.Join(i.KindNames(), ", "), Severity: i.Severity.String(), Level: styles[i.Severity],
		Summary: shown(i.Summary, maxDetail), Reason: shown(i.Reason, maxDetail), Seen: stamp(i.First) + " – " + stamp(i.Last), Related: i.Related,
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

func stamp(milliseconds int64) string {
	return time.UnixMilli(milliseconds).UTC().Format(time.DateTime)
}
