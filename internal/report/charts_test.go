package report

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
)

func TestMatrixShowsThePairsWithMostAlerts(t *testing.T) {
	d := NewDigest()
	add := func(from, to string, times int) {
		for range times {
			d.Add(&Alert{Source: from, Destination: to})
		}
	}
	add("scanner", "shop", 100)
	add("scanner", "mail", 3)
	add("guest", "shop", 1)
	for i := range 40 {
		add(fmt.Sprint("source ", i), fmt.Sprint("destination ", i), 2)
	}
	m := d.matrix()
	require.Len(t, m.Rows, matrixRows)
	require.Len(t, m.Columns, matrixCols)
	require.Equal(t, []string{"shop", "mail"}, m.Columns[:2])
	require.Equal(t, "scanner", m.Rows[0].Source)
	require.Equal(t, []matrixCell{{100, maxHeat}, {3, 2}, {0, 0}}, m.Rows[0].Cells[:3])
	shown := 0
	for _, row := range m.Rows {
		for _, cell := range row.Cells {
			shown += cell.Count
		}
	}
	require.Equal(t, 184, shown+m.Others)
}

func TestFullRankingsCountLateNamesTogether(t *testing.T) {
	r := newRanking(2)
	for _, name := range []string{"a", "b", "b", "c", "a", "b", "c"} {
		r.add(name)
	}
	top, others := r.top(1)
	require.Equal(t, []ranked{{"b", 3}}, top)
	require.Equal(t, 4, others)
	require.True(t, r.full())
}

func TestSamplesAreOfAsManyRulesAsPossible(t *testing.T) {
	d := NewDigest()
	for i := range 30 {
		for range 5 {
			d.Add(&Alert{Rule: Rule{ID: 1 + i}, Rules: []Rule{{ID: 1 + i}}})
		}
	}
	picked := d.samples.pick(shownAlerts, d.alertsOf)
	require.Len(t, picked, shownAlerts)
	for i, s := range picked {
		require.Equal(t, 1+i%30, s.RuleID)
	}
}

func TestSamplesBeginWithWhatLikelySucceeded(t *testing.T) {
	d := NewDigest()
	for rule := 1; rule <= 2; rule++ {
		for i := range 9 {
			a := attack(i)
			a.Rule.ID = rule
			if rule == 2 && i >= 7 {
				a.Outcome = alert.LikelySucceeded
			}
			d.Add(a)
		}
	}
	var got []string
	for _, s := range d.samples.pick(shownAlerts, d.alertsOf) {
		got = append(got, fmt.Sprint(s.RuleID, " ", s.Outcome.Text, " ", s.Place))
	}
	require.Equal(t, []string{
		"2 likely succeeded a.ndjson:7", "2 likely succeeded a.ndjson:8",
		"1 blocked a.ndjson:0", "1 blocked a.ndjson:1", "2 blocked a.ndjson:0", "1 blocked a.ndjson:2",
	}, got)
}

func TestSharesAreReadable(t *testing.T) {
	for want, x := range map[string][2]int{
		"0 %": {0, 5}, "100 %": {5, 5}, "< 0.1 %": {1, 5000}, "> 99.9 %": {4999, 5000}, "2.5 %": {1, 40}, "33 %": {1, 3},
	} {
		require.Equal(t, want, share(x[0], x[1]))
	}
}

func TestTextsAreCutBetweenCharacters(t *testing.T) {
	require.Equal(t, "aä", shown("aä", 3))
	require.Equal(t, "aä…", shown("aää", 4))
	require.Equal(t, `\xff\x…`, shown("\xff\xff", 6))
	require.Equal(t, "…", shown("ä", 1))
}
