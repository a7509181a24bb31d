package incident

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// scene plays observations and keeps what comes of them.
type scene struct {
	t    *testing.T
	c    *Correlator
	at   int64
	last map[string]*Incident
	ids  []string
}

func newScene(t *testing.T) *scene {
	return &scene{t: t, c: New(Options{}), at: epoch, last: map[string]*Incident{}}
}

// ask plays one request some time after the one before, and returns the id of the incident that it belongs to.
func (s *scene) ask(later int64, o Observation) string {
	s.at += later
	o.Time = s.at
	if o.Target == "" {
		o.Target, o.TargetHost = "shop/cart", "10.1.0.1"
	}
	if o.Method == "" {
		o.Method = "GET"
	}
	if o.Status == 0 {
		o.Status = 200
	}
	o.Internal = strings.HasPrefix(o.Source, "10.")
	r := s.c.Observe(&o)
	s.take(r.Events)
	return r.Incident
}

func (s *scene) take(events []*Incident) {
	for _, e := range events {
		if s.last[e.ID] == nil {
			s.ids = append(s.ids, e.ID)
		}
		s.last[e.ID] = e
	}
}

// learn plays a day of ordinary requests: users with their own orders, a catalog, and services that call each other.
func (s *scene) learn() {
	for n := range 24 * 60 {
		user := n % 40
		s.ask(minute/2, Observation{Source: fmt.Sprintf("198.51.100.%d", user), Principal: uint64(1 + user), Path: fmt.Sprintf("/api/orders/%d", user*10+n%3), Bytes: 3000})
		s.ask(minute/2, Observation{Source: fmt.Sprintf("198.51.100.%d", user), Principal: uint64(1 + user), Path: fmt.Sprintf("/catalog/%d", n%50), Bytes: 3000})
		if n%20 == 0 {
			s.ask(0, Observation{Source: "10.1.0.1", Target: "shop/orders", TargetHost: "10.1.0.2", Path: "/internal/status"})
			s.ask(0, Observation{Source: "10.3.0.1", Path: "/api/orders/1"})
			s.ask(0, Observation{Source: "198.51.100.1", Principal: 2, Method: "POST", Path: "/login"})
		}
	}
}

// end returns all incidents but the background, in the order in which they were opened.
func (s *scene) end() (all []*Incident) {
	s.take(s.c.Flush())
	for _, id := range s.ids {
		if i := s.last[id]; i.Severity > Info {
			all = append(all, i)
		}
	}
	return all
}

// only demands one incident.
func (s *scene) only(kinds ...Kind) *Incident {
	s.t.Helper()
	all := s.end()
	require.Len(s.t, all, 1)
	require.Equal(s.t, kinds, all[0].Kinds)
	return all[0]
}

func hostile(rule, n int) *Attack { return alarm(rule, uint64(n)*7919+3) }

func TestASourceThatTriggersSeveralRulesIsACampaign(t *testing.T) {
	s := newScene(t)
	for n := range 12 {
		s.ask(5*second, Observation{Source: "203.0.113.9", Path: fmt.Sprintf("/item?q=%d", n), Attack: hostile(941100+n*100, n)})
	}
	i := s.only(Campaign)
	require.Equal(t, Medium, i.Severity)
	require.Equal(t, "203.0.113.9 attacked shop/cart with cross-site scripting and SQL injection (12 requests) within 55 seconds; no response shows that it succeeded.", i.Summary)
}

func TestAnAttackThatLikelySucceededIsCritical(t *testing.T) {
	s := newScene(t)
	for n := range 5 {
		a := hostile(941100+n*100, n)
		a.Likely = n == 4
		s.ask(5*second, Observation{Source: "203.0.113.9", Path: fmt.Sprintf("/item?q=%d", n), Attack: a})
	}
	i := s.only(Campaign)
	require.Equal(t, Critical, i.Severity)
	require.Equal(t, 1, i.Succeeded)
}

func TestAnHourOfSilenceEndsACampaign(t *testing.T) {
	s := newScene(t)
	for _, pause := range []int64{0, 50 * minute, 61 * minute} {
		s.at += pause
		for n := range 5 {
			s.ask(5*second, Observation{Source: "203.0.113.9", Path: fmt.Sprintf("/item?q=%d", n), Attack: hostile(941100+n*100, n)})
		}
	}
	require.Len(t, s.end(), 2)
}

