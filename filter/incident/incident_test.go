package incident

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheGravestKindNamesAnIncident(t *testing.T) {
	for want, findings := range map[Kind][]Finding{
		Pivot:      {{Kind: Campaign, Severity: Critical}, {Kind: Pivot, Severity: Critical}},
		Campaign:   {{Kind: Probing, Severity: Low}, {Kind: Campaign, Severity: High}, {Kind: Disclosure, Severity: Medium}},
		BruteForce: {{Kind: Campaign, Severity: High}, {Kind: BruteForce, Severity: Critical}},
		Background: {{Kind: Background, Severity: Info}},
	} {
		i := Incident{Findings: findings}
		for _, f := range findings {
			i.Kinds = append(i.Kinds, f.Kind)
		}
		require.Equal(t, want, i.Gravest())
	}
}

func TestEventsOfAnIncidentHaveIDsOfTheirOwn(t *testing.T) {
	w, c := newWeek(5, 1, 1), New(Options{})
	seen, incidents := map[string]bool{}, map[string]bool{}
	take := func(events []*Incident) {
		for _, e := range events {
			require.False(t, seen[e.EventID()], e.EventID())
			seen[e.EventID()], incidents[e.ID] = true, true
		}
	}
	w.each(func(o *Observation, _ int) { take(c.Observe(o).Events) })
	take(c.Flush())
	require.Greater(t, len(seen), 2*len(incidents))
}
