package fieldmap

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// requestOf returns method, target, version and host of a record as auto reads it, "" when it is no HTTP transaction.
func requestOf(t *testing.T, json string) (text string, tx *rules.Transaction) {
	t.Helper()
	tx, _ = read(t, open(t, "auto"), json)
	if tx == nil || tx.Method == "" {
		return "", tx
	}
	host, _ := tx.Header("Host")
	return tx.Method + " " + tx.URI + " " + tx.Protocol + " " + host, tx
}

func TestTargetsAreReadInEveryForm(t *testing.T) {
	const nginx = `{"remote_addr":"192.0.2.1",`
	for name, one := range map[string]struct{ json, want string }{
		"a URL with a fragment":           {`{"http.request.method":"GET","url.full":"https://a.example/s?q=x#top"}`, "GET /s?q=x HTTP/1.1 a.example"},
		"a fragment that was sent":        {nginx + `"request":"GET /s#x HTTP/1.1","http_host":"a"}`, "GET /s#x HTTP/1.1 a"},
		"host/path":                       {`{"httpRequest":{"requestMethod":"GET","requestUrl":"a.example/s?q=x"}}`, "GET /s?q=x HTTP/1.1 a.example"},
		"host:port/path":                  {`{"httpRequest":{"requestMethod":"GET","requestUrl":"localhost:8080/s"}}`, "GET /s HTTP/1.1 localhost:8080"},
		"host?query":                      {`{"httpRequest":{"requestMethod":"GET","requestUrl":"a.example?q=x"}}`, "GET /?q=x HTTP/1.1 a.example"},
		"a path alone":                    {`{"httpRequest":{"requestMethod":"GET","requestUrl":"/s?q=x"}}`, "GET /s?q=x HTTP/1.1 "},
		"no host before the slash":        {`{"httpRequest":{"requestMethod":"GET","requestUrl":"static/x.js"}}`, "GET static/x.js HTTP/1.1 "},
		"an absolute URL in HTTP/2":       {nginx + `"request":"GET https://a.example/x?y=1 HTTP/2.0"}`, "GET /x?y=1 HTTP/2.0 a.example"},
		"an absolute URL in HTTP/3":       {`{"client_ip":"192.0.2.1","http_verb":"GET","http_request":"https://a.example","http_version":"HTTP/3"}`, "GET / HTTP/3 a.example"},
		"a URL sent to a proxy":           {nginx + `"request":"GET http://a.example/x HTTP/1.1"}`, "GET http://a.example/x HTTP/1.1 a.example"},
		"a URL sent to a proxy, and Host": {nginx + `"request":"GET http://b.example/x HTTP/1.1","http_host":"a"}`, "GET http://b.example/x HTTP/1.1 a"},
		"CONNECT":                         {nginx + `"request":"CONNECT a.example:443 HTTP/1.1"}`, "CONNECT a.example:443 HTTP/1.1 a.example:443"},
		"OPTIONS":                         {nginx + `"request":"OPTIONS * HTTP/1.1","http_host":"a"}`, "OPTIONS * HTTP/1.1 a"},
		"a decoded path":                  {nginx + `"request_method":"GET","uri":"/a#b?c d%","args":"x=%20"}`, "GET /a%23b%3Fc%20d%25?x=%20 HTTP/1.1 "},
		"a decoded path beside the line":  {nginx + `"request":"GET /a%20b HTTP/1.1","uri":"/a b"}`, "GET /a%20b HTTP/1.1 "},
		"ECS, as it was sent":             {`{"http":{"request":{"method":"GET"}},"url":{"full":"http://b/?x","original":"/?q=1","path":"/"},"source":{"ip":"192.0.2.1"}}`, "GET /?q=1 HTTP/1.1 b"},
		"ECS, absolute":                   {`{"http":{"request":{"method":"GET"}},"url":{"original":"https://a.example/?q=1"},"ecs":{"version":"8"}}`, "GET /?q=1 HTTP/1.1 a.example"},
		"ECS, path and query":             {`{"http.request.method":"GET","url.path":"/a","url.query":"q=1","url.domain":"d","event.dataset":"iis.access"}`, "GET /a?q=1 HTTP/1.1 d"},
	} {
		got, _ := requestOf(t, one.json)
		require.Equal(t, one.want, got, name)
	}
}

