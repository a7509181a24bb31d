package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/inline/server"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// common are headers that keep the Core Rule Set from alerting on their absence.
const common = "Host: shop.example\r\nUser-Agent: Mozilla/5.0\r\nAccept: */*\r\n"

// wire is a backend that keeps the bytes that it gets, and answers each request head with ok.
type wire struct {
	url string
	mu  sync.Mutex
	all string
}

func listenRaw(t *testing.T) *wire {
	w := &wire{}
	w.url = rawBackend(t, func(conn net.Conn) {
		answerEach(io.TeeReader(conn, w), conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	})
	return w
}

// Write keeps bytes that have arrived.
func (w *wire) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all += string(b)
	return len(b), nil
}

// take returns what has arrived, and forgets it.
func (w *wire) take() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := w.all
	w.all = ""
	return all
}

// What the rules see is what the backend gets: the target as it came, byte for byte.
func TestTargetsArriveAsTheyCame(t *testing.T) {
	w := listenRaw(t)
	p := run(t, w.url, nil)
	for _, target := range []string{
		"/", "/a?", "/a?b=c", "/a/../b", "/a/./b", "/a//b", "//a/b", "///a", "/%61%2F", "/%2e%2e/a", "/a%20b", "/a;b=c", "/a?b=c;d=e", "/a?b=%zz&c", "/a%zz",
		"/a?b=[1]", "/ü", "/a?x=http://b/", "/~u/!$&'()*+,;=:@", "/a|b", "/a?q=\"x\"", "/a#b?c", "*", "//a|b", "//a|b%2fc", "//a\"b",
	} {
		method := "GET"
		if target == "*" {
			method = "OPTIONS"
		}
		status, _ := p.raw(method + " " + target + " HTTP/1.1\r\n" + common + "Connection: close\r\n\r\n")
		line, _, _ := strings.Cut(w.take(), "\r\n")
		switch status {
		case 200:
			require.Equal(t, method+" "+target+" HTTP/1.1", line)
		case 400, 403: // malformed, or an attack
			require.Empty(t, line, target)
		default:
			t.Errorf("%s: status %d", target, status)
		}
	}
}

func TestRequestsThatAreAmbiguousDoNotArrive(t *testing.T) {
	w := listenRaw(t)
	p := run(t, w.url, nil)
	form := common + "Content-Type: application/x-www-form-urlencoded\r\n"
	for name, text := range map[string]string{
		"two lengths":                      "POST / HTTP/1.1\r\n" + form + "Content-Length: 3\r\nContent-Length: 4\r\n\r\na=bc",
		"a list of lengths":                "POST / HTTP/1.1\r\n" + form + "Content-Length: 3, 4\r\n\r\na=bc",
		"a length with a sign":             "POST / HTTP/1.1\r\n" + form + "Content-Length: +3\r\n\r\na=b",
		"a negative length":                "POST / HTTP/1.1\r\n" + form + "Content-Length: -1\r\n\r\na=b",
		"chunked twice":                    "POST / HTTP/1.1\r\n" + form + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
		"chunked and something else":       "POST / HTTP/1.1\r\n" + form + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
		"an unknown coding":                "POST / HTTP/1.1\r\n" + form + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
		"a blank before the colon":         "POST / HTTP/1.1\r\n" + form + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
		"a coding with a control":          "POST / HTTP/1.1\r\n" + form + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
		"a chunk size with rubbish":        "POST / HTTP/1.1\r\n" + form + "Transfer-Encoding: chunked\r\n\r\n3x\r\na=b\r\n0\r\n\r\n",
		"a chunk that is longer":           "POST / HTTP/1.1\r\n" + form + "Transfer-Encoding: chunked\r\n\r\n3\r\na=bcd\r\n0\r\n\r\n",
		"two hosts":                        "GET / HTTP/1.1\r\n" + common + "Host: other.example\r\n\r\n",
		"no host":                          "GET / HTTP/1.1\r\nUser-Agent: x\r\nAccept: */*\r\n\r\n",
		"an empty host":                    "GET / HTTP/1.1\r\nHost:\r\nUser-Agent: x\r\nAccept: */*\r\n\r\n",
		"a host with a path":               "GET / HTTP/1.1\r\nHost: shop.example/x\r\nUser-Agent: x\r\nAccept: */*\r\n\r\n",
		"a null in a value":                "GET / HTTP/1.1\r\n" + common + "X-A: a\x00b\r\n\r\n",
		"a name with a blank":              "GET / HTTP/1.1\r\n" + common + "X A: b\r\n\r\n",
		"a line without a colon":           "GET / HTTP/1.1\r\n" + common + "XA\r\n\r\n",
		"a carriage return alone":          "GET / HTTP/1.1\r\n" + common + "X-A: b\rX-B: c\r\n\r\n",
		"a target with a blank":            "GET /a b HTTP/1.1\r\n" + common + "\r\n",
		"a target without a slash":         "GET a HTTP/1.1\r\n" + common + "\r\n",
		"an opaque target":                 "GET mailto:a@b HTTP/1.1\r\n" + common + "\r\n",
		"a target with a user":             "GET http://a:b@shop.example/ HTTP/1.1\r\n" + common + "\r\n",
		"a tunnel":                         "CONNECT shop.example:80 HTTP/1.1\r\n" + common + "\r\n",
		"no version":                       "GET /\r\n" + common + "\r\n",
		"an unknown version":               "GET / HTTP/1.9x\r\n" + common + "\r\n",
		"two types":                        "POST / HTTP/1.1\r\n" + form + "Content-Type: text/plain\r\nContent-Length: 3\r\n\r\na=b",
		"two sets of credentials":          "GET / HTTP/1.1\r\n" + common + "Authorization: Basic YTpi\r\nAuthorization: Basic YTpj\r\n\r\n",
		"a continuation before a header":   "GET / HTTP/1.1\r\n x: y\r\n" + common + "\r\n",
		"an expectation that nobody knows": "POST / HTTP/1.1\r\n" + form + "Expect: 200-ok\r\nContent-Length: 3\r\n\r\na=b",
	} {
		status, _ := p.raw(text)
		require.Contains(t, []int{0, 400, 403, 405, 417, 501, 505}, status, name)
		time.Sleep(time.Millisecond)
		require.Empty(t, w.take(), name)
	}
}

