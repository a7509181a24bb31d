package redact

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tinylib/msgp/msgp"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

func newRedactor(t testing.TB, names []string, pattern string) *Redactor {
	t.Helper()
	r, err := New(names, pattern)
	require.NoError(t, err)
	return r
}

func TestSecretsAreFoundByWhatStandsAroundThem(t *testing.T) {
	r := newRedactor(t, []string{"Kundennummer"}, `ACME-(\d+)`)
	for name, c := range map[string]struct{ in, want string }{
		"basic credentials":     {"GET / HTTP/1.1\r\nAuthorization: Basic dXNlcjpwYXNz\r\nHost: a\r\n", "GET / HTTP/1.1\r\nAuthorization: Basic [redacted]\r\nHost: a\r\n"},
		"unknown scheme":        {"authorization: Custom abc def", "authorization: [redacted]"},
		"proxy credentials":     {"Proxy-Authorization:Bearer abc", "Proxy-Authorization:Bearer [redacted]"},
		"folded header":         {"Authorization: Digest a=1,\r\n\tb=2\r\nHost: a", "Authorization: Digest [redacted]\r\nHost: a"},
		"cookies":               {"Cookie: sid=abc; theme=dark; bare\r\n", "Cookie: sid=[redacted]; theme=[redacted]; [redacted]\r\n"},
		"cookie in quotes":      {`Cookie: a="x;y"; b=z`, "Cookie: a=[redacted]; b=[redacted]"},
		"set cookie":            {"Set-Cookie: sid=abc; Path=/; HttpOnly; odd=secret1\n", "Set-Cookie: sid=[redacted]; Path=/; HttpOnly; odd=[redacted]\n"},
		"header of a key":       {"X-Api-Key: 12345\nX-Other: 1", "X-Api-Key: [redacted]\nX-Other: 1"},
		"challenge":             {"WWW-Authenticate: Basic realm=x", "WWW-Authenticate: Basic realm=x"},
		"argument":              {"/login?user=bob&password=hunter2&x=1", "/login?user=bob&password=[redacted]&x=1"},
		"argument of an array":  {"/?user[pass]=hunter2&passenger=3", "/?user[pass]=[redacted]&passenger=3"},
		"escaped name":          {"/?pass%77ord=a&%2570wd=b&c=d", "/?pass%77ord=[redacted]&%2570wd=[redacted]&c=d"},
		"camel case":            {"/?userPin=1234&spin=1", "/?userPin=[redacted]&spin=1"},
		"own name":              {"/?kunden_nummer=77&nummer=1", "/?kunden_nummer=[redacted]&nummer=1"},
		"JSON":                  {`{"user":"bob","password" : "hun\"ter2","pin":1234,"x":1}`, `{"user":"bob","password" : "[redacted]","pin":[redacted],"x":1}`},
		"JSON in JSON":          {`{"a":"{\"password\":\"hunter2\",\"b\":1}"}`, `{"a":"{\"password\":\"[redacted]\",\"b\":1}"}`},
		"nested JSON":           {`{"credentials":{"a":["b}"],"c":2},"d":3}`, `{"credentials":[redacted],"d":3}`},
		"escaped name in JSON":  {`{"\u0070assword":"hunter2"}`, `{"\u0070assword":"[redacted]"}`},
		"cut JSON":              {`{"password":"hunt`, `{"password":"[redacted]`},
		"XML":                   {`<a><wsse:Password Type="x">hunter2</wsse:Password><b>1</b></a>`, `<a><wsse:Password Type="x">[redacted]</wsse:Password><b>1</b></a>`},
		"attribute":             {`<login password="hunter 2" user='bob'/>`, `<login password="[redacted]" user='bob'/>`},
		"hidden input":          {`<input type="hidden" name="csrf_token" value="abc123"><p>`, `<input type="hidden" name="csrf_token" value="[redacted]"><p>`},
		"multipart":             {"--b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nhunter 2\r\n--b--", "--b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n[redacted]\n--b--"},
		"line of a log":         {"password: hunter 2\nuser: bob", "password: [redacted]\nuser: bob"},
		"bearer anywhere":       {"x Bearer abcdef-123456 y", "x Bearer [redacted] y"},
		"bearer in words":       {"the bearer of this", "the bearer of this"},
		"basic in words":        {"basic authentication", "basic authentication"},
		"JSON Web Token":        {"/reset/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc/x", "/reset/[redacted]/x"},
		"token of a service":    {"key ghp_0123456789abcdefghijABCDEFGHIJ012345.", "key [redacted]"},
		"private key":           {"a -----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", "a [redacted]-----END RSA PRIVATE KEY-----"},
		"credentials of a URL":  {"see https://bob:hunter2@host/x@y", "see https://bob:[redacted]@host/x@y"},
		"card":                  {"no. 4111111111111111.", "no. [redacted]."},
		"card in groups":        {"5500 0000 0000 0004 and 3782-822463-10005", "[redacted] and [redacted]"},
		"card in a URL":         {"/?card=4111%201111+1111-1111&x=%204111111111111111", "/?card=[redacted]&x=%20[redacted]"},
		"two cards":             {"4111111111111111 5500000000000004", "[redacted] [redacted]"},
		"no card":               {"4111111111111112 1717053408917 20240530071648", "4111111111111112 1717053408917 20240530071648"},
		"own expression":        {"id ACME-4711 x", "id ACME-[redacted] x"},
		"nothing":               {"/?t=../../etc/passwd", "/?t=../../etc/passwd"},
		"name without a value":  {"/?password=&x=1", "/?password=&x=1"},
		"what matched by words": {"Matched Data: a found within ARGS:password: a b", "Matched Data: a found within ARGS:password: [redacted]"},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, r.Line(c.in)) })
	}
}

