package incident

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// What a slow proxy passes on is reported once, and known from then on; what else comes from it is still a pivot.
func TestASlowProxyIsReportedOnce(t *testing.T) {
	for name, c := range map[string]struct {
		later  int64 // until the second attack is seen again, in milliseconds
		values uint64
		to     string
		pivots int
	}{
		"the same again":      {5000, 2, "shop/orders", 1},
		"other values":        {5000, 3, "shop/orders", 2},
		"half a minute later": {30_000, 2, "shop/orders", 2},
		"to a service it does not pass requests to": {5000, 2, "shop/vault", 2},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.learn()
			s.ask(minute, Observation{Source: "203.0.113.9", Path: "/search", Attack: alarm(932160, 11)})
			s.ask(5000, Observation{Source: "10.1.0.1", Target: "shop/orders", TargetHost: "10.1.0.2", Path: "/search", Attack: alarm(932160, 11)})
			s.ask(5*60*minute, Observation{Source: "203.0.113.77", Path: "/search", Attack: alarm(932160, 2*c.values+1)})
			s.ask(c.later, Observation{Source: "10.1.0.1", Target: c.to, TargetHost: "10.1.0.3", Path: "/search", Attack: alarm(932160, 5)})
			all := s.end()
			require.Len(t, all, c.pivots)
			for _, i := range all {
				require.Equal(t, Critical, i.Severity)
			}
		})
	}
}

// The chain goes on behind a slow proxy.
func TestAChainGoesOnBehindASlowProxy(t *testing.T) {
	s := newScene(t)
	s.learn()
	pass := func(n uint64, from string) {
		s.ask(5*60*minute, Observation{Source: from, Path: "/search", Attack: alarm(932160, n)})
		s.ask(5000, Observation{Source: "10.1.0.1", Target: "shop/orders", TargetHost: "10.1.0.2", Path: "/search", Attack: alarm(932160, n)})
	}
	pass(11, "203.0.113.9")
	pass(21, "203.0.113.77")
	s.ask(5*minute, Observation{Source: "10.1.0.2", Target: "shop/vault", TargetHost: "10.1.0.9", Path: "/y", Attack: alarm(942100, 8)})
	all := s.end()
	require.Len(t, all, 2)
	require.Contains(t, all[1].Summary, "203.0.113.77 → shop/cart → shop/orders → shop/vault")
}