// A length besides chunked framing is what request smuggling is made of: one framing arrives, and a second request in the body stays a body.
func TestASecondRequestInABodyStaysABody(t *testing.T) {
	w := listenRaw(t)
	p := run(t, w.url, nil)
	inner := "GET /admin HTTP/1.1\r\nHost: x\r\n\r\n"
	text := "POST /a HTTP/1.1\r\n" + common + "Content-Type: text/plain\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n" +
		fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(inner), inner)
	status, _ := p.raw(text)
	got := w.take()
	if status == 200 {
		require.Contains(t, got, fmt.Sprintf("Content-Length: %d\r\n", len(inner)))
		require.NotContains(t, got, "Transfer-Encoding")
		require.Equal(t, 1, strings.Count(got, "X-Real-Ip"), "one request")
	} else {
		require.Empty(t, got)
	}
	require.Contains(t, []int{200, 400, 403}, status)
}

func TestChunkedBodiesArriveAsTheyWereInspected(t *testing.T) {
	w := listenRaw(t)
	p := run(t, w.url, nil)
	status, _ := p.raw("POST /a HTTP/1.1\r\n" + common + "Content-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n" +
		"2;ext=1\r\na=\r\n1\r\nb\r\n0\r\nX-T: ' or 1=1--\r\n\r\n")
	require.Equal(t, 200, status)
	got := w.take()
	require.Contains(t, got, "Content-Length: 3\r\n")
	require.True(t, strings.HasSuffix(got, "\r\n\r\na=b"), got)
	require.NotContains(t, got, "X-T", "trailers were not inspected")
	status, _ = p.raw("POST /a HTTP/1.1\r\n" + common + "Content-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n" +
		"6\r\ndo='dr\r\n9\r\nop table'\r\n0\r\n\r\n")
	require.Equal(t, 403, status, "an attack in two chunks")
	require.Empty(t, w.take())
}

// HTTP/1.0 has no chunked framing: what looks like it is nobody's body, and the connection ends.
func TestFramesOfHTTP10DoNotArrive(t *testing.T) {
	w := listenRaw(t)
	p := run(t, w.url, nil)
	p.raw("POST / HTTP/1.0\r\n" + common + "Transfer-Encoding: chunked\r\n\r\n12\r\nGET /x HTTP/1.1\r\n\r\n\r\n0\r\n\r\n")
	time.Sleep(10 * time.Millisecond)
	got := w.take()
	require.NotContains(t, got, "GET /x")
	require.NotContains(t, got, "Transfer-Encoding")
}

