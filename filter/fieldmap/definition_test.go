package fieldmap

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

func TestOwnMapReadsEveryForm(t *testing.T) {
	m := parse(t, `
name: proxy
fields:
  client.address: peer
  server.address: upstream.address
  request_line: line
  host: http.host|vhost
  cookie: cookies
  header.X-Trace: [trace, tracing.id]
  header.*: headers
  response_header.*: {key: "out_*", dashes: true}
  request_body: {key: body, base64: true}
  status: code
  source: {constant: edge}
`)
	tx, v := transaction(t, m, `{"peer":"[2001:db8::7]:4711","upstream":{"address":"10.0.0.9:8443"},"line":"POST /a b?x=1 HTTP/2.0",
		"vhost":"shop.example","cookies":"-","tracing.id":"t1","code":503,"body":"YT0xJmI9Mg==",
		"headers":[{"name":"Accept","value":"*/*"},{"Name":"X-Two","Value":"2"}],"out_content_type":"text/html","out_empty":""}`)
	require.Equal(t, "2001:db8::7", tx.ClientIP)
	require.Equal(t, 4711, tx.ClientPort)
	require.Equal(t, "10.0.0.9", tx.ServerIP)
	require.Equal(t, 8443, tx.ServerPort)
	require.Equal(t, []string{"POST", "/a b?x=1", "HTTP/2.0"}, []string{tx.Method, tx.URI, tx.Protocol})
	require.Equal(t, []rules.Header{{Name: "X-Trace", Value: "t1"}, {Name: "Accept", Value: "*/*"}, {Name: "X-Two", Value: "2"},
		{Name: "Host", Value: "shop.example"}, {Name: "Content-Type", Value: "application/x-www-form-urlencoded"}}, tx.RequestHeaders)
	require.Equal(t, "shop.example", tx.ServerName)
	require.Equal(t, "a=1&b=2", tx.RequestBody)
	require.Equal(t, 503, tx.ResponseStatus)
	require.Equal(t, []rules.Header{{Name: "content-type", Value: "text/html"}}, tx.ResponseHeaders)
	require.Equal(t, "edge", v.Get(Source))
	require.Equal(t, rules.PartUserAgent|rules.PartReferer|rules.PartContentType|rules.PartContentLength|rules.PartTransferEncoding|rules.PartOtherHeaders|rules.PartBodyEnd|rules.PartResponseHeader|
		rules.PartResponseBody|rules.PartResponseEnd, tx.Unknown)
}

func TestHeadersComeInEveryShape(t *testing.T) {
	want := []rules.Header{{Name: "Accept", Value: "a"}, {Name: "Accept", Value: "b"}, {Name: "X", Value: ""}}
	for name, json := range map[string]string{
		"map of lists":          `{"Accept":["a","b"],"X":[""]}`,
		"list of maps":          `[{"name":"Accept","value":"a"},{"name":"Accept","value":"b"},{"name":"X"}]`,
		"list of keys":          `[{"key":"Accept","value":"a"},{"key":"Accept","value":"b"},{"key":"X","value":null}]`,
		"list of lines":         `["Accept: a","Accept: b","X:"]`,
		"lines in one text":     `"Accept: a\r\nAccept: b\r\nX:\r\n\r\n"`,
		"map with one value":    `{"Accept":["a","b"],"X":""}`,
		"map with null as none": `{"Accept":["a","b"],"X":null}`,
	} {
		t.Run(name, func(t *testing.T) {
			m := parse(t, "name: own\nfields: {method: m, uri: u, header.*: {key: h, all: true}}")
			tx, _ := transaction(t, m, `{"m":"GET","u":"/","h":`+json+`}`)
			require.Equal(t, want, tx.RequestHeaders)
			require.Zero(t, tx.Unknown&rules.PartOtherHeaders)
		})
	}
}

func TestValuesBetweenBarsAreNamed(t *testing.T) {
	m := parse(t, "name: own\nfields: {method: m, uri: u, header.*: {key: h, names: [Host, X-A, User-Agent]}}")
	tx, _ := transaction(t, m, `{"m":"GET","u":"/","h":"{shop.example||curl/8}"}`)
	require.Equal(t, []rules.Header{{Name: "Host", Value: "shop.example"}, {Name: "User-Agent", Value: "curl/8"}}, tx.RequestHeaders)
}

func TestNamesOfCapturedHeadersAreGuessed(t *testing.T) {
	m := parse(t, "name: own\nescapes: hash\nfields: {method: m, uri: u, header.*: {key: h, names: guess}}")
	tx, _ := transaction(t, m, `{"m":"GET","u":"/","h":"shop.example|https://a/#7Cb|curl/8|de, en"}`)
	require.Equal(t, []rules.Header{{Name: "Captured", Value: "shop.example"}, {Name: "Referer", Value: "https://a/|b"},
		{Name: "User-Agent", Value: "curl/8"}, {Name: "Captured", Value: "de, en"}}, tx.RequestHeaders)
	require.NotZero(t, tx.Unknown&rules.PartHost)
}

