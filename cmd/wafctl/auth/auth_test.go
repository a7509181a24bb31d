package auth

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli/clitest"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/inline/server"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/syncbuffer"
)

func TestMain(m *testing.M) { clitest.Main(m, setting.Map{"rule_packs": "off"}) }

// running is an endpoint that can be asked.
type running struct {
	*endpoint
	t       *testing.T
	address string
	alerts  syncbuffer.Buffer
	log     syncbuffer.Buffer
	end     func() // ends it, and waits for its alerts
}

// run starts an endpoint that believes this machine, and ends with the test.
func run(t *testing.T, settings setting.Map) *running {
	t.Helper()
	all := setting.Map{"listen": "127.0.0.1:0", "trusted_proxies": "127.0.0.1", "shutdown_delay": "0s", "inspect_timeout": "1m"}
	for name, value := range settings {
		all[name] = value
	}
	a := &running{t: t}
	e, err := open(all, setting.NewReader(all, Properties()), &cli.Console{Host: clitest.Host, Out: &a.alerts, Err: &a.log})
	require.NoError(t, err)
	a.endpoint, a.address = e, e.Addresses()[0].String()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	a.end = sync.OnceFunc(func() {
		stop()
		require.NoError(t, <-ended)
	})
	t.Cleanup(func() {
		if a.end(); t.Failed() {
			t.Log(a.log.String(), a.alerts.String())
		}
	})
	require.Eventually(t, e.Ready, time.Minute, time.Millisecond)
	return a
}

// answered is what a caller was answered.
type answered struct {
	status    int
	inspected string
	alert     string
	body      string
	header    http.Header
}

// ask asks over HTTP, with headers as names and values in turn; each is sent, however many have the same name.
func (a *running) ask(method, target, body string, header ...string) answered {
	a.t.Helper()
	request, err := http.NewRequest(method, "http://"+a.address+target, strings.NewReader(body))
	require.NoError(a.t, err)
	if body == "" {
		request.Body = http.NoBody
	}
	request.Header.Set("User-Agent", "Mozilla/5.0")
	request.Header.Set("Accept", "*/*")
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			request.Host = header[i+1]
			continue
		}
		request.Header.Add(header[i], header[i+1])
	}
	return a.do(request)
}