// A client must not remove headers that the rules have seen, nor those that the proxy sets.
func TestConnectionRemovesNothingThatWasInspected(t *testing.T) {
	w := listenRaw(t)
	p := run(t, w.url, nil)
	status, _ := p.raw("GET / HTTP/1.1\r\n" + common + "Connection: close, X-Real-IP, X-Forwarded-For, X-Own, Cookie\r\nX-Own: 1\r\nCookie: a=b\r\n\r\n")
	require.Equal(t, 200, status)
	got := w.take()
	require.Contains(t, got, "X-Real-Ip: 127.0.0.1\r\n")
	require.Contains(t, got, "X-Forwarded-For: 127.0.0.1\r\n")
	require.NotContains(t, got, "X-Own")
	require.NotContains(t, got, "Cookie")

	// Without its Content-Type a body is read otherwise: the rules see it as the backend does.
	body := `{"a":"b"}`
	status, _ = p.raw("POST / HTTP/1.1\r\n" + common + "Connection: close, Content-Type\r\nContent-Type: application/json\r\n" +
		fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body))
	if got := w.take(); status == 200 {
		require.NotContains(t, got, "application/json")
	}
}

func TestAbsoluteTargetsNameTheHost(t *testing.T) {
	w := listenRaw(t)
	p := run(t, w.url, nil)
	status, _ := p.raw("GET http://other.example/a?b=c HTTP/1.1\r\n" + common + "Connection: close\r\n\r\n")
	require.Equal(t, 200, status)
	got := w.take()
	require.True(t, strings.HasPrefix(got, "GET /a?b=c HTTP/1.1\r\nHost: other.example\r\n"), got)
	require.NotContains(t, got, "shop.example")
	status, _ = p.raw("GET http://other.example" + strings.ReplaceAll(attack, " ", "%20") + " HTTP/1.1\r\n" + common + "Connection: close\r\n\r\n")
	require.Equal(t, 403, status)
}

func TestExpectIsAnsweredByTheProxy(t *testing.T) {
	w := listenRaw(t)
	p := run(t, w.url, setting.Map{"exclude_rules": "920450"}) // the Core Rule Set allows no Expect
	conn, err := net.Dial("tcp", p.address)
	require.NoError(t, err)
	defer conn.Close()
	send(conn, "POST / HTTP/1.1\r\n"+common+"Content-Type: application/x-www-form-urlencoded\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
	answer := bufio.NewReader(conn)
	line, err := answer.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "HTTP/1.1 100 Continue\r\n", line)
	require.Empty(t, w.take())
	_, err = answer.ReadString('\n')
	require.NoError(t, err)
	send(conn, "a=b")
	response, err := http.ReadResponse(answer, nil)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, 200, response.StatusCode)
	got := w.take()
	require.NotContains(t, got, "Expect")
	require.True(t, strings.HasSuffix(got, "a=b"))
}

func TestHeadersAreBounded(t *testing.T) {
	w := listenRaw(t)
	p := run(t, w.url, nil)
	status, _ := p.raw("GET / HTTP/1.1\r\n" + common + strings.Repeat("X-A: b\r\n", 250) + "\r\n")
	require.Equal(t, 431, status)
	status, _ = p.raw("GET / HTTP/1.1\r\n" + common + "X-A: " + strings.Repeat("b", 100_000) + "\r\n\r\n")
	require.Contains(t, []int{0, 431}, status)
	require.Empty(t, w.take())
	require.EqualValues(t, 1, p.Rejected(server.TooManyHeaders))
}

// A backend that knows no WebSockets answers the handshake like any other request, and takes its body: that is inspected.
func TestABodyDoesNotHideBehindAnUpgrade(t *testing.T) {
	w := listenRaw(t)
	p := run(t, w.url, nil)
	for _, method := range []string{"POST", "GET"} {
		for _, framing := range []string{"Content-Length: 15\r\n\r\ndo='drop table'", "Transfer-Encoding: chunked\r\n\r\nf\r\ndo='drop table'\r\n0\r\n\r\n"} {
			status, _ := p.raw(method + " / HTTP/1.1\r\n" + common + "Content-Type: application/x-www-form-urlencoded\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" + framing)
			require.Equal(t, 403, status)
			require.Empty(t, w.take())
		}
	}
	status, _ := p.raw("POST / HTTP/1.1\r\n" + common + "Content-Type: application/x-www-form-urlencoded\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 3\r\n\r\na=b")
	require.Equal(t, 200, status)
	require.NotContains(t, w.take(), "Upgrade", "it is no handshake any more")
}

