package incident

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// likely makes an attack one that the response shows to have succeeded.
func likely(a *Attack) *Attack {
	a.Likely = true
	return a
}

// The incident of an attacker has all his attacks, from the first payload on, and says later that they belong to it.
func TestAnIncidentHasTheAttacksFromBeforeItOpened(t *testing.T) {
	s := newScene(t)
	s.learn()
	var numbers []uint64
	decided := map[uint64]string{}
	for n := range 12 {
		o := Observation{Source: "203.0.113.9", Target: "shop/cart", Path: "/item", Method: "GET", Status: 200, Attack: hostile(941100+n*100, n), Time: s.at + int64(n+1)*5*second}
		r := s.c.Observe(&o)
		s.take(r.Events)
		numbers = append(numbers, r.Number)
		if r.Incident != "" {
			decided[r.Number] = r.Incident
		}
		for _, d := range s.c.Decided() {
			require.Empty(t, decided[d.Number], "a record belongs to one incident")
			decided[d.Number] = d.Incident
		}
	}
	begin := s.at + 5*second
	i := s.only(Campaign)
	require.Equal(t, []int{12, 12, 12}, []int{i.Records, i.Attacks, i.Attempted})
	require.Equal(t, begin, i.First)
	require.Contains(t, i.Categories, Count{"xss", 9})
	for _, n := range numbers {
		require.Equal(t, i.ID, decided[n])
	}
}

func TestAPivotHasTheAttackThatItBeganWith(t *testing.T) {
	s := newScene(t)
	s.learn()
	s.ask(minute, Observation{Source: "203.0.113.9", Path: "/api/orders/7", Attack: hostile(932160, 1)})
	s.ask(minute, Observation{Source: "203.0.113.77", Path: "/api/orders/7", Attack: hostile(941100, 2)}) // of somebody else
	s.ask(minute, Observation{Source: "10.1.0.1", Target: "shop/vault", Path: "/x", Attack: hostile(942100, 3)})
	i := s.only(Pivot)
	require.Equal(t, 2, i.Attacks)
	require.Equal(t, []Count{{"203.0.113.9", 1}, {"10.1.0.1", 1}}, i.Sources)
	require.Contains(t, i.Rules, Count{"932160", 1})
}

// A pause that would have ended an incident separates attacks from those of the next one.
func TestAttacksFromBeforeAPauseAreNotTaken(t *testing.T) {
	s := newScene(t)
	s.learn()
	s.ask(minute, Observation{Source: "203.0.113.9", Path: "/item", Attack: hostile(941100, 1)})
	s.ask(s.c.rules.Gap.Milliseconds()+minute, Observation{Source: "203.0.113.9", Path: "/item", Attack: hostile(941100, 2)})
	for n := range 12 {
		s.ask(5*second, Observation{Source: "203.0.113.9", Path: "/item", Attack: hostile(941100+n*100, 3+n)})
	}
	require.Equal(t, 13, s.only(Campaign).Attacks)
}

func TestTheAttackThatExplainsAPivotBestStays(t *testing.T) {
	for name, second := range map[string]*Attack{
		"a bot's later one":       hostile(930100, 2),
		"what runs in browsers":   hostile(941100, 2),
		"a breach of the policy":  hostile(920350, 2),
		"of the same kind, again": hostile(932160, 2),
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.learn()
			s.ask(minute, Observation{Source: "203.0.113.9", Path: "/api/orders/7", Attack: likely(hostile(932160, 1))})
			s.ask(minute, Observation{Source: "192.0.2.7", Path: "/api/orders/8", Attack: second})
			s.ask(minute, Observation{Source: "10.1.0.1", Target: "shop/vault", Path: "/x", Attack: hostile(942100, 3)})
			all := s.end()
			require.Contains(t, all[0].Summary, "203.0.113.9 → shop/cart → shop/vault")
		})
	}
}