func (a *running) do(request *http.Request) answered {
	a.t.Helper()
	response, err := http.DefaultTransport.RoundTrip(request)
	require.NoError(a.t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(a.t, err)
	return answered{response.StatusCode, response.Header.Get(inspectedHeader), response.Header.Get(alertHeader), string(text), response.Header}
}

const (
	attack = "/?do='drop%20table'"
	clean  = "/shoes?size=42"
	form   = "application/x-www-form-urlencoded"
)

// asks are how each kind of caller asks over HTTP about a request with a method and a target.
var asks = map[string]func(a *running, method, target, body string, header ...string) answered{
	"traefik": forwarded("/traefik"),
	"caddy":   forwarded("/caddy"),
	"nginx": func(a *running, method, target, body string, header ...string) answered {
		return a.ask("GET", "/nginx", body, append([]string{"X-Original-Method", method, "X-Original-URL", "http://shop.example" + target, "X-Forwarded-For", "203.0.113.9"}, header...)...)
	},
	"envoy": func(a *running, method, target, body string, header ...string) answered {
		return a.ask(method, "/envoy"+target, body, append([]string{"Host", "shop.example", "X-Forwarded-For", "203.0.113.9", partialBody, "false"}, header...)...)
	},
	"crowdsec": func(a *running, method, target, body string, header ...string) answered {
		as := "GET"
		if body != "" {
			as = "POST"
		}
		const prefix = "X-Crowdsec-Appsec-"
		return a.ask(as, "/crowdsec", body, append([]string{prefix + "Ip", "203.0.113.9", prefix + "Uri", target, prefix + "Host", "shop.example", prefix + "Verb", method,
			prefix + "Api-Key", "s3cret", prefix + "User-Agent", "Mozilla/5.0", prefix + "Http-Version", "11"}, header...)...)
	},
}

func forwarded(path string) func(*running, string, string, string, ...string) answered {
	return func(a *running, method, target, body string, header ...string) answered {
		return a.ask("GET", path, body, append([]string{"X-Forwarded-Method", method, "X-Forwarded-Uri", target, "X-Forwarded-Host", "shop.example",
			"X-Forwarded-For", "203.0.113.9"}, header...)...)
	}
}

func TestEachCallerIsAnswered(t *testing.T) {
	a := run(t, nil)
	for name, ask := range asks {
		got := ask(a, "GET", clean, "")
		require.Equal(t, 200, got.status, name)
		require.Equal(t, "uri, headers", got.inspected, name)
		require.Empty(t, got.alert, name)

		got = ask(a, "GET", attack, "")
		require.Equal(t, 403, got.status, name)
		require.NotEmpty(t, got.alert, name)
		if name != "crowdsec" {
			require.Contains(t, got.body, got.alert, name)
		}

		got = ask(a, "POST", "/login", "", "Content-Type", form)
		require.Equal(t, 200, got.status, name)
		require.Equal(t, "uri, headers", got.inspected, "%s: no body came", name)
		got = ask(a, "POST", "/login", "user=jo&size=42", "Content-Type", form)
		require.Equal(t, 200, got.status, name)
		require.Equal(t, "uri, headers, body", got.inspected, name)
		got = ask(a, "POST", "/login", "user=jo&do='drop table'", "Content-Type", form)
		require.Equal(t, 403, got.status, name)
		require.Equal(t, "uri, headers, body", got.inspected, name)
		got = ask(a, "GET", "/", "", "Referer", "<script>alert(1)</script>")
		require.Equal(t, 403, got.status, "%s: an attack in a header", name)
	}
	require.EqualValues(t, 6, a.counts.asked["nginx"].Load())
	a.end()
	require.NotContains(t, a.alerts.String(), `"ruleId":"920`, "no rule is about how callers describe requests")
	require.NotContains(t, a.alerts.String(), "s3cret")
	require.Equal(t, 15, strings.Count(a.alerts.String(), `"client_ip":"203.0.113.9"`))
}

func TestWithoutTrustedProxiesNothingStarts(t *testing.T) {
	for _, value := range []string{"", "none"} {
		all := setting.Map{"listen": "127.0.0.1:0", "trusted_proxies": value}
		_, err := open(all, setting.NewReader(all, Properties()), &cli.Console{Host: clitest.Host, Out: io.Discard, Err: io.Discard})
		require.ErrorContains(t, err, "trusted_proxies")
	}
}

func TestNobodyElseIsBelieved(t *testing.T) {
	a := run(t, setting.Map{"trusted_proxies": "192.0.2.0/24"})
	for name, ask := range asks {
		got := ask(a, "GET", clean, "")
		want := 403
		if name == "crowdsec" {
			want = 401
		}
		require.Equal(t, want, got.status, name)
		require.Equal(t, "none", got.inspected, name)
		require.Contains(t, got.body, "is not in trusted_proxies")
	}
	require.EqualValues(t, len(asks), a.Rejected(untrusted))
	require.Contains(t, a.log.String(), "127.0.0.1")
	require.Zero(t, a.engine.Totals().Passed)
}

// raw sends bytes and returns the answer.
func (a *running) raw(text string) answered {
	a.t.Helper()
	conn, err := net.Dial("tcp", a.address)
	require.NoError(a.t, err)
	defer conn.Close()
	require.NoError(a.t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	_, _ = io.WriteString(conn, text) // the answer may come, and the end with it, before all is written
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(a.t, err)
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body) // what was not read may end the connection
	return answered{response.StatusCode, response.Header.Get(inspectedHeader), "", string(body), response.Header}
}

// What two parties could read differently passes under no description.
func TestAmbiguousDescriptionsAreRefused(t *testing.T) {
	a := run(t, nil)
	method, uri := "X-Forwarded-Method: GET\r\n", "X-Forwarded-Uri: /\r\n"
	for name, c := range map[string]struct {
		path, lines string
		why         server.Rejection
	}{
		"two targets":                    {"/traefik", method + uri + "X-Forwarded-Uri: " + attack + "\r\n", contradicted},
		"the same target twice":          {"/traefik", method + uri + uri, contradicted},
		"two methods":                    {"/traefik", method + "x-forwarded-method: POST\r\n" + uri, contradicted},
		"two hosts":                      {"/traefik", method + uri + "X-Forwarded-Host: a\r\nX-Forwarded-Host: b\r\n", contradicted},
		"no method":                      {"/traefik", uri, missing},
		"no target":                      {"/traefik", method, missing},
		"an empty target":                {"/traefik", method + "X-Forwarded-Uri: \r\n", missing},
		"a target with a blank":          {"/traefik", method + "X-Forwarded-Uri: / HTTP/1.1\r\n", malformed},
		"a target without a slash":       {"/caddy", method + "X-Forwarded-Uri: a\r\n", malformed},
		"an absolute target":             {"/caddy", method + "X-Forwarded-Uri: http://shop.example/\r\n", malformed},
		"a method with a blank":          {"/caddy", "X-Forwarded-Method: GET /x\r\n" + uri, malformed},
		"a tunnel":                       {"/caddy", "X-Forwarded-Method: CONNECT\r\n" + uri, malformed},
		"a host with a path":             {"/caddy", method + uri + "X-Forwarded-Host: a/b\r\n", malformed},
		"two types":                      {"/traefik", method + uri + "Content-Type: a/b\r\nContent-Type: c/d\r\n", contradicted},
		"names of another caller":        {"/nginx", method + uri, missing},
		"names of a third caller":        {"/traefik", "X-Crowdsec-Appsec-Uri: /\r\nX-Crowdsec-Appsec-Verb: GET\r\n", missing},
		"an absolute URI":                {"/nginx", "X-Original-Method: GET\r\nX-Original-URI: http://shop.example/\r\n", malformed},
		"a URL and another URI":          {"/nginx", "X-Original-Method: GET\r\nX-Original-URL: http://a" + attack + "\r\nX-Original-URI: /\r\n", contradicted},
		"a URL without a scheme":         {"/nginx", "X-Original-Method: GET\r\nX-Original-URL: /x\r\n", malformed},
		"a URL without a path":           {"/nginx", "X-Original-Method: GET\r\nX-Original-URL: http://a?b\r\n", malformed},
		"a host that hides the target":   {"/nginx", "X-Original-Method: GET\r\nX-Original-URL: http://a#" + attack + "\r\n", malformed},
		"a host that begins a query":     {"/nginx", "X-Original-Method: GET\r\nX-Original-URL: http://a?b=" + attack + "\r\n", malformed},
		"a host with a user":             {"/nginx", "X-Original-Method: GET\r\nX-Original-URL: http://a@b/\r\n", malformed},
		"a URL without a method":         {"/nginx", "X-Original-URL: http://a/\r\n", missing},
		"a path that nobody has":         {"/", method + uri, unknownPath},
		"a path under that of a caller":  {"/traefik/x", method + uri, unknownPath},
		"a longer path than of a caller": {"/envoyx/", "", unknownPath},
		"Envoy's path alone":             {"/envoy", "", unknownPath},
		"a path that leads out":          {"/envoy/../traefik", "", ""},
	} {
		before := a.Rejected(missing) + a.Rejected(contradicted) + a.Rejected(malformed) + a.Rejected(unknownPath)
		got := a.raw("GET " + c.path + " HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: x\r\nAccept: */*\r\n" + c.lines + "\r\n")
		if c.why == "" { // a request as any other
			require.Equal(t, 403, got.status, name)
			continue
		}
		require.Equal(t, map[bool]int{true: 404, false: 400}[c.why == unknownPath], got.status, name)
		require.Equal(t, "none", got.inspected, name)
		require.Equal(t, before+1, a.Rejected(missing)+a.Rejected(contradicted)+a.Rejected(malformed)+a.Rejected(unknownPath), name)
		require.NotZero(t, a.Rejected(c.why), "%s: %s", name, got.body)
	}
	got := a.raw("GET /crowdsec HTTP/1.1\r\nHost: x\r\nX-Crowdsec-Appsec-Verb: GET\r\nX-Crowdsec-Appsec-Ip: 192.0.2.1\r\n" +
		"X-Crowdsec-Appsec-Uri: /\r\nX-Crowdsec-Appsec-Uri: " + attack + "\r\n\r\n")
	require.Equal(t, 403, got.status, "a bouncer may let requests pass after other statuses")
	require.JSONEq(t, `{"action":"ban","http_status":400}`, got.body)
}

// Attacks arrive as the backend gets them: nothing is decoded, or normalized, on the way to the rules.
func TestTargetsReachTheRulesAsTheyAre(t *testing.T) {
	a := run(t, nil)
	for name, target := range map[string]string{
		"encoded": "/?%64o=%27drop%20table%27", "twice encoded": "/?do=%2527%20or%201%3D1%20--%20union%20select%20password%20from%20users",
		"in a path": "/..%2f..%2fetc/passwd", "dots": "/../../etc/passwd", "a second question mark": "/?a=b?&do='drop%20table'",
		"a path that looks like a host": "//evil.example/../../etc/passwd", "a fragment": "/#/../../etc/passwd",
	} {
		for caller, ask := range asks {
			if caller == "envoy" && name == "a fragment" {
				continue // the test's client removes it
			}
			require.Equal(t, 403, ask(a, "GET", target, "").status, "%s: %s", caller, name)
		}
	}
}

func TestBouncersAreAnsweredInTheirFormat(t *testing.T) {
	a := run(t, setting.Map{"deny_status": "451"})
	require.JSONEq(t, `{"action":"allow","http_status":200}`, asks["crowdsec"](a, "GET", clean, "").body)
	got := asks["crowdsec"](a, "GET", attack, "")
	require.Equal(t, 403, got.status)
	require.JSONEq(t, `{"action":"ban","http_status":451}`, got.body)
	require.Equal(t, 451, asks["traefik"](a, "GET", attack, "").status)
}

func TestThePageIsInTheFormatThatTheClientPrefers(t *testing.T) {
	a := run(t, nil)
	got := asks["traefik"](a, "GET", attack, "")
	require.Contains(t, got.body, "<!doctype html>")
	request, err := http.NewRequest("GET", "http://"+a.address+"/traefik", nil)
	require.NoError(t, err)
	for name, value := range map[string]string{"X-Forwarded-Method": "GET", "X-Forwarded-Uri": attack, "Accept": "application/json", "User-Agent": "x"} {
		request.Header.Set(name, value)
	}
	require.Equal(t, "application/json", a.do(request).header.Get("Content-Type"))
}

func TestDetectAndOffLetAttacksPass(t *testing.T) {
	a := run(t, setting.Map{"engine": "detect"})
	got := asks["caddy"](a, "GET", attack, "")
	require.Equal(t, 200, got.status)
	require.Equal(t, "uri, headers", got.inspected)
	a.end()
	require.Contains(t, a.alerts.String(), "942")

	a = run(t, setting.Map{"engine": "off"})
	got = asks["caddy"](a, "GET", attack, "")
	require.Equal(t, 200, got.status)
	require.Equal(t, "none", got.inspected)
	a.end()
	require.Empty(t, a.alerts.String())
}

func TestBodiesOverTheLimit(t *testing.T) {
	long := "q=" + strings.Repeat("x", 5000)
	a := run(t, setting.Map{"modsec_req_body_limit": "1000"})
	require.Equal(t, 413, asks["traefik"](a, "POST", "/", long, "Content-Type", form).status)
	require.EqualValues(t, 1, a.Rejected(server.BodyTooLong))

	a = run(t, setting.Map{"modsec_req_body_limit": "1000", "body_over_limit": "partial"})
	for name, ask := range asks {
		got := ask(a, "POST", "/", long, "Content-Type", form)
		require.Equal(t, 200, got.status, name)
		require.Equal(t, "uri, headers, body;partial", got.inspected, name)
		require.Equal(t, 403, ask(a, "POST", "/", "do='drop table'&"+long, "Content-Type", form).status, "%s: the start is inspected", name)
	}
	require.Eventually(t, func() bool { return a.Bodies.Used.Load() == 0 }, 10*time.Second, time.Millisecond)

	a = run(t, setting.Map{"modsec_req_body_access": "off"})
	require.Equal(t, "uri, headers", asks["traefik"](a, "POST", "/", long, "Content-Type", form).inspected)
}

// Envoy says whether it has cut a body. Where it does not, nobody knows.
func TestABodyOfEnvoyIsWholeOnlyIfItSaysSo(t *testing.T) {
	a := run(t, setting.Map{"emit_format": "record"})
	for says, want := range map[string]string{"false": "uri, headers, body", "true": "uri, headers, body;partial", "": "uri, headers, body;partial"} {
		header := []string{"Host", "shop.example", "Content-Type", form}
		if says != "" {
			header = append(header, partialBody, says)
		}
		got := a.ask("POST", "/envoy/login", "user=jo", header...)
		require.Equal(t, 200, got.status, says)
		require.Equal(t, want, got.inspected, says)
	}
	a.ask("POST", "/envoy/login", "do='drop table'", "Host", "shop.example", "Content-Type", form, partialBody, "true")
	a.end()
	require.Contains(t, a.alerts.String(), `"partial":["body"]`, "the alert says so, too")
}

// A compressed body has arrived, and nobody has seen what it says.
func TestEncodedBodiesCountAsPartial(t *testing.T) {
	a := run(t, setting.Map{"exclude_rules": "920270,920450,920420"}) // the Core Rule Set allows none
	got := asks["traefik"](a, "POST", "/", "\x1f\x8b\x08\x00", "Content-Type", "text/plain", "Content-Encoding", "gzip")
	require.Equal(t, 200, got.status)
	require.Equal(t, "uri, headers, body;partial", got.inspected)
}

func TestChunkedBodiesAreInspected(t *testing.T) {
	a := run(t, nil)
	head := "POST /traefik HTTP/1.1\r\nHost: waf\r\nUser-Agent: x\r\nAccept: */*\r\nX-Forwarded-Method: POST\r\nX-Forwarded-Uri: /\r\nX-Forwarded-Host: shop.example\r\n" +
		"Content-Type: " + form + "\r\nTransfer-Encoding: chunked\r\n\r\n"
	got := a.raw(head + "6\r\ndo='dr\r\n9\r\nop table'\r\n0\r\n\r\n")
	require.Equal(t, 403, got.status, "an attack in two chunks")
	got = a.raw(head + "3\r\na=b\r\n0\r\n\r\n")
	require.Equal(t, 200, got.status)
	require.Equal(t, "uri, headers, body", got.inspected)
	got = a.raw(head + "3x\r\na=b\r\n0\r\n\r\n")
	require.Equal(t, 400, got.status)
}

// The alert says what was seen, and that the request was blocked.
func TestAlertsSayWhatWasInspected(t *testing.T) {
	a := run(t, setting.Map{"emit_format": "record"})
	asks["traefik"](a, "POST", attack, "", "Content-Type", form)
	asks["traefik"](a, "POST", "/", "do='drop table'", "Content-Type", form)
	a.end()
	lines := strings.Split(strings.TrimSpace(a.alerts.String()), "\n")
	require.Len(t, lines, 2)
	require.Contains(t, lines[0], `"inspected":"uri,headers"`)
	require.NotContains(t, lines[0], "920180", "that no length was described does not mean that there was none")
	require.Contains(t, lines[1], `"inspected":"uri,headers,body"`)
	for _, line := range lines {
		require.Contains(t, line, `"outcome":"blocked"`)
	}
}

func TestRequestsOfHTTP2AreAnswered(t *testing.T) {
	a := run(t, nil)
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	for target, want := range map[string]int{clean: 200, attack: 403} {
		request, err := http.NewRequest("GET", "http://"+a.address+"/envoy"+target, nil)
		require.NoError(t, err)
		request.Host = "shop.example"
		request.Header.Set("User-Agent", "x")
		response, err := transport.RoundTrip(request)
		require.NoError(t, err)
		response.Body.Close()
		require.Equal(t, 2, response.ProtoMajor)
		require.Equal(t, want, response.StatusCode)
	}
}

func TestRequestsUnderWayAreAnsweredAtTheEnd(t *testing.T) {
	a := run(t, nil)
	conn, err := net.Dial("tcp", a.address)
	require.NoError(t, err)
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "POST /traefik HTTP/1.1\r\nHost: waf\r\nX-Forwarded-Method: POST\r\nX-Forwarded-Uri: %s\r\nContent-Length: 3\r\n\r\na=", attack)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return a.Bodies.Used.Load() > 0 }, 10*time.Second, time.Millisecond)
	ended := make(chan struct{})
	go func() { a.end(); close(ended) }()
	time.Sleep(50 * time.Millisecond)
	_, err = io.WriteString(conn, "b")
	require.NoError(t, err)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	response.Body.Close()
	require.Equal(t, 403, response.StatusCode)
	<-ended
	require.Contains(t, a.alerts.String(), "942")
}

func TestHealth(t *testing.T) {
	a := run(t, setting.Map{"trusted_proxies": "192.0.2.1"})
	require.Equal(t, 200, a.ask("GET", "/healthz", "").status)
	require.Equal(t, 200, a.ask("GET", "/readyz", "").status, "whoever asks")
}
