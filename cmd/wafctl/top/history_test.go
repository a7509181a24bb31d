package top

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var start = time.Date(2026, 11, 29, 9, 0, 0, 0, time.UTC)

// reading has some records and alerts of one rule after so many seconds.
func reading(seconds int, records, alerts uint64) *Reading {
	return &Reading{
		At: start.Add(time.Duration(seconds) * time.Second), Records: []Count{{"clean", records - alerts}, {"alert", alerts}}, Alerts: alerts,
		Levels: []Count{{"critical", alerts}}, Lists: []List{{Title: "Rules", Rows: []Row{{"932160", "Remote Command Execution", alerts}}}},
	}
}

func TestRatesAreThoseOfTheLastMinute(t *testing.T) {
	var h history
	h.add(reading(0, 100, 0))
	require.Zero(t, h.span())
	require.Zero(t, h.rate(ofRecords, ""))
	for s := 2; s <= 300; s += 2 {
		h.add(reading(s, 100+uint64(s)*10, uint64(s)))
	}
	require.Equal(t, time.Minute, h.span())
	require.InDelta(t, 10, h.rate(ofRecords, ""), 1e-9)
	require.InDelta(t, 9, h.rate(ofRecords, "clean"), 1e-9)
	require.InDelta(t, 1, h.rate("Rules", "932160"), 1e-9)
	require.Len(t, h.points, 31, "memory is bounded")
	require.Len(t, h.bars(), 30)
	for s := 302; s <= 370; s += 2 {
		h.add(reading(s, 3100, 300))
	}
	require.Zero(t, h.rate(ofAlerts, ""))
}

func TestTheFirstRateIsThatSinceTheStart(t *testing.T) {
	var h history
	r := reading(0, 7200, 72)
	r.Since = start.Add(-time.Hour)
	h.add(r)
	require.Equal(t, time.Hour, h.span())
	require.InDelta(t, 2, h.rate(ofRecords, ""), 1e-9)
	require.Empty(t, h.bars())
	h.add(reading(2, 7300, 72))
	require.InDelta(t, 50, h.rate(ofRecords, ""), 1e-9, "from then on of what was read")
	require.Equal(t, []uint64{0}, h.bars())
}

func TestARestartIsNoNegativeRate(t *testing.T) {
	var h history
	h.add(reading(0, 1000, 100))
	h.add(reading(10, 50, 20))
	require.InDelta(t, 5, h.rate(ofRecords, ""), 1e-9)
	require.InDelta(t, 2, h.rate("Rules", "932160"), 1e-9)
}

func TestANameThatEntersAFullListHasNoMadeUpRate(t *testing.T) {
	var rows []Row
	for i := range maxRows + 10 {
		rows = append(rows, Row{Name: fmt.Sprint("name ", i), N: 1000})
	}
	before := reading(0, 0, 0)
	before.Lists = []List{List{Title: "Attackers", Rows: rows}.bound()}
	require.Len(t, before.Lists[0].Rows, maxRows)
	after := reading(10, 0, 0)
	after.Lists = []List{{Title: "Attackers", Rows: []Row{{Name: "late", N: 1010}, {Name: "later", N: 900}}}}
	var h history
	h.add(before)
	h.add(after)
	require.InDelta(t, 1, h.rate("Attackers", "late"), 1e-9, "it had 1000 at most")
	require.Zero(t, h.rate("Attackers", "later"))
}
