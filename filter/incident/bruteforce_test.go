package incident

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestASuccessAfterStuffingIsWorse(t *testing.T) {
	for name, c := range map[string]struct {
		meanwhile bool // new users of an app log in, and do nothing else before
		succeed   func(s *scene)
		want      Severity
	}{
		"of a source that failed": {false, func(s *scene) {
			for n := range 5 {
				s.ask(second, Observation{Source: fresh(n), Method: "POST", Path: "/login"})
			}
		}, Critical},
		"of sources that asked for nothing else": {false, func(s *scene) {
			for n := range 5 {
				s.ask(second, Observation{Source: fresh(900 + n), Method: "POST", Path: "/login", Status: 302})
			}
		}, High},
		"of a person who mistypes a password": {false, func(s *scene) {
			o := Observation{Source: "192.0.2.9", Path: "/catalog/7"}
			s.ask(second, o)
			s.ask(second, o)
			s.ask(second, o)
			o.Method, o.Path, o.Status = "POST", "/login", 401
			s.ask(second, o)
			s.ask(second, o)
			o.Status = 200
			s.ask(second, o)
		}, Medium},
		"of users of an app": {true, func(*scene) {}, Medium},
		"of people who are new": {false, func(s *scene) {
			for n := range 60 {
				o := Observation{Source: fresh(900 + n), Path: "/catalog/7"}
				s.ask(second, o)
				s.ask(second, o)
				s.ask(second, o)
				o.Method, o.Path = "POST", "/login"
				s.ask(second, o)
			}
		}, Medium},
		"of somebody known": {false, func(s *scene) {
			o := Observation{Source: "198.51.100.7", Principal: 8, Method: "POST", Path: "/login", Status: 401}
			s.ask(second, o)
			s.ask(second, o)
			o.Status = 200
			s.ask(second, o)
		}, Medium},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.learn()
			for n := range 300 {
				s.ask(4*second, Observation{Source: fresh(n % 100), Method: "POST", Path: "/login", Status: 401})
				if c.meanwhile && n%5 == 0 {
					s.ask(0, Observation{Source: fresh(500 + n), Method: "POST", Path: "/login"})
				}
			}
			c.succeed(s)
			i := s.only(BruteForce)
			require.Equal(t, c.want, i.Severity, i.Reason)
			switch c.want {
			case Critical:
				require.Contains(t, i.Summary, "and got in")
			case High:
				require.Contains(t, i.Summary, "and likely got in")
			default:
				require.NotContains(t, i.Summary, "got in")
			}
		})
	}
}

// A device whose key is corrected is let in; so is whoever got a new token.
func TestASuccessIsCriticalOnlyWhereCredentialsWereTried(t *testing.T) {
	for name, c := range map[string]struct {
		o        Observation
		requests int
		every    int64
		want     []Severity
	}{
		"a new device":           {Observation{Method: "POST", Path: "/api/telemetry", Status: 401}, 60, 5 * second, nil},
		"a form without a token": {Observation{Method: "POST", Path: "/comment", Status: 403}, 60, 5 * second, nil},
		"an impatient device":    {Observation{Method: "POST", Path: "/api/telemetry", Status: 401}, 200, 200, []Severity{Medium}},
		"an impatient page":      {Observation{Method: "GET", Path: "/api/feed", Status: 401}, 200, 200, []Severity{Medium}},
		"authors are no login":   {Observation{Method: "POST", Path: "/authors", Status: 401}, 60, 5 * second, nil},
		"a login":                {Observation{Method: "POST", Path: "/api/SignIn", Status: 401}, 60, 5 * second, []Severity{Critical}},
		"a user":                 {Observation{Method: "POST", Path: "/api/telemetry", User: 7, Status: 401}, 60, 5 * second, []Severity{Critical}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.learn()
			o := c.o
			o.Source = "203.0.113.9"
			for range c.requests {
				s.ask(c.every, o)
			}
			o.Status = 200
			s.ask(5*second, o)
			var got []Severity
			for _, i := range s.end() {
				got = append(got, i.Severity)
			}
			require.Equal(t, c.want, got)
		})
	}
}

func TestManyCredentialsAreBruteForceWhateverTheRouteIsNamed(t *testing.T) {
	s := newScene(t)
	for n := range 30 {
		s.ask(5*second, Observation{Source: "203.0.113.9", Method: "POST", Path: "/api/enter", Principal: uint64(100 + n), Status: 401})
	}
	require.Equal(t, Medium, s.only(BruteForce).Severity)
}

// Its first event tells of all attempts that it was opened for, not of the last one alone.
func TestGuessingFromManyAddressesOpensWithAllOfThem(t *testing.T) {
	s := newScene(t)
	s.learn()
	began := s.at + second
	for n := range 40 {
		s.ask(second, Observation{Source: fmt.Sprintf("203.0.113.%d", n), Method: "POST", Path: "/login", Status: 401, User: uint64(n + 1)})
	}
	i := s.only(BruteForce)
	require.InDelta(t, began, i.First, float64(second))
	require.Equal(t, []int{40, 40}, []int{i.Records, i.Denied})
	require.GreaterOrEqual(t, i.SourceSeen, 16, "those before it was opened are not counted")
	require.Regexp(t, `^203\.0\.113\.\d+ and \d+ other sources tried credentials on POST /login \(40 requests refused\)`, i.Summary)
}