func TestTextsThatKnownClientsWriteDayByDayAreNoCampaign(t *testing.T) {
	s := newScene(t)
	s.learn()
	for n := range 6 * 24 { // editors save drafts that hold markup
		source := fmt.Sprintf("198.51.100.%d", n%4)
		for k := range 5 {
			s.ask(minute/3, Observation{Source: source, Principal: uint64(1 + n%4), Method: "POST", Path: "/posts/7", Attack: alarm(941100, uint64(n*10+k), 941160, 941340)})
		}
		s.ask(9*minute, Observation{Source: source, Principal: uint64(1 + n%4), Path: "/api/orders/3"})
	}
	require.Empty(t, s.end())
}

func TestOneToolFromManyAddressesIsOneCampaign(t *testing.T) {
	s := newScene(t)
	for n := range 40 {
		s.ask(20*second, Observation{Source: fmt.Sprintf("203.0.113.%d", n), Path: "/search", Agent: "tool", Attack: hostile(942100+n%3*10, n)})
	}
	i := s.only(Campaign)
	require.Greater(t, i.SourceSeen, 30)
	require.Equal(t, 40, i.Attacks)
}

func TestBotsThatMeetNothingAreBackground(t *testing.T) {
	s := newScene(t)
	s.learn()
	for n := range 200 {
		o := Observation{Source: fmt.Sprintf("203.0.113.%d", n/8), Path: botPaths[n%len(botPaths)], Status: 404}
		if n%5 == 0 {
			o.Attack = hostile(930100, n)
		}
		s.ask(20*second, o)
	}
	require.Empty(t, s.end())
	require.NotEmpty(t, s.ids)
	i := s.last[s.ids[0]]
	require.Equal(t, []Kind{Background}, i.Kinds)
	require.Greater(t, i.SourceSeen, 15)
	require.Contains(t, i.Summary, "looked for well-known weaknesses")
}

func TestASourceThatAsksForWhatDoesNotExistIsProbing(t *testing.T) {
	for name, every := range map[string]int64{"fast": second, "every 20 s": 20 * second, "every 2 min": 2 * minute} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.learn()
			for n := range 100 {
				s.ask(every, Observation{Source: "203.0.113.9", Path: fmt.Sprintf("/%s", strings.Repeat(string(rune('a'+n%26)), 1+n/26)), Status: 404})
			}
			require.Equal(t, Low, s.only(Probing).Severity)
		})
	}
}

func TestBrokenLinksAndMissingDeploymentsAreNoProbing(t *testing.T) {
	s := newScene(t)
	s.learn()
	for user := range 30 {
		source := fmt.Sprintf("198.51.100.%d", user)
		for n := range 15 { // a page whose pictures are not there
			s.ask(100, Observation{Source: source, Principal: uint64(1 + user), Path: fmt.Sprintf("/assets/%c.png", 'a'+n), Status: 404})
		}
		for n := range 15 { // a route that was there an hour ago
			s.ask(100, Observation{Source: source, Principal: uint64(1 + user), Path: fmt.Sprintf("/api/orders/%d", n), Status: 404})
		}
		s.at += minute
	}
	require.Empty(t, s.end())
}

func TestManyCredentialsOnOneRouteAreBruteForce(t *testing.T) {
	for name, every := range map[string]int64{"fast": 2 * second, "every minute": minute} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			for range 60 {
				s.ask(every, Observation{Source: "203.0.113.9", Method: "POST", Path: "/login", Status: 401})
			}
			require.Equal(t, Medium, s.only(BruteForce).Severity)
		})
	}
}

func TestASuccessAfterBruteForceIsCritical(t *testing.T) {
	s := newScene(t)
	for range 30 {
		s.ask(2*second, Observation{Source: "203.0.113.9", Method: "POST", Path: "/login", Status: 401})
	}
	id := s.ask(second, Observation{Source: "203.0.113.9", Method: "POST", Path: "/login", Status: 302})
	i := s.only(BruteForce)
	require.Equal(t, i.ID, id)
	require.Equal(t, Critical, i.Severity)
	require.Contains(t, i.Summary, "and got in")
}

func TestAnExpiredTokenIsNoBruteForce(t *testing.T) {
	s := newScene(t)
	s.learn()
	for range 500 {
		s.ask(5*second, Observation{Source: "198.51.100.3", Principal: 4, Path: "/api/orders/30", Status: 401})
		s.ask(0, Observation{Source: "198.51.100.4", Path: "/api/orders/40", Status: 401})
	}
	require.Empty(t, s.end())
}

func TestOneAttemptFromEachOfManyAddressesIsBruteForce(t *testing.T) {
	s := newScene(t)
	s.learn()
	for n := range 120 {
		s.ask(5*second, Observation{Source: fmt.Sprintf("203.0.%d.%d", n/50, n), Method: "POST", Path: "/login", Status: 401})
	}
	require.Greater(t, s.only(BruteForce).SourceSeen, 30)
}

