package incident

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A service that breaks down over a command may have run it; one that is not there, or refuses, has not.
func TestAnErrorIsNoRefusalOfACommand(t *testing.T) {
	for name, c := range map[string]struct {
		status, rule int
		refused      bool
		pivot        bool
	}{
		"an error":                   {500, 932160, false, true},
		"a proxy waited in vain":     {504, 932160, false, true},
		"a script for browsers":      {500, 941100, false, false},
		"not available":              {503, 932160, false, false},
		"a device answered with 500": {500, 932160, true, false},
		"forbidden":                  {403, 932160, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.learn()
			a := hostile(c.rule, 1)
			a.Refused = c.refused
			s.ask(minute, Observation{Source: "203.0.113.9", Path: "/api/orders/7", Status: c.status, Attack: a})
			s.ask(minute, Observation{Source: "10.1.0.1", Target: "shop/vault", Path: "/a"})
			require.Empty(t, s.ids, "a first connection shows too little after an error")
			s.ask(minute, Observation{Source: "10.1.0.1", Target: "shop/orders", Path: "/x", Attack: hostile(942100, 2)})
			if !c.pivot {
				require.Empty(t, s.end())
				return
			}
			require.Equal(t, Critical, s.only(Pivot).Severity)
		})
	}
}