// Bots try the start page of everything.
func TestAWeakerAttackLaterDoesNotHideAStrongerOne(t *testing.T) {
	s := newScene(t)
	s.learn()
	s.ask(minute, Observation{Source: "203.0.113.9", Path: "/api/orders/7", Attack: hostile(932160, 1)})
	s.ask(minute, Observation{Source: "192.0.2.7", Path: "/", Attack: hostile(932160, 2)})
	s.ask(minute, Observation{Source: "10.1.0.1", Target: "shop/vault", Path: "/x", Attack: hostile(942100, 3)})
	require.Contains(t, s.end()[0].Summary, "203.0.113.9 → shop/cart → shop/vault")
}

func TestASuccessIsThatOfTheAttackerWhoHadIt(t *testing.T) {
	s := newScene(t)
	s.learn()
	s.ask(minute, Observation{Source: "203.0.113.9", Path: "/api/orders/7", Attack: hostile(932160, 1)})
	s.ask(minute, Observation{Source: "192.0.2.7", Path: "/api/orders/8", Attack: likely(hostile(932160, 2))})
	s.ask(minute, Observation{Source: "10.1.0.1", Target: "shop/vault", Path: "/x", Attack: hostile(942100, 3)})
	all := s.end()
	require.Contains(t, all[len(all)-1].Summary, "192.0.2.7 → shop/cart → shop/vault")
}

// An attack that runs in browsers gives nobody a server.
func TestAScriptForBrowsersIsNoHop(t *testing.T) {
	s := newScene(t)
	s.learn()
	s.ask(minute, Observation{Source: "203.0.113.9", Path: "/api/orders/7", Attack: alarm(941100, 1)})
	s.ask(minute, Observation{Source: "10.1.0.1", Target: "shop/vault", Path: "/x", Attack: hostile(942100, 3)})
	require.Empty(t, s.end())
}

// While connections are learned an attack of one of ours waits for what may explain it. What its target does meanwhile follows from it.
func TestAnAttackThatWaitsIsDecidedBeforeWhatFollowsFromIt(t *testing.T) {
	s := newScene(t)
	for n := range 30 {
		s.ask(minute, Observation{Source: "10.9.0.7", Path: fmt.Sprint("/status/", n)})
	}
	s.ask(minute, Observation{Source: "10.9.0.7", Path: "/status/1", Attack: hostile(932160, 1)})
	s.ask(3*second, Observation{Source: "10.1.0.1", Target: "shop/vault", Path: "/x", Attack: hostile(942100, 3)})
	i := s.only(Pivot)
	require.Equal(t, Critical, i.Severity)
	require.Equal(t, 2, i.Attacks)
}

// The same payload in the same trace is what a gateway passes on, however slow; who writes a request of his own has another trace.
func TestASlowGatewayIsKnownByTheTrace(t *testing.T) {
	for name, c := range map[string]struct {
		later int64
		trace uint64
		pivot bool
	}{
		"three seconds": {3000, 7, false}, "eight seconds": {8000, 7, false}, "a minute": {minute, 7, true}, "another trace": {3000, 8, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.learn()
			s.ask(minute, Observation{Source: "203.0.113.9", Path: "/search", Trace: 7, Attack: alarm(932160, 11)})
			s.ask(c.later, Observation{Source: "10.1.0.1", Target: "shop/orders", TargetHost: "10.1.0.2", Path: "/search", Trace: c.trace, Attack: alarm(932160, 11)})
			require.Equal(t, c.pivot, len(s.end()) > 0)
		})
	}
}

// What is seen again on its way counts as a record, not as an attack.
func TestEchoesAreRecordsOfTheIncident(t *testing.T) {
	s := newScene(t)
	s.learn()
	for n := range 12 {
		a := hostile(941100+n*100, n)
		s.ask(5*second, Observation{Source: "203.0.113.9", Path: "/search", Attack: a})
		s.ask(100, Observation{Source: "10.1.0.1", Target: "shop/orders", TargetHost: "10.1.0.2", Path: "/search", Attack: a})
	}
	i := s.only(Campaign)
	require.Equal(t, 12, i.Attacks)
	require.Greater(t, i.Records, 12)
}