func TestOneOfOursThatAttacksSeveralTargetsSpreads(t *testing.T) {
	s := newScene(t)
	s.learn()
	for n := range 4 {
		s.ask(minute, Observation{Source: "10.9.0.9", Target: fmt.Sprintf("shop/s%d", n), TargetHost: fmt.Sprintf("10.1.0.%d", 20+n), Path: "/x", Attack: hostile(932160, n)})
	}
	i := s.end()
	require.NotEmpty(t, i)
	require.Contains(t, i[0].Kinds, Spread)
	require.Equal(t, High, i[0].Severity)
	require.Contains(t, i[0].Summary, "10.9.0.9 attacked shop/s2 and 3 other targets")
	for n := range 4 {
		require.Contains(t, fmt.Sprint(i[0].Targets), fmt.Sprintf("shop/s%d", n), "also before it was clear")
	}
}

func TestAnAttackFromWhatWasAttackedIsAPivotAtItsFirstRecord(t *testing.T) {
	s := newScene(t)
	s.learn()
	from, host := "203.0.113.9", ""
	var ids []string
	for n := range 4 {
		target, next := fmt.Sprintf("shop/s%d", n), fmt.Sprintf("10.1.0.%d", 20+n)
		ids = append(ids, s.ask(5*minute, Observation{Source: from, Target: target, TargetHost: next, Path: "/x", Attack: hostile(932160, n)}))
		from, host = next, target
	}
	require.NotEmpty(t, host)
	i := s.only(Pivot)
	require.Equal(t, []string{"", i.ID, i.ID, i.ID}, ids)
	require.Equal(t, Critical, i.Severity)
	require.Len(t, i.Hops, 4)
	require.Equal(t, "203.0.113.9", i.Sources[0].Name)
	require.Contains(t, i.Summary, "203.0.113.9 → shop/s0 → shop/s1 → shop/s2 → shop/s3")
}

func TestChainsEndAfterEightHops(t *testing.T) {
	s := newScene(t)
	s.learn()
	from := "203.0.113.9"
	for n := range 12 {
		next := fmt.Sprintf("10.1.0.%d", 20+n)
		s.ask(minute, Observation{Source: from, Target: fmt.Sprintf("shop/s%d", n), TargetHost: next, Path: "/x", Attack: hostile(932160, n)})
		from = next
	}
	i := s.only(Pivot)
	require.Len(t, i.Hops, 8)
	require.Regexp(t, `→ shop/s7 with command injection \(12 requests\) and also reached about [345] other targets within`, i.Summary)
}

func TestBranchesOfAChainAreTold(t *testing.T) {
	s := newScene(t)
	s.learn()
	s.ask(minute, Observation{Source: "203.0.113.9", Path: "/x", Attack: hostile(932160, 1)})
	s.ask(minute, Observation{Source: "10.1.0.1", Target: "shop/a", TargetHost: "10.1.0.21", Path: "/x", Attack: hostile(932160, 2)})
	s.ask(minute, Observation{Source: "10.1.0.1", Target: "shop/b", TargetHost: "10.1.0.22", Path: "/x", Attack: hostile(932160, 3)})
	s.ask(minute, Observation{Source: "10.1.0.22", Target: "shop/c", TargetHost: "10.1.0.23", Path: "/x", Attack: hostile(932160, 4)})
	require.Contains(t, s.only(Pivot).Summary, "moved along 203.0.113.9 → shop/cart → shop/b → shop/c with command injection (4 requests) and also reached shop/a within 3 minutes")
}

func TestANewConnectionOfWhatWasAttackedIsAPivot(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		to     string
		found  bool
	}{
		"a new one":              {200, "shop/vault", true},
		"one in use":             {200, "shop/orders", false},
		"the attack was refused": {403, "shop/vault", false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.learn()
			s.ask(minute, Observation{Source: "203.0.113.9", Path: "/api/orders/7", Status: c.status, Attack: hostile(932160, 1)})
			s.ask(minute, Observation{Source: "10.1.0.1", Target: c.to, TargetHost: "10.1.0.9", Path: "/secrets"})
			if !c.found {
				require.Empty(t, s.end())
				return
			}
			var ids []string
			for range 5 {
				ids = append(ids, s.ask(second, Observation{Source: "10.1.0.1", Target: c.to, TargetHost: "10.1.0.9", Path: "/secrets"}))
			}
			for range 30 {
				s.ask(second, Observation{Source: "10.1.0.1", Target: c.to, TargetHost: "10.1.0.9", Path: "/secrets"})
			}
			usual := s.ask(second, Observation{Source: "10.1.0.1", Target: "shop/orders", TargetHost: "10.1.0.2", Path: "/internal/status"})
			i := s.only(Pivot)
			require.Equal(t, High, i.Severity)
			require.Equal(t, []string{i.ID, i.ID, i.ID, i.ID, i.ID}, ids)
			require.Empty(t, usual)
			require.Equal(t, 12, i.Records) // with the attack and the first connection before
			require.EqualValues(t, minute+10*second, i.Last-i.First)
		})
	}
}