func TestCleanTextsStayAsTheyAre(t *testing.T) {
	r := newRedactor(t, nil, "")
	for _, text := range []string{"", "=", ":", "://", "a=b&c=d", "\xff\xfe=%", "<>", "</password>", strings.Repeat("x", 1000)} {
		require.Equal(t, text, r.Line(text))
	}
	var none *Redactor
	require.Equal(t, "password=x", none.Line("password=x"))
	require.Nil(t, none.Start(&rules.Transaction{}).Found())
}

func TestSecretsAreFoundAgainUnderDisguise(t *testing.T) {
	r := newRedactor(t, nil, "")
	p := r.Start(&rules.Transaction{
		URI:            "/?password=correct%20horse+battery&q=1",
		RequestHeaders: []rules.Header{{Name: "Cookie", Value: "sid=Abcd-1234-efgh"}, {Name: "Authorization", Value: "Basic Ym9iOmh1bnRlcjIy"}},
		RequestBody:    `{"token":"line\/one\u0041bc","n":1}`,
	})
	require.Empty(t, p.Found(), "what was learned has not left")
	for _, c := range []struct{ in, want string }{
		{"hello correct horse battery!", "hello [redacted]!"},
		{"x CORRECT HORSE BATTERY", "x [redacted]"},
		{"correcthorsebattery", Placeholder},
		{"a abcd-1234-EFGH b", "a [redacted] b"},
		{"abcd 1234 efgh", Placeholder},
		{"your password is hunter22", "your password is [redacted]"},
		{"line/oneAbc", Placeholder},
		{"Y29ycmVjdCBob3JzZSBiYXR0ZXJ5", Placeholder},
		{"nothing of it", "nothing of it"},
	} {
		require.Equal(t, c.want, p.Text(c.in), c.in)
	}
	require.Equal(t, []string{"authorization", "cookie", "argument"}, p.Found())
}

func TestRecordsAreCleanedByTheirKeys(t *testing.T) {
	r := newRedactor(t, nil, "")
	in := map[string]any{
		"http_cookie": "sid=abc", "request_Authorization": "Bearer abcdefgh", "URL": "/?pwd=x",
		"headers": map[string]any{"Set-Cookie": []any{"a=b; Path=/"}, "X": "1"},
		"list":    []any{map[string]any{"name": "Cookie", "value": "a=b"}},
		"login":   map[string]any{"password": map[string]any{"value": "x", "n": int64(5)}, "pin": int64(77), "none": nil},
		"n":       int64(4), "ok": true,
	}
	value, err := msgp.AppendIntf(nil, in)
	require.NoError(t, err)
	p := r.Start(&rules.Transaction{})
	got, rest, err := msgp.ReadIntfBytes(p.AppendValue(nil, value))
	require.NoError(t, err)
	require.Empty(t, rest)
	require.Equal(t, map[string]any{
		"http_cookie": "sid=[redacted]", "request_Authorization": "Bearer [redacted]", "URL": "/?pwd=[redacted]",
		"headers": map[string]any{"Set-Cookie": []any{"a=[redacted]; Path=/"}, "X": "1"},
		"list":    []any{map[string]any{"name": "Cookie", "value": "a=[redacted]"}},
		"login":   map[string]any{"password": map[string]any{"value": Placeholder, "n": Placeholder}, "pin": Placeholder, "none": nil},
		"n":       int64(4), "ok": true,
	}, got)
	require.Equal(t, []string{"authorization", "cookie", "set-cookie", "argument"}, p.Found())
}

func TestExpressionsThatCannotBeUsedAreRefused(t *testing.T) {
	_, err := New(nil, "(")
	require.ErrorContains(t, err, "malformed expression")
	_, err = New(nil, "a*")
	require.ErrorContains(t, err, "matches the empty text")
}

// What a client sends decides how long a text takes; no text may take more than a time in proportion to its length.
func TestHostileTextsTakeNoLongerThanOthers(t *testing.T) {
	r := newRedactor(t, nil, "")
	const size = 1 << 20
	for _, part := range []string{
		"name=", "name=password ", `form-data; name="password" `, "://", "password=", `"password":"`, "<password>", "<password></b>",
		`x=";`, "Cookie: a;", "password:{", "1 ", "4111 ", "bearer ", "basic ", "eyJ", "%34", "\n", "\\\"", "a=\\", "-----BEGIN ",
	} {
		text := "Cookie: x=\"" + strings.Repeat(part, size/len(part))
		start := time.Now()
		r.Line(text)
		require.Less(t, time.Since(start), 5*time.Second, part)
	}
}

func FuzzLine(f *testing.F) {
	f.Add("Cookie: a=b; c\r\n x\r\nAuthorization: Basic x")
	f.Add(`{"password":{"a":[1,"]"]},"\"token\":\"x`)
	f.Add("<password>4111 1111-1111+1111</password> form-data; name=\"pin\"\r\n\r\n1\n--")
	r, err := New([]string{"own"}, "o(w)n")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		once := r.Line(text)
		for _, s := range r.scan(text).spans {
			if s.start < 0 || s.end > len(text) || s.start >= s.end {
				t.Fatalf("span %v of %d bytes", s, len(text))
			}
		}
		p := r.Start(&rules.Transaction{URI: text, RequestBody: text, RequestHeaders: []rules.Header{{Name: "Cookie", Value: text}}})
		p.Text(once)
	})
}