func TestEscapesOfLogFormatsAreUndone(t *testing.T) {
	for _, c := range []struct{ escapes, logged, want string }{
		{"backslash", `/?a=\x22\"\\\x5C\n\q\x2`, "/?a=\"\"\\\\\n\\q\\x2"},
		{"hash", "/?a=#22#7B#zz#2", "/?a=\"{#zz#2"},
	} {
		m := parse(t, "name: own\nescapes: "+c.escapes+"\nfields: {method: m, uri: u}")
		tx, _ := transaction(t, m, `{"m":"GET","u":`+quoted(c.logged)+`}`)
		require.Equal(t, c.want, tx.URI)
	}
}

func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}

func TestTargetsLoggedWithoutEscapesGetThemBack(t *testing.T) {
	m := parse(t, "name: own\nfields: {method: m, uri: {key: u, unescaped: true}}")
	tx, _ := transaction(t, m, `{"m":"GET","u":"/a?q=1' or 1=1 #%é"}`)
	require.Equal(t, "/a?q=1'%20or%201=1%20%23%25%C3%A9", tx.URI)
	require.NotZero(t, tx.Unknown&rules.PartEscapes)
}

func TestAbsoluteURLsGiveHostAndTarget(t *testing.T) {
	m := parse(t, "name: own\nfields: {method: m, url: u}")
	for _, c := range []struct{ url, host, target string }{
		{"https://shop.example:443/a?b=http://x/", "shop.example", "/a?b=http://x/"},
		{"http://user@shop.example:8080", "shop.example:8080", "/"},
		{"HTTP://shop.example?x=1", "shop.example", "/?x=1"},
		{"ftp://shop.example/", "", "ftp://shop.example/"},
		{"/a", "", "/a"},
	} {
		tx, v := transaction(t, m, `{"m":"GET","u":"`+c.url+`"}`)
		require.Equal(t, c.target, tx.URI)
		require.Equal(t, c.host, v.Get(ServerName))
		require.NotZero(t, tx.Unknown&rules.PartHost)
		require.Equal(t, c.host == "", tx.Unknown&rules.PartHostName != 0)
	}
}

func TestTargetsAreJoinedOfPathAndQuery(t *testing.T) {
	m := parse(t, "name: own\nfields: {method: m, path: p, query: q}")
	for _, c := range []struct{ query, want string }{{"a=1", "/p?a=1"}, {"?a=1", "/p?a=1"}, {"", "/p"}, {"-", "/p"}} {
		tx, _ := transaction(t, m, `{"q":"`+c.query+`","m":"GET","p":"/p"}`)
		require.Equal(t, c.want, tx.URI)
	}
}

func TestVersionsAreSpelledAsRequestLinesDo(t *testing.T) {
	m := parse(t, "name: own\nfields: {method: m, uri: u, protocol: p}")
	for logged, want := range map[string]string{
		`"HTTP/1.0"`: "HTTP/1.0", `"1.1"`: "HTTP/1.1", "1.1": "HTTP/1.1", "2": "HTTP/2.0", `"h3"`: "HTTP/3.0", `"0.9"`: "HTTP/0.9",
		`"SPDY/3"`: "SPDY/3", `"-"`: "HTTP/1.1", `"HTTP/2"`: "HTTP/2",
	} {
		tx, _ := transaction(t, m, `{"m":"GET","u":"/","p":`+logged+`}`)
		require.Equal(t, want, tx.Protocol)
		require.Equal(t, logged == `"-"`, tx.Unknown&rules.PartProtocol != 0)
	}
}

func TestFirstAlternativeWithATextWins(t *testing.T) {
	m := parse(t, "name: own\nfields: {method: m, uri: a|b.c|d, header.X: x|y}")
	for json, want := range map[string]string{
		`{"m":"GET","d":"/d","b":{"c":"/c"},"a":"/a"}`: "/a",
		`{"m":"GET","a":"-","d":"/d","b":{"c":"/c"}}`:  "/c",
		`{"m":"GET","d":"/d","b.c":""}`:                "/d",
		`{"m":"GET","a":"/1","a":"/2"}`:                "/2",
	} {
		tx, _ := transaction(t, m, json)
		require.Equal(t, want, tx.URI, json)
	}
	for json, want := range map[string]string{`"x":"1","y":"2"`: "1", `"y":"2","x":"1"`: "1", `"x":"-","y":"2"`: "2"} {
		tx, _ := transaction(t, m, `{"m":"GET","a":"/",`+json+`}`)
		require.Equal(t, []rules.Header{{Name: "X", Value: want}}, tx.RequestHeaders)
	}
}