// All first connections are reported; what is refused, as every day, is none.
func TestFirstConnectionsOfATargetAreRecords(t *testing.T) {
	s := newScene(t)
	s.learn()
	s.ask(minute, Observation{Source: "203.0.113.9", Path: "/api/orders/7", Attack: hostile(932160, 1)})
	var ids []string
	for _, to := range []string{"vault", "db", "db", "vault"} {
		ids = append(ids, s.ask(second, Observation{Source: "10.1.0.1", Target: "shop/" + to, TargetHost: "10.1.0.9", Path: "/all"}))
	}
	expired := s.ask(second, Observation{Source: "10.1.0.1", Target: "shop/orders", TargetHost: "10.1.0.2", Path: "/internal/status", Status: 401})
	i := s.only(Pivot)
	require.Equal(t, []string{i.ID, i.ID, i.ID, i.ID, i.ID}, append(ids, expired))
	require.Equal(t, 6, i.Records)
	require.Contains(t, i.Summary, "→ shop/vault with command injection (1 request) and also reached shop/db within")
}

func TestARefusedAttackAndOneLongAgoAreNoPivot(t *testing.T) {
	s := newScene(t)
	s.learn()
	s.ask(minute, Observation{Source: "203.0.113.9", Path: "/api/orders/7", Status: 403, Attack: hostile(932160, 1)})
	s.ask(minute, Observation{Source: "10.1.0.1", Target: "shop/orders", Path: "/x", Attack: hostile(932160, 2)})
	s.ask(40*minute, Observation{Source: "203.0.113.9", Path: "/api/orders/7", Attack: hostile(932160, 3)})
	s.ask(31*minute, Observation{Source: "10.1.0.1", Target: "shop/orders", Path: "/x", Attack: hostile(932160, 4)})
	require.Empty(t, s.end())
}

// A gateway passes attacks on; the record of the service behind it may come first.
func TestWhatAGatewayPassesOnIsNoPivot(t *testing.T) {
	for name, c := range map[string]struct {
		serviceFirst bool
		pivots       int // that are found before it is known that the gateway passes attacks on
	}{"in order": {false, 0}, "the service first": {true, 1}} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.learn()
			for n := range 60 {
				front := Observation{Source: fmt.Sprintf("203.0.113.%d", n), Path: "/search", Attack: alarm(942100, uint64(1000+n))}
				back := Observation{Source: "10.1.0.1", Target: "shop/orders", TargetHost: "10.1.0.2", Path: "/search", Attack: alarm(942100, uint64(1000+n))}
				first, then := front, back
				if c.serviceFirst {
					first, then = back, front
				}
				s.ask(10*minute, first)
				s.ask(20, then)
			}
			pivots := 0
			for _, i := range s.end() {
				if i.Has(Pivot) {
					pivots++
				}
			}
			require.LessOrEqual(t, pivots, c.pivots)
			require.GreaterOrEqual(t, s.c.Counts().Echoes, uint64(55))
		})
	}
}

// What a proxy passes on without naming the client may have given the attacker the service behind it.
func TestAChainGoesOnBehindAProxy(t *testing.T) {
	for name, serviceFirst := range map[string]bool{"in order": false, "the service first": true} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.learn()
			first := Observation{Source: "203.0.113.9", Path: "/search", Attack: alarm(932160, 7)}
			then := Observation{Source: "10.1.0.1", Target: "shop/orders", TargetHost: "10.1.0.2", Path: "/search", Attack: alarm(932160, 7)}
			if serviceFirst {
				first, then = then, first
			}
			s.ask(minute, first)
			s.ask(20, then)
			s.ask(5*minute, Observation{Source: "10.1.0.2", Target: "shop/vault", TargetHost: "10.1.0.9", Path: "/y", Attack: alarm(942100, 8)})
			i := s.only(Pivot)
			require.Equal(t, Critical, i.Severity)
			require.Contains(t, i.Summary, "203.0.113.9 → shop/cart → shop/orders → shop/vault")
		})
	}
}