func TestALineWithoutAVersionIsCut(t *testing.T) {
	for line, target := range map[string]string{
		"GET /s?q=aaaa": "/s?q=aaaa", "GET /s?q=a b": "/s?q=a b", "GET /s?q=a HTT": "/s?q=a", "GET /s HTTP/": "/s", "GET / ": "/",
		"get /<script> x y": "/<script> x y",
	} {
		got, tx := requestOf(t, `{"remote_addr":"192.0.2.1","http_user_agent":"x","request":"`+line+`"}`)
		require.Equal(t, line[:3]+" "+target+" HTTP/1.1 ", got, line)
		require.NotZero(t, tx.Unknown&rules.PartProtocol, line)
		require.NotZero(t, tx.Unknown&rules.PartEscapes, line)
		require.Equal(t, rules.PartialArguments, tx.Partial, line)
	}
	got, tx := requestOf(t, `{"remote_addr":"192.0.2.1","request":"GET /","server_protocol":"HTTP/0.9"}`)
	require.Equal(t, "GET / HTTP/0.9 ", got)
	require.Zero(t, tx.Unknown&rules.PartProtocol)
	require.Zero(t, tx.Partial)
}

func TestWhatIsNoRequestIsNotHTTP(t *testing.T) {
	for _, line := range []string{
		`\u0003\u0000\u0000/*\u00e0\u0000\u0000\u0000\u0000\u0000Cookie: mstshash=user`, `\u0016\u0003\u0001\u0002\u0000\u0001 x`,
		`lv|'|'|VHJvamFu|'|'|Win XP|'|'|No|'|'|[endof]`, `MGLNDD_192.0.2.1_443`, `- http://alb.example.com:80- -`, `- - - `, `-`, ``,
		`SSH-2.0-Go`, `\u0000`, `EHLO there`, `user anonymous`, `{"method": "login"}`, `GET`, `\u0005\u0001\u0000 a HTTP/1.1`,
	} {
		got, _ := requestOf(t, `{"remote_addr":"192.0.2.1","http_user_agent":"","status":"400","request":`+quotedJSON(line)+`}`)
		require.Empty(t, got, line)
	}
	for _, line := range []string{"GET / HTTP/1.1", "BREW /pot HTTP/1.0", "get /", "M-SEARCH * HTTP/1.1", "X http://a/ y", "GET x", "PROPFIND /a"} {
		got, _ := requestOf(t, `{"remote_addr":"192.0.2.1","http_user_agent":"","status":"400","request":`+quotedJSON(line)+`}`)
		require.NotEmpty(t, got, line)
	}
	for _, method := range []string{`\\x16\\x03\\x01`, "-", "<BADREQ>", `lv|'|'|Win`, "", "G T", "G\\u00c9T"} {
		got, _ := requestOf(t, `{"remote":"192.0.2.1","host":"-","method":"`+method+`","path":"XP|'|","code":"400","agent":"-"}`)
		require.Empty(t, got, method)
	}
}

// quotedJSON returns a text whose escapes are those of JSON as JSON.
func quotedJSON(text string) string {
	quoted := `"`
	for _, c := range text {
		if c == '"' {
			quoted += `\`
		}
		quoted += string(c)
	}
	return quoted + `"`
}

func TestPseudoHeadersAreNoHeaders(t *testing.T) {
	for name, json := range map[string]string{
		"a raw head":                `{"REQ_HEADER":"GET /x HTTP/2\r\n:authority: a.example\r\n:scheme: https\r\naccept: */*\r\n\r\n"}`,
		"a raw head without a line": `{"REQ_HEADER":":method: GET\r\n:path: /x\r\n:authority: a.example\r\naccept: */*\r\n\r\n"}`,
		"a list": `{"event_type":"http","http":{"url":"/x","http_method":"GET","version":"2","request_headers":[{"name":":method","value":"GET"},` +
			`{"name":":authority","value":"a.example"},{"name":"accept","value":"*/*"}]}}`,
		"a map": `{"request":{"method":"GET","uri":"/x","proto":"HTTP/2.0","headers":{":authority":["a.example"],":path":["/x"],"accept":["*/*"]}}}`,
	} {
		got, tx := requestOf(t, json)
		require.Contains(t, []string{"GET /x HTTP/2 a.example", "GET /x HTTP/2.0 a.example"}, got, name)
		require.ElementsMatch(t, []string{"accept", "Host"}, namesOf(tx.RequestHeaders), name)
		require.Zero(t, tx.Partial, name)
		require.Zero(t, tx.Unknown&(rules.PartHost|rules.PartHostName), name)
	}
	for name, json := range map[string]string{
		"in HTTP/1.1":     `{"REQ_HEADER":"GET /x HTTP/1.1\r\nHost: b\r\n:authority: a.example\r\n\r\n"}`,
		"an unknown name": `{"REQ_HEADER":"GET /x HTTP/2\r\nHost: b\r\n:evil: a.example\r\n\r\n"}`,
	} {
		_, tx := requestOf(t, json)
		require.Equal(t, rules.PartialHeaders, tx.Partial, name)
	}
	_, tx := requestOf(t, `{"REQ_HEADER":"GET /x HTTP/2\r\naccept: */*\r\n\r\n"}`)
	require.NotZero(t, tx.Unknown&rules.PartHost, "the host was not logged")
}

func namesOf(headers []rules.Header) (names []string) {
	for _, h := range headers {
		names = append(names, h.Name)
	}
	return names
}
