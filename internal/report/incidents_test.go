package report

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/incident"
)

var monday = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC).UnixMilli()

func chain(names ...string) *incident.Incident {
	i := &incident.Incident{ID: "c461a95a2eee71e4", Kinds: []incident.Kind{incident.Pivot}, Severity: incident.Critical, First: monday, Last: monday + 600_000, Summary: "who did what"}
	for n := range len(names) - 1 {
		i.Hops = append(i.Hops, incident.Hop{From: names[n], To: names[n+1], Time: monday, What: "SQL injection", Succeeded: n == 0})
	}
	return i
}

func campaign(severity incident.Severity, later int64, sources, targets int) *incident.Incident {
	i := &incident.Incident{ID: fmt.Sprint("id", later), Kinds: []incident.Kind{incident.Campaign}, Severity: severity, First: monday + later, Last: monday + later}
	for n := range sources {
		i.Sources = append(i.Sources, incident.Count{Name: fmt.Sprintf("192.0.2.%d", n), Count: 1})
	}
	for n := range targets {
		i.Targets = append(i.Targets, incident.Count{Name: fmt.Sprintf("10.2.0.%d:80", n+1), Count: 1})
	}
	return i
}

func TestAChainReadsFromLeftToRight(t *testing.T) {
	g := graphOf([]*incident.Incident{chain("203.0.113.9", "10.2.0.1:80", "10.2.0.8:80"), chain("10.2.0.8", "db:5432")})
	require.Len(t, g.Nodes, 4, "an address is the service that was attacked there")
	for i, n := range g.Nodes {
		require.Equal(t, i*columnWidth, n.X, n.Name)
	}
	require.Len(t, g.Edges, 3)
	require.True(t, g.Edges[0].Chain)
	require.Contains(t, g.Edges[0].Title, "203.0.113.9 → 10.2.0.1:80: SQL injection, likely succeeded")
	require.NotContains(t, g.Edges[1].Title, "likely succeeded")
}

func TestAGraphIsBoundedAndHasCircles(t *testing.T) {
	g := graphOf([]*incident.Incident{chain("a", "b", "c", "a"), chain("b", "a")})
	require.Len(t, g.Nodes, 3)
	require.Len(t, g.Edges, 4)
	require.LessOrEqual(t, g.Width, 3*columnWidth)

	var all []*incident.Incident
	for n := range int64(30) {
		i := campaign(incident.High, n, 9, 9)
		i.Sources[0].Name = fmt.Sprintf("198.51.100.%d", n)
		all = append(all, i)
	}
	g = graphOf(all)
	require.Len(t, g.Nodes, mostNodes)
	require.Equal(t, 30+8+9-mostNodes, g.Hidden, "by their names, each once")
	long := chain("from", strings.Repeat("x", 300), "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.7", "10.0.0.8", "10.0.0.9", "10.0.0.10")
	g = graphOf([]*incident.Incident{long})
	require.LessOrEqual(t, g.Width, mostLayers*columnWidth)
	require.LessOrEqual(t, len([]rune(g.Nodes[1].Label)), longestName)
}

func TestIncidentsStandWhereTheyWere(t *testing.T) {
	all := []*incident.Incident{campaign(incident.Low, 0, 1, 1), campaign(incident.High, 3_600_000, 1, 1), chain("a", "b", "c")}
	c := newIncidentChart(all)
	require.Equal(t, []string{"critical", "high", "low"}, []string{c.Rows[0].Severity, c.Rows[1].Severity, c.Rows[2].Severity})
	require.Equal(t, []float64{0, chartWidth - leastBar, 0}, []float64{c.Rows[0].Bars[0].X, c.Rows[1].Bars[0].X, c.Rows[2].Bars[0].X})
	require.InDelta(t, chartWidth/6, c.Rows[0].Bars[0].Width, 1, "ten minutes of an hour")
	require.Equal(t, []string{"Mar 2 08:00", "Mar 2 08:15", "Mar 2 08:30", "Mar 2 08:45", "Mar 2 09:00"}, c.Ticks)
	for range 30 {
		all = append(all, campaign(incident.Low, 0, 1, 1))
	}
	require.Equal(t, 13, newIncidentChart(all).More)
	require.Empty(t, newIncidentChart(nil).Rows)
}