// An application that writes what it was asked into a request of its own, over a connection that it uses anyway, moves nobody on.
func TestARewordedRequestIsNoPivot(t *testing.T) {
	for name, c := range map[string]struct {
		to    string
		later int64
		rule  int
		found bool
	}{
		"reworded":         {"shop/orders", 400, 942190, false},
		"later":            {"shop/orders", minute, 942190, true},
		"another kind":     {"shop/orders", 400, 932160, true},
		"a new connection": {"shop/vault", 400, 942190, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.learn()
			s.ask(minute, Observation{Source: "203.0.113.9", Path: "/search", Attack: hostile(942100, 1)})
			s.ask(c.later, Observation{Source: "10.1.0.1", Target: c.to, TargetHost: "10.1.0.9", Path: "/find", Attack: hostile(c.rule, 2)})
			if !c.found {
				require.Empty(t, s.end())
				return
			}
			require.Equal(t, Critical, s.only(Pivot).Severity)
		})
	}
}

func TestManyIDsForOnePrincipalAreEnumeration(t *testing.T) {
	for name, c := range map[string]struct {
		every     int64
		principal uint64
	}{"fast": {second, 99}, "3 a minute": {20 * second, 99}, "without credentials": {2 * second, 0}} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.learn()
			began := s.at + c.every
			for n := range 250 {
				s.ask(c.every, Observation{Source: "203.0.113.9", Principal: c.principal, Path: fmt.Sprintf("/api/orders/%d", 5000+n)})
			}
			i := s.only(Enumeration)
			require.Equal(t, High, i.Severity)
			require.InDelta(t, 250, i.IDs, 25)
			require.InDelta(t, began, i.First, float64(2*c.every)) // the first request of a stranger is forgotten
			require.InDelta(t, 250, i.Records, 10)
		})
	}
}

// Clients read what is theirs, in another session each time. Nobody else does, until one reads all.
func TestSessionsThatChangeDoNotMakeIDsPublic(t *testing.T) {
	for name, shared := range map[string]bool{"of one client each": false, "of many clients on an address": true} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			for visit := range 8 {
				for n := range 240 {
					client, id := n/4%30, 1000+n%120
					if shared { // who takes turns, with ids that are everyone's
						client, id = n%30, 1000+(n*7+visit)%120
					}
					o := Observation{Source: fmt.Sprintf("198.51.100.%d", client), Principal: uint64(client*100+visit) + 1, Path: fmt.Sprintf("/api/invoices/%d", id)}
					if shared {
						o.Source = fmt.Sprintf("198.51.100.%d", client/10)
					}
					s.ask(4*second, o)
				}
				s.at += 180 * minute
			}
			for n := range 110 {
				s.ask(7*second, Observation{Source: "203.0.113.40", Principal: 99_999, Path: fmt.Sprintf("/api/invoices/%d", 1000+n)})
			}
			if shared {
				require.Empty(t, s.end())
				return
			}
			require.GreaterOrEqual(t, s.only(Enumeration).Severity, Medium)
		})
	}
}

func TestAnEnumerationAfterAnAttackCountsAllIDs(t *testing.T) {
	s := newScene(t)
	s.learn()
	for n := range 8 {
		s.ask(second, Observation{Source: "203.0.113.9", Method: "POST", Path: "/login", Status: 401, User: uint64(n + 1)})
	}
	for n := range 63 {
		s.ask(second, Observation{Source: "203.0.113.9", Path: fmt.Sprintf("/api/orders/%d", 5000+n)})
	}
	require.InDelta(t, 63, s.only(BruteForce, Enumeration).IDs, 6)
}

func TestTheEstimateOfIDsIsNoMoreThanTheRequests(t *testing.T) {
	for _, n := range []int{40, 90, 290, 400} {
		s := newScene(t)
		s.learn()
		for i := range n {
			s.ask(second, Observation{Source: "203.0.113.9", Principal: 99, Path: fmt.Sprintf("/api/orders/%d", 5000+i)})
		}
		require.LessOrEqual(t, s.only(Enumeration).IDs, n)
	}
}

// A link that has been broken for days is no part of a search for hidden paths.
func TestProbingBeginsWithWhatItWasOpenedFor(t *testing.T) {
	s := newScene(t)
	s.learn()
	for range 1200 {
		s.ask(100*second, Observation{Source: "203.0.113.9", Path: "/gone", Status: 404})
	}
	began := s.at + second
	for n := range 40 {
		s.ask(second, Observation{Source: "203.0.113.9", Path: fmt.Sprintf("/hidden/%c%c", 'a'+n%26, 'a'+n/26), Status: 404})
	}
	i := s.only(Probing)
	require.InDelta(t, began, i.First, float64(3*second))
	require.InDelta(t, 40, i.Missed, 2)
	require.Equal(t, i.Records, i.Missed)
}