// A type that the client writes does not keep its body from inspection: gRPC needs a backend with HTTP/2, and the type exactly.
func TestABodyDoesNotHideBehindTheTypeOfGRPC(t *testing.T) {
	w := listenRaw(t)
	p := run(t, w.url, setting.Map{"exclude_rules": "920420"}) // the Core Rule Set allows few types
	call := func(kind string) []hpack.HeaderField {
		return []hpack.HeaderField{{Name: ":method", Value: "POST"}, {Name: ":scheme", Value: "http"}, {Name: ":authority", Value: "shop.example"},
			{Name: ":path", Value: "/"}, {Name: "user-agent", Value: "x"}, {Name: "accept", Value: "*/*"}, {Name: "content-type", Value: kind}}
	}
	require.False(t, p.http2(call("application/grpc"), "do='drop table'"))
	require.Empty(t, w.take())
	require.Zero(t, p.counts.streams[grpc].Load())
	for kind, is := range map[string]bool{
		"application/grpc": true, "application/grpc+proto": true, "application/grpc;charset=utf-8": true, "application/grpcx": false, "application/grpc-web": false,
	} {
		r := &http.Request{Method: http.MethodPost, ProtoMajor: 2, Header: http.Header{"Content-Type": {kind}}}
		require.Equal(t, is, isGRPC(r), kind)
	}
}

// Many backends read X_Real_IP as X-Real-IP, and take both for what the proxy says.
func TestClientsDoNotDescribeTheirWay(t *testing.T) {
	w := listenRaw(t)
	p := run(t, w.url, nil)
	status, _ := p.raw("GET / HTTP/1.1\r\n" + common + "X_Forwarded_For: 198.51.100.1\r\nx_real-ip: 198.51.100.1\r\nContent_Length: 1\r\nX_Own: 1\r\n" +
		"X-Forwarded-Port: 1\r\nX-Forwarded-Prefix: /198.51.100.1\r\n\r\n")
	require.Equal(t, 200, status)
	got := w.take()
	require.NotContains(t, got, "198.51.100.1")
	require.NotContains(t, strings.ToLower(got), "content_length")
	require.NotContains(t, got, "X-Forwarded-Port")
	require.Contains(t, got, "X_own: 1\r\n", "is nobody else's")

	p = run(t, w.url, setting.Map{"trusted_proxies": "10.0.0.0/8", "real_ip_header": "CF-Connecting-IP"})
	p.raw("GET / HTTP/1.1\r\n" + common + "CF-Connecting-IP: 198.51.100.1\r\n\r\n")
	require.NotContains(t, w.take(), "198.51.100.1")

	p = run(t, w.url, setting.Map{"trusted_proxies": "127.0.0.1"})
	p.raw("GET / HTTP/1.1\r\n" + common + "X-Forwarded-Port: 8443\r\nX_Forwarded_For: 198.51.100.1\r\n\r\n")
	got = w.take()
	require.Contains(t, got, "X-Forwarded-Port: 8443\r\n")
	require.NotContains(t, got, "198.51.100.1", "a proxy writes names as they are")
}

// What a coding hides has not been seen, and nobody says so.
func TestCodedBodiesCountAsPartial(t *testing.T) {
	b := record(t)
	p := run(t, b.URL, setting.Map{"exclude_rules": "920450,920420,920270"}) // the Core Rule Set allows no codings
	post := func(coding, body string) {
		status, _ := p.raw("POST / HTTP/1.1\r\n" + common + "Content-Type: text/plain\r\nContent-Encoding: " + coding + "\r\nContent-Length: 3\r\n\r\n" + body)
		require.Equal(t, 200, status)
	}
	post("identity", "a=b")
	post("gzip", "a=b") // is none, and inspected as it is
	require.Zero(t, p.engine.Filter().Counts().Partial)
	post("gzip", "\x1f\x8b\x08")
	post("aws-chunked, zstd", "a=b")
	require.EqualValues(t, 2, p.engine.Filter().Counts().Partial)
}

