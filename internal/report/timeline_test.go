package report

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
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
			line.add(at, i%10-1, false)
			if first.IsZero() || at.Before(first) {
				first = at
			}
			if at.After(last) {
				last = at
			}
			require.LessOrEqual(t, len(line.spans), maxSpans)
		}
		start, counts, before, after := line.dense(maxBars)
		require.LessOrEqual(t, len(counts), maxBars, name)
		sum := 0
		for i := range counts {
			sum += counts[i].sum()
		}
		require.Equal(t, 20_000, sum, name)
		require.Zero(t, before+after, "%s: none is an outlier", name)
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
	require.Contains(t, textOf(t, written(t, d, Head{Records: 2})), "Not shown: 1 alert without a time.")
}

func TestOutliersDoNotFlattenTheTimeline(t *testing.T) {
	const year = 365 * 24 * time.Hour
	hours := func(n int) (all []time.Duration) {
		for i := range n {
			all = append(all, time.Duration(i)*time.Hour)
		}
		return all
	}
	for name, c := range map[string]struct {
		at            []time.Duration // after noon
		before, after int
		width         int64
	}{
		"one of long ago":               {append(hours(48), -50*year), 1, 0, hour},
		"one of long ago and one ahead": {append(hours(48), -50*year, 7*year), 1, 1, hour},
		"few alerts, one of long ago":   {append(hours(8), -50*year), 1, 0, 5 * 60},
		"none":                          {hours(48), 0, 0, hour},
		"a third is elsewhere":          {append(hours(20), -year, -year, -year, -year, -year, -year, -year, -year, -year, -year), 0, 0, 7 * day},
		"two alerts":                    {[]time.Duration{0, year}, 0, 0, 7 * day},
		"tails that are near":           {append(hours(48), -30*time.Hour, 60*time.Hour, 100*time.Hour), 0, 0, 3 * hour},
	} {
		line := newTimeline()
		for _, at := range c.at {
			line.add(noon.Add(at), 2, false)
		}
		_, counts, before, after := line.dense(maxBars)
		sum := before + after
		for i := range counts {
			sum += counts[i].sum()
		}
		require.Equal(t, len(c.at), sum, name)
		require.Equal(t, []int{c.before, c.after}, []int{before, after}, name)
		require.Equal(t, c.width, line.width, name)
	}
}

func TestPageSaysWhatIsOutsideTheTimeline(t *testing.T) {
	d := NewDigest()
	for i := range 50 {
		d.Add(attack(i))
	}
	a := attack(0)
	a.Time = time.Unix(0, 0)
	d.Add(a)
	text := textOf(t, written(t, d, Head{Records: 51}))
	require.Contains(t, text, "Outside this range: 1 alert before it, the first on 1970-01-01 00:00:00.")
	require.Contains(t, text, "2024-05-30 12:00:00 to 2024-05-30 12:49:00 UTC")
	require.Contains(t, text, "1 minute a bar")
}

func TestLikelySucceededAttacksHaveALaneOfTheirOwn(t *testing.T) {
	d := NewDigest()
	for i := range 3 {
		a := attack(0)
		a.Severity = 2 + i%2
		if i == 0 {
			a.Outcome = alert.LikelySucceeded
		}
		d.Add(a)
	}
	var got []string
	for _, l := range d.timelineChart().Lanes {
		got = append(got, fmt.Sprint(l.Label, " ", l.Alerts, " ", len(l.Bars)))
	}
	require.Equal(t, []string{"likely succeeded 1 1", "critical 2 1", "error 1 1"}, got)
}

func TestFewBarsStandInTheMiddle(t *testing.T) {
	d := NewDigest()
	d.Add(attack(0))
	c := d.timelineChart()
	require.Equal(t, 25, c.Width)
	require.Len(t, c.Lanes, 1)
	require.Equal(t, []timelineBar{{"May 30 12:00:00 – May 30 12:00:01: 1 critical", 12.1, 0, 100}}, c.Lanes[0].Bars)
	require.Equal(t, []string{"May 30 11:59:48", "May 30 11:59:54", "May 30 12:00:00", "May 30 12:00:06", "May 30 12:00:13"}, c.Ticks)
}