func TestASlowEnumerationBeginsAfterThePauseBeforeIt(t *testing.T) {
	s := newScene(t)
	s.learn()
	for range 3 {
		s.ask(second, Observation{Source: "203.0.113.9", Principal: 99, Path: "/api/orders/5"})
	}
	s.at += 11 * 60 * minute
	began := s.at + 25*second
	for n := range 250 {
		s.ask(25*second, Observation{Source: "203.0.113.9", Principal: 99, Path: fmt.Sprintf("/api/orders/%d", 5000+n)})
	}
	require.InDelta(t, began, s.only(Enumeration).First, float64(second))
}

func TestACatalogThatIsReadWholeIsNoEnumeration(t *testing.T) {
	s := newScene(t)
	s.learn()
	for n := range 250 {
		s.ask(second, Observation{Source: "203.0.113.9", Path: fmt.Sprintf("/catalog/%d", n)})
	}
	require.Empty(t, s.end())
}

func TestAJobOfOursIsReportedOnceAndOfLowSeverity(t *testing.T) {
	s := newScene(t)
	s.learn()
	for range 3 {
		for n := range 300 {
			s.ask(second/2, Observation{Source: "10.3.0.1", Path: fmt.Sprintf("/api/orders/%d", n)})
		}
		s.at += oneDay
		s.ask(0, Observation{Source: "198.51.100.1", Principal: 2, Path: "/api/orders/10"})
	}
	require.Equal(t, Low, s.only(Enumeration).Severity)
}

func TestNothingThatNeedsABaselineIsReportedInTheFirstDay(t *testing.T) {
	s := newScene(t)
	for n := range 250 {
		s.ask(second, Observation{Source: "203.0.113.9", Principal: 99, Path: fmt.Sprintf("/api/orders/%d", 5000+n), Bytes: 2e6, Items: 5})
	}
	require.Empty(t, s.end())
}

func TestMuchMoreThanOthersGetIsADisclosure(t *testing.T) {
	for name, o := range map[string]Observation{"bytes": {Bytes: 9e6}, "items": {Items: 40}} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.learn()
			for range 50 {
				o.Source, o.Principal, o.Path = "198.51.100.3", 4, "/api/orders/30"
				s.ask(20*second, o)
			}
			i := s.only(Disclosure)
			require.NotZero(t, i.Bytes+i.Items)
			require.Contains(t, i.Summary, "received an unusual amount of data")
		})
	}
}

func TestExclusionsApplyToWhatAllTheirConditionsName(t *testing.T) {
	all, err := ParseExclusions("source=203.0.113.0/24 kind=campaign; target=ops/* route=GET /x\nkind=background")
	require.NoError(t, err)
	for n, c := range []struct {
		kind                  Kind
		source, target, route string
		want                  bool
	}{
		{Campaign, "203.0.113.9", "shop/cart", "GET /", true}, {Probing, "203.0.113.9", "shop/cart", "GET /", false},
		{Campaign, "198.51.100.1", "ops/db", "GET /x", true}, {Campaign, "198.51.100.1", "ops/db", "GET /y", false}, {Background, "", "", "", true},
	} {
		got := false
		for i := range all {
			got = got || all[i].applies(c.kind, c.source, c.target, c.route)
		}
		require.Equal(t, c.want, got, n)
	}
	written, err := ParseExclusions("source=2001:DB8::7")
	require.NoError(t, err)
	require.True(t, written[0].applies(Campaign, "2001:db8::7", "", ""), "however an address is written")
	bracketed, err := ParseExclusions("target=[2001:db8::7]:80")
	require.NoError(t, err)
	require.True(t, bracketed[0].applies(Campaign, "", "[2001:db8::7]:80", ""))
	for _, good := range []string{
		"source=ops/job", "source=10.2.0.7", "source=2001:db8::/32", "target=10.2.0.7:80", "target=[2001:db8::7]:80", "target=10.2.0.*", "target=ops/10",
		"route=* /login", "route=*/login", "route=POST /*", "route=[GP]* /a b", "route=*",
	} {
		_, err := ParseExclusions(good)
		require.NoError(t, err, good)
	}
	const neither = " is neither an address nor a network (want one such as"
	for text, want := range map[string]string{
		"source=192.0.2.300":              `source: "192.0.2.300"` + neither,
		"source=192.0.2.0/33":             `source: "192.0.2.0/33"` + neither,
		"source=192.0.2.*":                `source: "192.0.2.*" matches nothing`,
		"kind=probing target=10.2.0.0/24": `exclusion "kind=probing target=10.2.0.0/24": target: "10.2.0.0/24" matches nothing, networks work for source only`,
		"target=10.2.0.300:80":            `target: "10.2.0.300"` + neither,
		"route=/login":                    `route: "/login" matches nothing, a route is a method and a path (want one such as "POST /login")`,
		"route=POST":                      `route: "POST" matches nothing, a route is a method and a path (want one such as "POST /login")`,
		"route=POST/login":                `(want one such as "POST /login")`,
	} {
		_, err := ParseExclusions(text)
		require.ErrorContains(t, err, want)
	}
	for _, bad := range []string{"from=x", "kind=odd", "source=", "target=[", "word"} {
		_, err := ParseExclusions(bad)
		require.Error(t, err, bad)
	}
}