// HTTP/2 has its own ways to say too much: lengths that contradict the frames, headers of connections, and line ends in values.
func TestRequestsOfHTTP2ThatAreAmbiguousDoNotArrive(t *testing.T) {
	w := listenRaw(t)
	p := run(t, w.url, nil)
	basic := []hpack.HeaderField{{Name: ":method", Value: "POST"}, {Name: ":scheme", Value: "http"}, {Name: ":authority", Value: "shop.example"},
		{Name: ":path", Value: "/"}, {Name: "user-agent", Value: "x"}, {Name: "accept", Value: "*/*"}, {Name: "content-type", Value: "application/json"}}
	for name, extra := range map[string][]hpack.HeaderField{
		"a length that is too short": {{Name: "content-length", Value: "1"}},
		"framing of HTTP/1":          {{Name: "transfer-encoding", Value: "chunked"}},
		"a connection":               {{Name: "connection", Value: "x"}},
		"a line end in a value":      {{Name: "x-a", Value: "b\r\nX-C: d"}},
		"a name in capitals":         {{Name: "X-A", Value: "b"}},
		"a second path":              {{Name: ":path", Value: "/b"}},
		"two lengths":                {{Name: "content-length", Value: "5"}, {Name: "content-length", Value: "1"}},
		"a coding of the transfer":   {{Name: "te", Value: "gzip"}},
		"an upgrade":                 {{Name: "upgrade", Value: "websocket"}},
		"a protocol":                 {{Name: ":protocol", Value: "websocket"}},
	} {
		require.False(t, p.http2(append(append([]hpack.HeaderField{}, basic...), extra...), `"abc"`), name)
		time.Sleep(time.Millisecond)
		require.Empty(t, w.take(), name)
	}
	require.True(t, p.http2(basic, `"abc"`), "without any of it")
	require.True(t, strings.HasSuffix(w.take(), `"abc"`))
}

// HTTP/2 may name a host besides its authority; rules and backend get the authority alone.
func TestTheHostOfHTTP2IsItsAuthority(t *testing.T) {
	w := listenRaw(t)
	rule := filepath.Join(t.TempDir(), "hosts.conf")
	require.NoError(t, os.WriteFile(rule, []byte(`SecRule &REQUEST_HEADERS:Host "@gt 1" "id:100,phase:1,deny,log,msg:'two hosts'"`), 0o600))
	p := run(t, w.url, setting.Map{"rules": rule})
	require.True(t, p.http2([]hpack.HeaderField{{Name: ":method", Value: "GET"}, {Name: ":scheme", Value: "http"}, {Name: ":authority", Value: "shop.example"},
		{Name: ":path", Value: "/"}, {Name: "host", Value: "other.example"}, {Name: "cookie", Value: "a=b"}, {Name: "cookie", Value: "c=d"}}, ""))
	got := w.take()
	require.Contains(t, got, "Host: shop.example\r\n")
	require.NotContains(t, got, "other.example")
	require.Contains(t, got, "Cookie: a=b; c=d\r\n", "crumbs are one header")
}

// A head of HTTP/2 in endless frames ends the connection, and takes no more memory than heads may.
func TestEndlessHeadsOfHTTP2End(t *testing.T) {
	w := listenRaw(t)
	p := run(t, w.url, nil)
	conn, err := net.Dial("tcp", p.address)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	send(conn, http2.ClientPreface)
	framer := http2.NewFramer(conn, conn)
	require.NoError(t, framer.WriteSettings())
	var block strings.Builder
	encoder := hpack.NewEncoder(&block)
	require.NoError(t, encoder.WriteField(hpack.HeaderField{Name: "x-a", Value: strings.Repeat("b", 8000)}))
	require.NoError(t, framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte(block.String())}))
	sent := 0
	for range 10_000 { // 60 MB, unless it ends
		sent += block.Len()
		if err = framer.WriteContinuation(1, false, []byte(block.String())); err != nil {
			break
		}
	}
	require.Error(t, err, "the connection is closed")
	t.Logf("an endless head of HTTP/2 ends the connection after %d kB that the client has written, buffers of the kernel included", sent>>10)
	require.Empty(t, w.take())
}

// http2 sends one request over HTTP/2 and reports whether the answer has status 200.
func (p *running) http2(fields []hpack.HeaderField, body string) bool {
	p.t.Helper()
	conn, err := net.Dial("tcp", p.address)
	require.NoError(p.t, err)
	defer conn.Close()
	require.NoError(p.t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	send(conn, http2.ClientPreface)
	framer := http2.NewFramer(conn, conn)
	require.NoError(p.t, framer.WriteSettings())
	var block strings.Builder
	encoder := hpack.NewEncoder(&block)
	for _, f := range fields {
		require.NoError(p.t, encoder.WriteField(f))
	}
	require.NoError(p.t, framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte(block.String()), EndHeaders: true}))
	_ = framer.WriteData(1, true, []byte(body)) // the stream may be closed already
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return false
		}
		switch f := frame.(type) {
		case *http2.MetaHeadersFrame:
			return f.PseudoValue("status") == "200"
		case *http2.RSTStreamFrame, *http2.GoAwayFrame:
			return false
		}
	}
}