// A service whose only requests look like attacks is not reported for ever.
func TestAServiceWhoseRequestsAllLookLikeAttacksBecomesCustomary(t *testing.T) {
	s := newScene(t)
	s.learn()
	reported := map[int]int{}
	for day := range 4 {
		for n := range 24 {
			before := len(s.ids)
			s.ask(30*minute, Observation{Source: "203.0.113." + fmt.Sprint(n), Target: "shop/git", TargetHost: "10.1.0.90", Path: "/push", Attack: hostile(932160, 2*n)})
			s.ask(30*minute, Observation{Source: "10.1.0.90", Target: "shop/hook", Path: "/notify", Attack: hostile(932160, 2*n+1)})
			if len(s.ids) > before {
				reported[day]++
			}
		}
	}
	require.NotZero(t, reported[0])
	require.Zero(t, reported[3])
}

// All but the first request of a stranger, of which nothing is kept.
func TestRefusedRequestsFromBeforeTheIncidentCount(t *testing.T) {
	s := newScene(t)
	s.learn()
	s.ask(second, Observation{Source: "203.0.113.9", Method: "POST", Path: "/login", Status: 401, User: 99}) // long ago
	s.ask(0, Observation{Source: "203.0.113.9", Method: "POST", Path: "/login", Status: 401, User: 99})
	s.at += 2 * 60 * minute
	for n := range 39 {
		s.ask(second, Observation{Source: "203.0.113.9", Method: "POST", Path: "/login", Status: 401, User: uint64(100 + n)})
	}
	i := s.only(BruteForce)
	require.Equal(t, []int{39, 39}, []int{i.Denied, i.Records})
	require.EqualValues(t, 38*second, i.Last-i.First)
	require.Equal(t, []Count{{"203.0.113.9", 39}}, i.Sources)
}

// Guessing begins after the last pause on the route, whatever else the source is refused meanwhile.
func TestRefusedRequestsFromLongBeforeTheIncidentDoNotCount(t *testing.T) {
	s := newScene(t)
	s.learn()
	from := Observation{Source: "203.0.113.9", Method: "POST", Path: "/login", Status: 401, User: 1}
	s.ask(second, from)
	s.ask(second, from)
	for range 3 * 24 * 2 {
		s.ask(30*minute, Observation{Source: "203.0.113.9", Path: "/api/feed", Status: 401, Principal: 9})
	}
	for n := range 20 {
		from.User = uint64(100 + n)
		s.ask(second, from)
	}
	i := s.only(BruteForce)
	require.Equal(t, 20, i.Denied)
	require.EqualValues(t, 19*second, i.Last-i.First)
}

// Of twenty who come with one tool, the one who succeeds is named.
func TestWhoSucceedsIsNamed(t *testing.T) {
	s := newScene(t)
	s.learn()
	for n := range 20 {
		for k := range 5 {
			o := Observation{Source: fmt.Sprintf("203.0.113.%d", n), Path: "/search", Agent: "tool", Attack: hostile(942100+k*10, n*100+k)}
			o.Attack.Likely = n == 18 && k == 4
			s.ask(second, o)
		}
	}
	i := s.only(Campaign)
	require.Equal(t, "an attack by 203.0.113.18 on shop/cart likely succeeded: the response indicates success", i.Reason)
	require.True(t, isNamed(i.Sources, "203.0.113.18"))
	require.Equal(t, "203.0.113.18", i.Samples[len(i.Samples)-1].Source)
}

// Attacks that wait to be taken are kept across a restart.
func TestEarlierAttacksAreKeptInTheState(t *testing.T) {
	s := newScene(t)
	s.learn()
	for n := range 12 {
		if n == 2 {
			state, err := s.c.MarshalBinary()
			require.NoError(t, err)
			s.c = New(Options{})
			require.NoError(t, s.c.UnmarshalBinary(state))
		}
		s.ask(5*second, Observation{Source: "203.0.113.9", Path: "/item", Attack: hostile(941100+n*100, n)})
	}
	require.Equal(t, 12, s.only(Campaign).Attacks)
}