func TestThresholdsOfUsersReplaceTheirOwnOnly(t *testing.T) {
	got, problems := ReadThresholds("r.yaml", []byte("probing: {bucket: 99}\npivot: {window: 2h}\nspread:\nsalt: 17\nbackground: {paths: [/a]}\n"))
	require.Empty(t, problems)
	want := DefaultThresholds()
	want.Probing.Bucket, want.Pivot.Window, want.Salt, want.Background.Paths = 99, 2*60*60*1e9, "17", []string{"/a"}
	require.Equal(t, want, got)
	for _, empty := range []string{"", "# nothing\n", "---\n"} {
		got, problems = ReadThresholds("r.yaml", []byte(empty))
		require.Empty(t, problems)
		require.Equal(t, DefaultThresholds(), got)
	}
}

func TestDefaultThresholdsAreComplete(t *testing.T) {
	var check func(v reflect.Value, path string)
	check = func(v reflect.Value, path string) {
		fields, _ := fieldsOf(v)
		for name, field := range fields {
			if field.Kind() == reflect.Struct {
				check(field, name+".")
				continue
			}
			require.Equal(t, name == "salt", field.IsZero(), path+name)
		}
	}
	check(reflect.ValueOf(DefaultThresholds()).Elem(), "")
}

func TestEachProblemOfThresholdsIsReportedOnceWithItsLine(t *testing.T) {
	for text, want := range map[string][]string{
		"campaign:\n  windw: 60s\n":                  {"r.yaml:2: unknown threshold campaign.windw (did you mean window?)"},
		"campagn: {window: 60s}\n":                   {"r.yaml:1: unknown threshold campagn (did you mean campaign?)"},
		"campaign: {xyzzy_and_more: 1}":              {"r.yaml:1: unknown threshold campaign.xyzzy_and_more"},
		"campaign:\n  window: 60\n  records: many\n": {"r.yaml:2: campaign.window: malformed time \"60\" (want one with a unit, such as 60s, 10m or 24h)", "r.yaml:3: campaign.records: malformed number \"many\" (want a whole number)"},
		"probing: {bucket: 0}":                       {"r.yaml:1: probing.bucket: 0 is out of range (expected more than 0)"},
		"probing: {bucket: 1.5}":                     {"r.yaml:1: probing.bucket: malformed number \"1.5\" (want a whole number)"},
		"gap: 1ms":                                   {"r.yaml:1: gap: 1ms is out of range (1s to 720h)"},
		"gap: soon":                                  {"r.yaml:1: gap: malformed time \"soon\" (want one with a unit, such as 60s, 10m or 24h)"},
		"gap:\nupdate: 2m":                           nil, // as in a template
		"campaign: {records: 1_000, tools: 0x10}":    {"r.yaml:1: unknown threshold campaign.tools"},
		"gap: 2h\ngap: 3h":                           {"r.yaml:2: gap: set twice, also in line 1"},
		"campaign: {protocol_weight: -1}":            {"r.yaml:1: campaign.protocol_weight: -1 is out of range (expected more than 0)"},
		"campaign: {protocol_weight: .nan}":          {"r.yaml:1: campaign.protocol_weight: .nan is out of range (expected more than 0)"},
		"campaign: 60s":                              {"r.yaml:1: campaign: want names of thresholds with values, such as window: 60s"},
		"- gap":                                      {"r.yaml:1: incident rules: want names of thresholds with values, such as window: 60s"},
		"background: {paths: {a: b}}":                {"r.yaml:1: background.paths: malformed (want a list of texts, such as [/a, /b])"},
		"salt: [a]":                                  {"r.yaml:1: salt: malformed (want a text)"},
		"digest_every: 30s\ndigest_wait: 20s":        {"r.yaml:2: digest_wait 20s is too short for digest_every 30s (want 42s or more)"},
		"digest_wait: 1m\n\ndigest_every: 1m":        {"r.yaml:3: digest_wait 1m is too short for digest_every 1m (want 1m12s or more)"},
		"digest_wait: 20s":                           nil, "digest_every: 3m": nil, // others may have what is missing
		"{": {"r.yaml: yaml: line 1: did not find expected node content"},
	} {
		_, problems := ReadThresholds("r.yaml", []byte(text))
		var got []string
		for _, problem := range problems {
			got = append(got, problem.Error())
		}
		require.Equal(t, want, got, text)
	}
}

