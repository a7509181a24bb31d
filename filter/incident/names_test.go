package incident

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// renamed plays two days whose services have so many tildes behind their names, and returns of each event what does not depend on hashes of
// names, with their tildes taken away.
func renamed(t *testing.T, tildes int) (all []string) {
	t.Helper()
	w, c := newWeek(5, 2, 1), New(Options{})
	take := func(events []*Incident) {
		for _, e := range events {
			if !e.Has(Pivot) && !e.Has(Spread) {
				continue // what is usual is estimated from hashes
			}
			text, err := json.Marshal([]any{
				e.Status, e.Kinds, e.Severity, e.First, e.Last, e.Records, e.Sources, e.Targets, e.Hops, e.Findings, e.Samples,
			})
			require.NoError(t, err)
			all = append(all, strings.ReplaceAll(string(text), "~", ""))
		}
	}
	name := func(s string) string {
		if _, err := netip.ParseAddr(s); err == nil || s == "" {
			return s
		}
		return s + strings.Repeat("~", tildes)
	}
	w.each(func(o *Observation, _ int) {
		long := *o
		long.Source, long.Target, long.TargetHost = name(o.Source), name(o.Target), name(o.TargetHost)
		take(c.Observe(&long).Events)
	})
	take(c.Flush())
	return all
}

func TestNamesMayBeLong(t *testing.T) {
	short := renamed(t, 0)
	require.Contains(t, strings.Join(short, ""), `"pivot"`)
	for _, tildes := range []int{30, 45, 60, 80, 200} {
		long := renamed(t, tildes)
		for i := range min(len(short), len(long)) {
			require.Equal(t, short[i], long[i], tildes)
		}
		require.Equal(t, len(short), len(long))
	}
}