func TestThePageShowsIncidents(t *testing.T) {
	d := NewDigest()
	d.Add(attack(1))
	hostile := chain(`<script>alert(1)</script>`, "10.2.0.1:80", "10.2.0.8:80")
	hostile.Summary = `</svg><img src=x>`
	page := written(t, d, Head{Records: 1, Incidents: []*incident.Incident{hostile, campaign(incident.Medium, 5000, 1, 1)}})
	for _, want := range []string{"<h2>2 incidents</h2>", "Who attacked whom", `class="edge critical chain"`, `<rect class="warning"`, "wafctl incidents --explain c461a95a2eee71e4 FILE…", "&lt;script&gt;"} {
		require.Contains(t, page, want)
	}
	require.NotContains(t, page, "<script>")
	require.NotContains(t, page, "<img")
	require.NotContains(t, written(t, d, Head{Records: 1}), "Who attacked whom")
}

func TestTheGraphHasANodeForTheRestOfAnIncident(t *testing.T) {
	i := campaign(incident.High, 0, 9, 1)
	i.SourceSeen, i.TargetSeen = 1200, 1
	g := graphOf([]*incident.Incident{i})
	require.Len(t, g.Nodes, manyEach+2)
	require.Equal(t, "and 1,194 more", g.Nodes[manyEach+1].Label)
	require.True(t, g.Nodes[manyEach+1].Rest)
	require.Len(t, g.Edges, manyEach+1)
	require.Contains(t, g.Edges[manyEach].Title, "1,194 more sources → 10.2.0.1:80: campaign")
	require.Zero(t, g.Hidden)

	beside := chain("203.0.113.9", "10.2.0.1:80", "10.2.0.8:80")
	beside.Targets, beside.TargetSeen = []incident.Count{{Name: "10.2.0.1:80"}, {Name: "10.2.0.5:80"}}, 12
	require.Equal(t, 11, graphOf([]*incident.Incident{beside}).Hidden, "targets that are not on the path")
}

func background(later int64) *incident.Incident {
	i := campaign(incident.Info, later, 3, 1)
	i.Kinds = []incident.Kind{incident.Background}
	return i
}

func TestBackgroundNoiseStandsLastInOneRow(t *testing.T) {
	const hour = 3_600_000
	all := []*incident.Incident{background(0), campaign(incident.Info, hour, 1, 1)}
	c := newIncidentChart(all)
	require.Equal(t, "1 incident and background noise", c.Title)
	require.Equal(t, []string{"campaign", "background"}, []string{c.Rows[0].Kinds, c.Rows[1].Kinds})
	require.Equal(t, "id0", c.Rows[1].ID)

	for n := range int64(30) {
		all = append(all, background(10*hour+n))
	}
	c = newIncidentChart(all)
	require.Len(t, c.Rows, 2)
	row := c.Rows[1]
	require.Equal(t, "31 incidents of background noise.", row.Summary)
	require.Len(t, row.Parts, shownIncidents)
	require.Equal(t, 31-shownIncidents, row.MoreParts)
	require.Equal(t, []incidentBar{{0, leastBar}, {chartWidth - leastBar, leastBar}}, row.Bars, "bars that overlap are one")
	require.Equal(t, "Background noise", newIncidentChart(all[:1]).Title)
}

func TestATileCountsIncidents(t *testing.T) {
	for want, all := range map[tile][]*incident.Incident{
		{Label: "Incidents", Value: "0", Note: "across all records"}: nil,
		{Label: "Incidents", Value: "0", Note: "1 background"}:       {background(0)},
		{Label: "Incidents", Value: "3", Note: "2 high or critical, 1 lower, 1 background"}: {
			chain("a", "b", "c"), campaign(incident.High, 0, 1, 1), campaign(incident.Medium, 0, 1, 1), background(0),
		},
	} {
		c := newIncidentChart(all)
		require.Equal(t, want, c.tile())
	}
}

func TestThePageSaysWhatItLeavesOut(t *testing.T) {
	d := NewDigest()
	d.Add(attack(1))
	all := []*incident.Incident{background(0), background(1)}
	for n := range int64(shownIncidents + 2) {
		i := campaign(incident.Medium, n, 9, 1)
		i.SourceSeen = 300
		all = append(all, i)
	}
	text := textOf(t, written(t, d, Head{Records: 1, Incidents: all}))
	for _, want := range []string{"22 incidents and background noise", "22 lower, 2 background", "and 2 more, which are at most as severe", "and 294 more", "and 295 more", "2 incidents of background noise."} {
		require.Contains(t, text, want)
	}
}
