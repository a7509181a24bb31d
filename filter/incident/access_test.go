package incident

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// fresh returns an address that was not used before in a scene.
func fresh(n int) string { return fmt.Sprintf("45.%d.%d.9", n/250, n%250) }

func TestAPrincipalIsFollowedWhateverAddressesItUses(t *testing.T) {
	for name, c := range map[string]struct {
		path func(int) string
		o    Observation
		want Kind
	}{
		"ids":   {func(n int) string { return fmt.Sprintf("/api/orders/%d", 5000+n) }, Observation{Bytes: 3000}, Enumeration},
		"bytes": {func(int) string { return "/api/orders/30" }, Observation{Bytes: 9e6}, Disclosure},
		"items": {func(int) string { return "/api/orders/30" }, Observation{Bytes: 3000, Items: 40}, Disclosure},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.learn()
			for n := range 250 {
				o := c.o
				o.Source, o.Principal, o.Path = fresh(n), 99, c.path(n)
				s.ask(second, o)
			}
			i := s.only(c.want)
			require.Greater(t, i.SourceSeen, 150, "addresses")
			require.Contains(t, i.Summary, "other sources")
		})
	}
}

func TestPrincipalsThatMoveBetweenAddressesAreNoEnumeration(t *testing.T) {
	s := newScene(t)
	s.learn()
	for n := range 2000 { // phones, each with a new address for each request
		user := n % 40
		s.ask(second, Observation{Source: fresh(n), Principal: uint64(1 + user), Path: fmt.Sprintf("/api/orders/%d", user*10+n%3), Bytes: 3000})
	}
	require.Empty(t, s.end())
}

func TestOneLargeResponseToANewAddressIsADisclosure(t *testing.T) {
	for name, principal := range map[string]uint64{"without credentials": 0, "with new credentials": 99} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.learn()
			s.ask(5*minute, Observation{Source: "203.0.113.9", Principal: principal, Path: "/api/orders/30", Bytes: 900e6})
			i := s.only(Disclosure)
			require.Equal(t, Medium, i.Severity)
			require.Equal(t, int(900e6), i.Bytes)
		})
	}
}

// A route from which strangers download learns it from the first of them.
func TestDownloadsByStrangersAreReportedOnce(t *testing.T) {
	s := newScene(t)
	s.learn()
	for n := range 80 {
		s.ask(10*minute, Observation{Source: fmt.Sprintf("198.51.100.%d", n%4), Principal: uint64(1 + n%4), Path: "/download/setup.iso", Bytes: 1e6})
	}
	for n := range 100 {
		s.ask(minute, Observation{Source: fresh(n), Path: "/download/setup.iso", Bytes: 700e6})
	}
	s.only(Disclosure)
}

// So does one that nobody else uses, without a report.
func TestDownloadsWithoutABaselineAreNoDisclosure(t *testing.T) {
	s := newScene(t)
	s.learn()
	s.ask(0, Observation{Source: "198.51.100.1", Path: "/download/setup.iso", Bytes: 2000})
	for n := range 100 {
		s.ask(minute, Observation{Source: fresh(n), Path: "/download/setup.iso", Bytes: 700e6})
	}
	require.Empty(t, s.end())
}

// A route of which a little less than half of the requests are for ids that were asked for before is private, however many ids an attacker
// adds to it.
func TestMoreIDsAreNoMilder(t *testing.T) {
	for _, ids := range []int{250, 3000, 40_000} {
		s := newScene(t)
		for n := range 500 {
			user := n % 30
			id := user*1000 + n/60 // each twice
			if n/30%2 == 1 && n%18 == 0 {
				id = 100_000 + n // and sometimes another
			}
			s.ask(3*minute, Observation{Source: fmt.Sprintf("198.51.100.%d", user), Principal: uint64(1 + user), Path: fmt.Sprintf("/api/orders/%d", id)})
		}
		route := s.c.current.route
		require.InDelta(t, 0.42, float64(route.Own)/float64(route.Own+route.Shared+route.Fresh), 0.015)
		for n := range ids {
			s.ask(50, Observation{Source: "203.0.113.9", Principal: 99, Path: fmt.Sprintf("/api/orders/%d", 500_000+n)})
		}
		require.Equal(t, High, s.only(Enumeration).Severity, "%d ids", ids)
	}
}