func TestFieldsOfOtherLogsBecomeArguments(t *testing.T) {
	m := parse(t, "name: own\nfields: {args.user: login, args.*: form, client.ip: from}")
	tx, _ := transaction(t, m, `{"login":"anna","from":"192.0.2.1","form":{"text":"x","tags":["a",7],"more":{"deep":true}},"other":"-"}`)
	require.Equal(t, []rules.Header{{Name: "user", Value: "anna"}, {Name: "text", Value: "x"}, {Name: "tags", Value: "a"},
		{Name: "tags", Value: "7"}, {Name: "more.deep", Value: "true"}}, tx.Arguments)
	require.Equal(t, rules.AllParts&^rules.PartClient, tx.Unknown)
	require.Empty(t, tx.Method)

	var v Values
	require.True(t, m.Read(body(t, `{"other":"x"}`), &v))
	require.False(t, v.Transaction(tx))

	all := parse(t, `{name: all, fields: {"args.*": "*"}}`)
	tx, _ = transaction(t, all, `{"a":1,"b":{"c":"d"}}`)
	require.Equal(t, []rules.Header{{Name: "a", Value: "1"}, {Name: "b.c", Value: "d"}}, tx.Arguments)
}

func TestProblemsOfAMapAreReportedTogether(t *testing.T) {
	_, err := ParseYAML("own.yaml", []byte(`name: my map
paint: red
escapes: slash
body_limit: -1
detect: method
fields:
  uri_path: path
  method: m*
  method: n
  uri: {key: u, base64: perhaps}
  status: {constant: 200, names: [a]}
  request_line: {constant: x}
  header.A B: a
  header.: b
  header.*: {key: h, names: ["a:b"], tall: true}
  cookie: {base64: true}
  referer: a|
  host: {key: h, unescaped: true, absolute: true}
  client.ip: [[a]]
`))
	require.Error(t, err)
	for _, want := range []string{
		`own.yaml:1: malformed name "my map" (want letters, digits, - _ and .)`,
		`own.yaml:2: unknown setting "paint" (want name, title, detect, empty, escapes, body_limit, own_query or fields)`,
		`own.yaml:3: unknown escapes "slash" (want backslash, hash, percent or plus)`,
		`own.yaml:4: malformed body_limit "-1" (want a number of bytes)`,
		`own.yaml:5: detect wants a list of keys that a record must have`,
		`own.yaml:7: unknown target "uri_path" (want request_line, method, uri, path`,
		`own.yaml:8: malformed key "m*" (want * only at the end, and only for header.*`,
		`own.yaml:9: "method" is repeated (first in line 8)`,
		`own.yaml:10: malformed switch "perhaps" (want true or false)`,
		`own.yaml:11: names says nothing of "status" (want it with header.* or response_header.*)`,
		`own.yaml:12: target "request_line" cannot be constant`,
		`own.yaml:13: malformed target "header.A B" (want header.NAME or header.*)`,
		`own.yaml:14: malformed target "header." (want header.NAME or header.*)`,
		`own.yaml:15: malformed header name "a:b"`,
		`own.yaml:15: unknown option "tall" (want key, constant, base64, unescaped, absolute, upper, escapes, empty, all, dashes or names)`,
		`own.yaml:16: target "cookie" has no key`,
		`own.yaml:17: empty key in "a|"`,
		`own.yaml:18: unescaped says nothing of "host" (want it with uri, path or query)`,
		`own.yaml:18: absolute says nothing of "host" (want it with request_line or uri)`,
		`own.yaml:19: not a text`,
	} {
		require.ErrorContains(t, err, want)
	}
}

func TestMapsThatCanGiveNoTransactionAreRefused(t *testing.T) {
	for fields, want := range map[string]string{
		"{status: s}":            "missing targets: method with uri, path or url; or request_line; or request_head; or args.NAME",
		"{method: m, status: s}": "missing target uri (or path, url or request_line)",
		"{url: u}":               "missing target method (or request_line, which has it)",
	} {
		_, err := ParseYAML("own.yaml", []byte("name: own\nfields: "+fields))
		require.EqualError(t, err, "own.yaml:2: "+want)
	}
	for text, want := range map[string]string{
		"- a":       "own.yaml:1: no map of settings",
		"":          "own.yaml:1: no map of settings",
		"a: [":      "own.yaml: yaml:",
		"name: own": "own.yaml:1: no fields (want fields: with a line TARGET: KEY",
	} {
		_, err := ParseYAML("own.yaml", []byte(text))
		require.ErrorContains(t, err, want)
	}
	_, err := ParseYAML("own.yaml", []byte("fields: {args.a: a}"))
	require.ErrorContains(t, err, "no name")
}

func TestMessagesNameAllTargets(t *testing.T) {
	listed := strings.FieldsFunc(targetNames, func(c rune) bool { return c == ',' || c == ' ' })
	for name := range targets {
		require.Contains(t, listed, name)
	}
	require.Len(t, listed, len(targets)+2*len(named)+len("or")-1)
}

func FuzzYAML(f *testing.F) {
	for _, name := range BuiltIn() {
		f.Add([]byte(BuiltInText(name)))
	}
	f.Add([]byte("name: a\nfields: &a {method: m|n, uri: {key: [u.v, w]}, header.*: {key: h*, names: [A]}}\ndetect: [m, a.b|c]"))
	record := body(f, `{"m":"GET","u":{"v":"/"},"h":{"A":["b"]},"hx":"y"}`)
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := ParseYAML("fuzz.yaml", text)
		if err != nil {
			return
		}
		var v Values
		var tx rules.Transaction
		require.True(t, m.Read(record, &v))
		v.Transaction(&tx)
	})
}
