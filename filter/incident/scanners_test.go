package incident

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// What tools for tests and attacks do in an access log: names of scanners in every request, payloads in place of ids, logins that only
// refuse, and pages that lack a picture beside them.

func TestPayloadsInPlaceOfIDsMeetTheRoute(t *testing.T) {
	for name, c := range map[string]struct {
		ordinary, attack string
		status           int
	}{
		"an argument, refused":         {"/item?id=%d", "/item?id=%d%%27%%20OR%%201=1", 403},
		"an argument, not found":       {"/item?id=%d", "/item?id=%d%%20UNION", 404},
		"a segment, not found":         {"/invoices/%d", "/invoices/%d%%27%%20OR%%201=1--", 404},
		"a segment, with slashes":      {"/invoices/%d", "/invoices/%d/**/OR/**/1=1", 404},
		"credentials that are refused": {"/catalog/%d", "/login?%d", 401},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.learn()
			for n := range 20 {
				s.ask(second, Observation{Source: "198.51.100.1", Principal: 2, Path: fmt.Sprintf(c.ordinary, n)})
			}
			for n := range 12 {
				s.ask(second, Observation{Source: "203.0.113.9", Method: map[bool]string{true: "POST"}[c.status == 401], Path: fmt.Sprintf(c.attack, n), Status: c.status, Attack: hostile(942100+n*10, n)})
			}
			all := s.end()
			require.Len(t, all, 1)
			require.Contains(t, all[0].Kinds, Campaign)
			require.NotContains(t, all[0].Reason, "none of the routes exist")
		})
	}
}

func TestAScannerWithItsNameAndManyAddressesIsProbing(t *testing.T) {
	s := newScene(t)
	s.learn()
	for n := range 150 {
		s.ask(second, Observation{
			Source: fmt.Sprintf("203.0.113.%d", n%40), Path: fmt.Sprintf("/hidden%cx%c", 'a'+n%26, 'a'+n/26), Status: 404, Agent: "gobuster/3.5", Attack: hostile(913100, n),
		})
	}
	require.Greater(t, s.only(Probing).SourceSeen, 20)
}

func TestWhatIsRefusedForAnAttackIsNoCredential(t *testing.T) {
	s := newScene(t)
	for n := range 40 {
		s.ask(second, Observation{Source: "203.0.113.9", Method: "POST", Path: "/comment", Status: 403, Attack: hostile(942100+n%5*10, n)})
	}
	for _, i := range s.end() {
		require.NotContains(t, i.Kinds, BruteForce)
	}
}

func TestALoginThatHasOnlyRefusedSoFarIsARoute(t *testing.T) {
	s := newScene(t)
	for n := range 120 {
		for range 2 {
			s.ask(second, Observation{Source: fmt.Sprintf("203.0.%d.%d", n/50, n), Method: "POST", Path: "/signin", Status: 401})
		}
	}
	require.Equal(t, "POST /signin", s.only(BruteForce).routeOf(BruteForce))
}

func TestASentenceNamesTheRouteOfTheCredentialsAndTheAttackerOnce(t *testing.T) {
	s := newScene(t)
	for n := range 12 {
		s.ask(second, Observation{Source: "203.0.113.9", Path: "/item", Attack: alarm(913100, uint64(n+1), 920350, 942100, 942190)})
		s.ask(second, Observation{Source: "203.0.113.9", Method: "POST", Path: "/login", Status: 401, Attack: hostile(930100, n)})
	}
	i := s.only(Campaign, BruteForce)
	require.Equal(t, "203.0.113.9 attacked shop/cart with SQL injection, path traversal and scanners (24 requests) and tried credentials on POST /login "+
		"(11 requests refused) within 23 seconds; no response shows that it succeeded.", i.Summary)
}

func TestPagesThatLackAPictureAreNoBackground(t *testing.T) {
	s := newScene(t)
	s.learn()
	for n := range 300 {
		source := fmt.Sprintf("198.51.100.%d", n%60)
		s.ask(second, Observation{Source: source, Path: "/favicon.ico", Status: 404})
		s.ask(second, Observation{Source: source, Path: "/"})
		s.ask(second, Observation{Source: source, Path: "/gone", Status: 404})
	}
	require.Empty(t, s.end())
	require.Empty(t, s.ids, "not even background")
}
