package report

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
)

// of returns an alert of a source.
func of(source string, outcome alert.Outcome, minute int) *Alert {
	a := attack(minute)
	a.Source, a.Outcome = source, outcome
	return a
}

func TestAttackersWhoLikelySucceededStandFirst(t *testing.T) {
	d := NewDigest()
	add := func(source string, outcome alert.Outcome, times int) {
		for i := range times {
			d.Add(of(source, outcome, i))
		}
	}
	add("loud and blocked", alert.Blocked, 900)
	add("attempted", alert.Attempted, 5)
	add("attempted more", alert.Attempted, 6)
	add("attempted more", alert.Blocked, 1)
	add("succeeded", alert.Blocked, 2)
	add("succeeded", alert.LikelySucceeded, 1)
	add("succeeded twice", alert.LikelySucceeded, 2)
	add("", alert.LikelySucceeded, 4)
	list := d.attackers.list()
	var got []string
	for _, c := range list.Cards {
		got = append(got, fmt.Sprint(c.Source, ": ", c.Outcome.Text, ", ", c.Alerts))
	}
	require.Equal(t, []string{
		"succeeded twice: likely succeeded, 2", "succeeded: likely succeeded, 3", "attempted more: attempted, 7", "attempted: attempted, 5",
		"loud and blocked: blocked, 900",
	}, got)
	require.Equal(t, []string{"4 alerts without a source address."}, list.Notes)
	require.Equal(t, 2, d.attackers.succeeded())
}

func TestAttackersAreBoundedAndThePageSaysWhatWasCut(t *testing.T) {
	d := NewDigest()
	d.Add(of("the one that matters", alert.LikelySucceeded, 0))
	const others = 3*maxAttackers + 5
	for i := range others {
		d.Add(of(fmt.Sprint("source ", i), alert.Attempted, i))
		require.LessOrEqual(t, len(d.attackers.bySource), 2*maxAttackers)
	}
	kept := 0
	for _, who := range d.attackers.bySource {
		kept += who.alerts
	}
	require.Equal(t, others+1, kept+d.attackers.dropped)
	list := d.attackers.list()
	require.Len(t, list.Cards, shownAttackers)
	require.Equal(t, "the one that matters", list.Cards[0].Source)
	text := textOf(t, written(t, d, Head{Records: others + 1}))
	require.Contains(t, text, "More sources are not shown.")
	require.Contains(t, text, fmt.Sprintf("%s of them were dropped to save memory", plural(d.attackers.dropped, "alert")))
}

func TestAnAttackersNamesAreBounded(t *testing.T) {
	d := NewDigest()
	for i := range 10 * maxPaths {
		a := of("scanner", alert.Attempted, i)
		a.URI, a.UserAgent, a.Host, a.Destination, a.Forwarded, a.Peer = fmt.Sprintf("/%d?q=%d", i%200, i), fmt.Sprint(i), fmt.Sprint(i), fmt.Sprint("d", i), fmt.Sprint(i), fmt.Sprint(i)
		d.Add(a)
	}
	who := d.attackers.bySource["scanner"]
	require.Len(t, who.paths.counts, maxPaths)
	for _, r := range []*ranking{&who.targets, &who.hosts, &who.agents, &who.peers, &who.forwarded} {
		require.Len(t, r.counts, maxOfAttacker)
	}
	text := textOf(t, written(t, d, Head{Records: 500}))
	require.Contains(t, text, "Paths /0 3 /1 3 /10 3 /11 3 /12 3 and more than 45 others")
}

func TestSeenIsShort(t *testing.T) {
	require.Equal(t, "2024-05-30 12:00:00", seen(noon, noon))
	require.Equal(t, "2024-05-30 12:00:00 – 13:00:00", seen(noon, noon.Add(time.Hour)))
	require.Equal(t, "2024-05-30 12:00:00 – 2024-05-31 12:00:00", seen(noon, noon.Add(24*time.Hour)))
	require.Empty(t, seen(time.Time{}, time.Time{}))
}

func TestAddressesBreakBehindColonsOnly(t *testing.T) {
	for text, want := range map[string]name{
		"192.0.2.1":        {[]string{"192.0.2.1"}, true},
		"192.0.2.1:8080":   {[]string{"192.0.2.1:", "8080"}, true},
		"2001:db8::1":      {[]string{"2001:", "db8:", ":", "1"}, true},
		"[2001:db8::1]:80": {[]string{"[2001:", "db8:", ":", "1]:", "80"}, true},
		"shop.example":     {[]string{"shop.example"}, false},
		"a:b:c":            {[]string{"a:b:c"}, false},
	} {
		require.Equal(t, want, nameOf(text))
	}
}
