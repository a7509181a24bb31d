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
	require.Equal(t, 30+5+6-mostNodes, g.Hidden)
	long := chain("from", strings.Repeat("x", 300), "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.7", "10.0.0.8", "10.0.0.9", "10.0.0.10")
	g = graphOf([]*incident.Incident{long})
	require.LessOrEqual(t, g.Width, mostLayers*columnWidth)
	require.LessOrEqual(t, len([]rune(g.Nodes[1].Label)), longestName)
}

func TestIncidentsStandWhereTheyWere(t *testing.T) {
	all := []*incident.Incident{campaign(incident.Low, 0, 1, 1), campaign(incident.High, 3_600_000, 1, 1), chain("a", "b", "c")}
	c := newIncidentChart(all)
	require.Equal(t, []string{"critical", "high", "low"}, []string{c.Rows[0].Severity, c.Rows[1].Severity, c.Rows[2].Severity})
	require.Equal(t, []float64{0, chartWidth - leastBar, 0}, []float64{c.Rows[0].X, c.Rows[1].X, c.Rows[2].X})
	require.InDelta(t, chartWidth/6, c.Rows[0].Width, 1, "ten minutes of an hour")
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
