package incident

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Clients that keep to no policy are no attackers, whatever the Core Rule Set calls it.
func TestABreachOfPolicyIsNoHopAndNoSpread(t *testing.T) {
	for name, c := range map[string]struct {
		rule     Rule
		severity Severity
	}{
		"a method":                 {Rule{ID: 911100, Category: "generic"}, 0},
		"a body that is no JSON":   {Rule{ID: 200002}, 0},
		"a header of the protocol": {Rule{ID: 920420, Category: "other"}, 0},
		"a policy of another set":  {Rule{ID: 9501, Category: "generic"}, 0},
		"generic code injection":   {Rule{ID: 934100, Category: "injection-generic"}, Critical},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.learn()
			s.ask(minute, Observation{Source: "203.0.113.9", Path: "/api/orders/7", Attack: hostile(932160, 1)})
			for n, target := range []string{"shop/orders", "shop/orders", "shop/orders", "shop/orders"} {
				s.ask(minute, Observation{Source: "10.1.0.1", Target: target, Method: "PUT", Path: "/internal/status", Attack: &Attack{Rules: []Rule{c.rule}, Values: uint64(90 + n)}})
			}
			for n, target := range []string{"shop/cart", "shop/orders", "shop/search"} {
				s.ask(second, Observation{Source: "10.3.0.1", Target: target, Method: "PUT", Path: "/api/orders/1", Attack: &Attack{Rules: []Rule{c.rule}, Values: uint64(190 + n)}})
			}
			worst := Severity(0)
			for _, i := range s.end() {
				worst = max(worst, i.Severity)
			}
			require.Equal(t, c.severity, worst)
		})
	}
}

// A job whose requests look like an attack is reported, and becomes customary although its incident never ends: after half a day, not within hours.
func TestAnOpenIncidentDoesNotKeepAHabitFromBeingLearned(t *testing.T) {
	s := newScene(t)
	s.learn()
	s.ask(minute, Observation{Source: "10.3.0.1", Path: "/api/orders/1", Attack: hostile(942100, 1)})
	job := func(n int) float64 {
		s.ask(20*minute, Observation{Source: "10.3.0.1", Path: "/api/orders/1", Attack: hostile(942100, n)})
		return s.c.current.weight
	}
	for n := range 3 { // opens a spread
		s.ask(second, Observation{Source: "10.3.0.1", Target: []string{"shop/cart", "shop/x", "shop/y"}[n], Path: "/api/orders/1", Attack: hostile(942190, n)})
	}
	for n := range 3 * 10 {
		require.Equal(t, 1.0, job(n), "after %d requests", n)
	}
	require.NotNil(t, s.c.book.at(s.c.current.source.Ref), "the incident is open")
	for n := range 3 * 3 {
		job(n)
	}
	require.Zero(t, job(99))
}
