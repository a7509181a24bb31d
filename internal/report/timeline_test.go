package report

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSpansGrowAndLoseNoAlert(t *testing.T) {
	dice := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a test that is the same in every run
	for name, reach := range map[string]time.Duration{
		"a second": time.Second, "an hour": time.Hour, "a day": 24 * time.Hour, "ten years": 87600 * time.Hour, "centuries": 1 << 62,
	} {
		line := newTimeline()
		first, last := time.Time{}, time.Time{}
		for i := range 20_000 {
			at := noon.Add(-time.Duration(dice.Int64N(int64(reach))))
			line.add(at, i%10-1)
			if first.IsZero() || at.Before(first) {
				first = at
			}
			if at.After(last) {
				last = at
			}
			require.LessOrEqual(t, len(line.spans), maxSpans)
		}
		start, counts := line.dense(maxBars)
		require.LessOrEqual(t, len(counts), maxBars, name)
		sum := 0
		for i := range counts {
			sum += counts[i].sum()
		}
		require.Equal(t, 20_000, sum, name)
		require.False(t, line.start(start).After(first), name)
		require.True(t, line.start(start+1).After(first), name)
		require.True(t, line.start(start+int64(len(counts))).After(last), name)
	}
}

func TestWidthsAreMultiplesOfTheOneBefore(t *testing.T) {
	for i := 1; i < len(widths); i++ {
		require.Zero(t, widths[i]%widths[i-1], widths[i])
	}
}

func TestAlertsWithoutATimeAreCountedApart(t *testing.T) {
	d := NewDigest()
	a := attack(0)
	a.Time = time.Time{}
	d.Add(a)
	text := textOf(t, written(t, d, Head{Records: 1}))
	require.Contains(t, text, "None of the alerts has a time.")
	require.Contains(t, text, "No time is known")
	d.Add(attack(0))
	require.Contains(t, textOf(t, written(t, d, Head{Records: 2})), "1 alerts have no time")
}

func TestScalesEndAtRoundNumbers(t *testing.T) {
	for n, want := range map[int]int{0: 1, 1: 1, 2: 2, 3: 4, 7: 8, 9: 10, 11: 12, 47: 60, 112: 120, 161: 200, 999: 1000, 1001: 1200} {
		require.Equal(t, want, roundUp(n), n)
	}
}

func TestFewBarsStandInTheMiddle(t *testing.T) {
	d := NewDigest()
	d.Add(attack(0))
	c := d.timelineChart()
	require.Equal(t, 25, c.Width)
	require.Len(t, c.Columns, 1)
	require.Equal(t, []timelineBlock{{"critical", 12.1, 0, 100}}, c.Columns[0].Blocks)
	require.Equal(t, []string{"May 30 11:59:48", "May 30 11:59:54", "May 30 12:00:00", "May 30 12:00:06", "May 30 12:00:13"}, c.Ticks)
}
