package incident

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestIDsAreRecognizedByShapeOrName(t *testing.T) {
	for target, want := range map[string]string{
		"/doc?doc=0194e5a0-7c1e-7b1a-9d2c-1234567890ab":   "GET /doc?doc={id}",
		"/doc?which=0194e5a0-7c1e-7b1a-9d2c-1234567890ab": "GET /doc?which={id}",
		"/dl?f=123":                   "GET /dl?f={id}",
		"/dl?acct=123&x=1":            "GET /dl?acct={id}",
		"/dl?invoice_no=123":          "GET /dl?invoice_no={id}",
		"/dl?patientFile=17.pdf":      "GET /dl?patientFile={id}",
		"/dl?file=invoice_90.pdf":     "GET /dl?file={id}",
		"/docs/RG9jdW1lbnQ6MTUx":      "GET /docs/{id}",
		"/docs/RG9jdW1lbnQ6OTA=":      "GET /docs/{id}",
		"/docs/VXNlcjox":              "GET /docs/{id}",
		"/doc?id=RG9jdW1lbnQ6OTA%3D":  "GET /doc?id={id}",
		"/doc?node=RG9jdW1lbnQ6OTA=":  "GET /doc?node={id}",
		"/d/dQw4w9WgXcQ":              "GET /d/{id}",
		"/d/dQw4w9WgXcQ.pdf":          "GET /d/{id}.pdf",
		"/docs;id=1":                  "GET /docs;id={id}",
		"/docs;lang=en;id=1/all":      "GET /docs;lang=en;id={id}/all",
		"/docs;jsessionid=0A1B2C3D4E": "GET /docs",
	} {
		var r Route
		r.Parse("GET", target)
		require.Equal(t, want, r.String(), target)
		require.Equal(t, target != "/docs;jsessionid=0A1B2C3D4E", r.ids != 0, target)
	}
}

func TestWhatOnlyLooksLikeAnIDIsNone(t *testing.T) {
	for _, path := range []string{
		"/help/iPhone15Pro", "/help/Windows11Pro", "/help/COVID19Info", "/help/Base64Encode", "/help/SHA256Sum", "/help/OAuth2Callback",
		"/help/Chapter1Part2", "/help/IPv6Introduction", "/help/US2024Q3Results", "/forgotPassword", "/getUserByName", "/README", "/AppleWebKit",
		"/assets/index-Bx7Kd9a2.js", "/docs;lang=en",
	} {
		var r Route
		r.Parse("GET", path)
		require.Equal(t, "GET "+path, r.String())
	}
	for _, query := range []string{
		"page=7", "pageNumber=7", "page_number=7", "limit=100", "offset=200", "q=windows+11", "q=order+17", "search=RTX4090", "t=1717000000", "_=1717000000123", "ts=1717000000123", "v=20240530", "cb=83728372",
		"v=0194e5a0-7c1e-7b1a-9d2c-1234567890ab", "cb=0194e5a0-7c1e-7b1a-9d2c-1234567890ab", "sessionid=0194e5a07c1e7b1a", "PHPSESSID=0194e5a07c1e7b1a", "request_id=0194e5a0-7c1e-7b1a-9d2c-1234567890ab",
		"fbclid=IwAR0x9Zk3Q8vT2mN4bC6", "gclid=CjwKCAjw9Zk3Q8vT2mN4bC6", "width=640&height=480", "sort=price", "order=price", "profile=jane", "lat=52.52", "country=DE", "hash=3f2a9b7c", "filename=report", "document=terms",
		"mono=17", "pdf=1", "showcase=17",
	} {
		var r Route
		r.Parse("GET", "/list?"+query)
		require.Equal(t, "GET /list", r.String(), query)
	}
}

// Names and slugs in whatever style are not taken for short ids; most of these are recognized.
func TestShortIDsAreToldFromNames(t *testing.T) {
	dice := rand.New(rand.NewPCG(3, 4))
	words := []string{"Guide", "Setup", "Phone", "Report", "Model", "Winter", "Sale", "Get", "User", "Pro", "Max", "Edition", "Chapter", "Season", "Team", "A", "XL"}
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	found, wrong := 0, 0
	for range 5000 {
		var id [11]byte
		for i := range id {
			id[i] = letters[dice.IntN(len(letters))]
		}
		if isHash(string(id[:])) {
			found++
		}
		if isHash(pick(dice, words) + pick(dice, words) + fmt.Sprint(dice.IntN(3000)) + pick(dice, words)) {
			wrong++
		}
	}
	require.Greater(t, found, 5000*2/3)
	require.Less(t, wrong, 5000/10)
}

func TestForeignIDsAreEnumerationHoweverTheyAreWritten(t *testing.T) {
	dice := rand.New(rand.NewPCG(1, 2))
	hashes := make([]string, 1000)
	for i := range hashes {
		var id [11]byte
		for k := range id {
			id[k] = "abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"[dice.IntN(55)]
		}
		hashes[i] = string(id[:])
	}
	for name, path := range map[string]func(int) string{
		"a short name": func(n int) string { return fmt.Sprintf("/dl?f=%d", n) },
		"an account":   func(n int) string { return fmt.Sprintf("/dl?acct=%d", n) },
		"a UUID":       func(n int) string { return fmt.Sprintf("/dl?x=0194e5a0-7c1e-7b1a-9d2c-%012x", n) },
		"base64 in a path": func(n int) string {
			return "/docs/" + base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "Document:%d", n))
		},
		"base64 in a query": func(n int) string {
			return "/doc?id=" + base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "Document:%d", n))
		},
		"short ids":             func(n int) string { return "/d/" + hashes[n] },
		"a parameter of a path": func(n int) string { return fmt.Sprintf("/docs;id=%d", n) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			for n := range 1500 {
				user := n % 40
				s.ask(minute, Observation{Source: fmt.Sprintf("198.51.100.%d", user), Principal: uint64(1 + user), Path: path(user*5 + n/40%3), Bytes: 3000})
			}
			for n := range 300 {
				s.ask(second, Observation{Source: "203.0.113.9", Principal: 99, Path: path(400 + n), Bytes: 3000})
			}
			require.GreaterOrEqual(t, s.only(Enumeration).Severity, Medium)
		})
	}
}

func TestManyIDsOfARouteThatDoesNotExistAreProbing(t *testing.T) {
	for name, c := range map[string]struct {
		ids   int
		found bool
	}{"many": {400, true}, "a few, again and again": {5, false}} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.learn()
			for n := range 400 {
				s.ask(second/10, Observation{Source: "203.0.113.9", Path: fmt.Sprintf("/api/v1/%d", n%c.ids), Status: 404})
			}
			if !c.found {
				require.Empty(t, s.end())
				return
			}
			i := s.only(Probing)
			require.Equal(t, Low, i.Severity)
			require.Contains(t, i.Reason, "many ids of a route that does not exist")
		})
	}
}