func TestIDsOfRoutesAreReplaced(t *testing.T) {
	for target, want := range map[string]string{
		"/": "GET /", "": "GET /", "*": "GET /", "/users/17/orders/9?x=1": "GET /users/{id}/orders/{id}", "/a/0194e5a0-7c1e-7b1a-9d2c-1234567890ab": "GET /a/{id}",
		"/blob/9f86d081884c7d65": "GET /blob/{id}", "/reports/2024-05-30/all": "GET /reports/{date}/all", "/u/jane@example.com": "GET /u/{id}",
		"/u/jane%40example.com": "GET /u/{id}", "/files/1234.pdf": "GET /files/{id}.pdf", "/v1/backup2/admin": "GET /v1/backup2/admin",
		"/o/ord_17": "GET /o/ord_{id}", "http://host.example:80/a/7": "GET /a/{id}", "/item?id=7&q=x": "GET /item?id={id}", "/item?page=7": "GET /item",
		"/k/AKIA7Q2ZK4M1P9X8W3B5": "GET /k/{id}", "/how-to-install-windows-11-on-old-computers": "GET /how-to-install-windows-11-on-old-computers",
		"//a//": "GET //a//", "/s/defaced": "GET /s/defaced",
	} {
		var r Route
		r.Parse("GET", target)
		require.Equal(t, want, r.String(), target)
	}
	var a, b Route
	a.Parse("GET", "/users/17/orders")
	b.Parse("GET", "/users/18/orders")
	require.Equal(t, a.hash, b.hash)
	require.NotEqual(t, a.ids, b.ids)
}

func TestTheClockFollowsRecordsAndNoneAlone(t *testing.T) {
	var c clock
	require.Equal(t, int64(epoch), c.at(epoch, "a"))
	require.Equal(t, int64(epoch-30_000), c.at(epoch-30_000, "a"), "a little late")
	require.Equal(t, int64(epoch-60_000), c.at(epoch-90_000, "a"), "later counts as late as is possible")
	years := int64(epoch + 3*365*oneDay)
	for range 20 {
		c.at(years, "b")
		c.at(epoch+1000, "a")
	}
	for range 5 {
		for range 10 {
			c.at(years, "b")
		}
		c.at(epoch+1000, "a")
	}
	require.Equal(t, int64(epoch+1000), c.Now, "a host whose clock is years ahead")
	for n := range int64(5) {
		c.at(years+n, []string{"a", "b"}[n%2])
	}
	require.Equal(t, years+4, c.Now, "all records are")
	for n := range int64(100) {
		c.at(epoch+n, "a")
	}
	require.Equal(t, int64(epoch+99), c.Now, "and back again")
	for n := range int64(100) {
		c.at(years+n, "a")
	}
	require.Equal(t, years+99, c.Now, "all records of the only target")

	later := years + oneDay
	for range 3 {
		c.at(later, "b")
	}
	state, err := json.Marshal(c)
	require.NoError(t, err)
	var restarted clock
	require.NoError(t, json.Unmarshal(state, &restarted))
	restarted.at(later, "b")
	require.Equal(t, years+99, restarted.Now, "a restart is no other target")
}

func TestDistinctHashesAreCounted(t *testing.T) {
	p := sketches{All: make([]sketch, 4)}
	var s set
	for n := range 5000 {
		got := p.add(&s, 1, hash(fmt.Sprint(n)), 1)
		p.add(&s, 1, hash(fmt.Sprint(n/2)), 1)
		want := float64(n + 1)
		require.InDelta(t, want, got, max(0.5, 0.25*want), n)
		if n < exact {
			require.Equal(t, want, got)
		}
	}
	for owner := range uint64(5) { // more sets than sketches
		var other set
		for n := range 20 {
			p.add(&other, owner+2, hash(fmt.Sprint(n)), uint32(owner)+2)
		}
	}
	require.NotZero(t, p.Stolen)
	require.Equal(t, float64(exact), p.count(&s, 1), "what was stolen is known in part")
}

func TestQuantilesDoNotFollowSingleValues(t *testing.T) {
	var h histogram
	for range 500 {
		h.add(5)
	}
	h.add(1e9)
	require.InDelta(t, 5, h.quantile(0.99), 3)
	for range 100_000 {
		h.add(40)
	}
	require.InDelta(t, 40, h.quantile(0.99), 20)
	require.Less(t, h.Total, uint32(mostCounted))
}
