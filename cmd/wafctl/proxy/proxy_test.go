package proxy

import (
	"bufio"
	"compress/gzip"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli/clitest"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/loopback"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/syncbuffer"
)

func TestMain(m *testing.M) { clitest.Main(m, setting.Map{"rule_packs": "off"}) }

// running is a proxy in front of a backend.
type running struct {
	*proxy
	t       testing.TB
	address string // of the proxy
	alerts  syncbuffer.Buffer
	log     syncbuffer.Buffer
	stop    context.CancelFunc
	ended   chan struct{}
	err     error
}

// run starts a proxy in front of a backend, which ends with the test.
func run(t *testing.T, backend string, settings setting.Map) *running {
	t.Helper()
	return runFor(t, backend, settings)
}

func runFor(t testing.TB, backend string, settings setting.Map) *running {
	t.Helper()
	all := setting.Map{"backend": backend, "listen": "127.0.0.1:0", "inspect_timeout": "1m"}
	for name, value := range settings {
		all[name] = value
	}
	p := &running{t: t, ended: make(chan struct{})}
	r := setting.NewReader(all, Properties())
	s, err := open(all, r, &cli.Console{Host: clitest.Host, Out: &p.alerts, Err: &p.log})
	require.NoError(t, err)
	p.proxy, p.address = s, s.Addresses()[0].String()
	ctx, stop := context.WithCancel(t.Context())
	p.stop = stop
	go func() {
		defer close(p.ended)
		p.err = s.Run(ctx)
	}()
	t.Cleanup(func() {
		if p.end(); t.Failed() {
			t.Log(p.log.String(), p.alerts.String())
		}
	})
	require.Eventually(t, s.Ready, time.Minute, time.Millisecond)
	return p
}

// end ends the proxy, and waits for its alerts.
func (p *running) end() {
	p.stop()
	<-p.ended
}

// get asks the proxy for a target of a host.
func (p *running) get(target string, header ...string) (status int, body string) {
	p.t.Helper()
	request, err := http.NewRequest(http.MethodGet, "http://"+p.address+target, nil)
	require.NoError(p.t, err)
	return p.do(request, header...)
}

func (p *running) do(request *http.Request, header ...string) (status int, body string) {
	p.t.Helper()
	request.Host = "shop.example"
	request.Header.Set("User-Agent", "Mozilla/5.0")
	request.Header.Set("Accept", "*/*")
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	require.NoError(p.t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(p.t, err)
	return response.StatusCode, string(text)
}

// raw sends bytes to the proxy and returns its answer, status and body; status 0 when it has closed the connection without one.
func (p *running) raw(text string) (status int, body string) {
	p.t.Helper()
	conn, err := net.Dial("tcp", p.address)
	require.NoError(p.t, err)
	defer conn.Close()
	require.NoError(p.t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	send(conn, text)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		require.NotErrorIs(p.t, err, os.ErrDeadlineExceeded)
		return 0, ""
	}
	defer response.Body.Close()
	all, _ := io.ReadAll(response.Body) // what was not read of the request may end the connection early
	return response.StatusCode, string(all)
}

// send writes what the other side may no longer want: its answer shows.
func send(to io.Writer, text string) { _, _ = io.WriteString(to, text) }

// rawBackend is a backend that writes what it wants on each connection. It returns its URL.
func rawBackend(t testing.TB, serve func(conn net.Conn)) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	go loopback.Accept(l, serve)
	return "http://" + l.Addr().String()
}

// afterRequest is what a backend does once it has read the head of a request.
func afterRequest(answer func(conn net.Conn)) func(net.Conn) {
	return func(conn net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
			answer(conn)
		}
	}
}

// answerEach answers each request that comes, and reads its body.
func answerEach(from io.Reader, to io.Writer, answer string) {
	requests := bufio.NewReader(from)
	for {
		r, err := http.ReadRequest(requests)
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		send(to, answer)
	}
}

// seen is a request as a backend got it.
type seen struct {
	method, target, host string
	header               http.Header
	trailer              http.Header
	body                 string
	chunked              bool
}

// recorder is a backend that keeps what it gets.
type recorder struct {
	*httptest.Server
	mu  sync.Mutex
	all []seen
}

func record(t *testing.T) *recorder {
	b := &recorder{}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // a client that goes away is part of some tests
		b.mu.Lock()
		defer b.mu.Unlock()
		b.all = append(b.all, seen{r.Method, r.RequestURI, r.Host, r.Header, r.Trailer, string(body), len(r.TransferEncoding) > 0})
		send(w, "ok")
	}))
	t.Cleanup(b.Close)
	return b
}

func (b *recorder) last(t *testing.T) seen {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	require.NotEmpty(t, b.all)
	return b.all[len(b.all)-1]
}

func (b *recorder) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.all)
}

const attack = "/?do='drop%20table'"

func TestTheProxyBlocksAndReports(t *testing.T) {
	b := record(t)
	p := run(t, b.URL, nil)
	status, body := p.get("/hello?a=b")
	require.Equal(t, 200, status)
	require.Equal(t, "ok", body)
	require.Equal(t, "/hello?a=b", b.last(t).target)
	require.Equal(t, "shop.example", b.last(t).host)

	status, body = p.get(attack)
	require.Equal(t, 403, status)
	require.Contains(t, body, "<html")
	status, asJSON := p.get(attack, "Accept", "application/json")
	require.Equal(t, 403, status)
	require.Contains(t, asJSON, `{"status":403,"error":"Forbidden","id":"`)
	require.Equal(t, 1, b.count())
	p.end()
	require.NoError(t, p.err)
	_, id, _ := strings.Cut(asJSON, `"id":"`)
	require.Contains(t, p.alerts.String(), `"unique_id":"`+id[:32])
	require.Contains(t, p.alerts.String(), "Detects concatenated basic SQL injection and SQLLFI attempts")
	require.Contains(t, p.log.String(), "1 request passed, 0 passed with an alert, 2 blocked, 0 not inspected")
}

func TestDetectAndOffPass(t *testing.T) {
	b := record(t)
	p := run(t, b.URL, setting.Map{"engine": "detect"})
	status, _ := p.get(attack)
	require.Equal(t, 200, status)
	p.end()
	require.Contains(t, p.alerts.String(), `"http_code":200`)

	p = run(t, b.URL, setting.Map{"engine": "off"})
	status, _ = p.get(attack)
	require.Equal(t, 200, status)
	p.end()
	require.Empty(t, p.alerts.String())
	require.Equal(t, 2, b.count())
}

func TestResponsesAreInspectedBeforeTheyAreSent(t *testing.T) {
	leak := "You have an error in your SQL syntax; check the manual that corresponds to your MySQL server version"
	b := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Content-Type"] = nil
		if kind := r.URL.Query().Get("type"); kind != "" {
			w.Header().Set("Content-Type", kind)
		}
		if r.URL.Query().Has("gzip") {
			w.Header().Set("Content-Encoding", "gzip")
			packed := gzip.NewWriter(w)
			send(packed, "<p>"+leak)
			_ = packed.Close()
			return
		}
		send(w, "<p>"+leak)
		if r.URL.Query().Has("long") {
			w.(http.Flusher).Flush() // of unknown length
			send(w, strings.Repeat("x", 100_000))
		}
	}))
	defer b.Close()
	p := run(t, b.URL, nil)
	for _, target := range []string{"/?type=text/html", "/?type=text/html&long", "/?type=text/html&gzip", "/?type=Text/HTML%20%3Bcharset=utf-8"} {
		status, body := p.get(target)
		require.Equal(t, 403, status, target)
		require.NotContains(t, body, leak)
	}
	status, body := p.get("/?type=image/png&long")
	require.Equal(t, 200, status, "not a type that rules look at")
	require.Len(t, body, 100_003+len(leak))
	response, err := http.Get("http://" + p.address + "/?type=")
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Empty(t, response.Header["Content-Type"], "nobody guesses a type that the backend does not give")
	status, body = p.get("/ok?type=text/css")
	require.Equal(t, 200, status)
	require.Contains(t, body, leak)

	p = run(t, b.URL, setting.Map{"modsec_resp_body_access": "off"})
	status, _ = p.get("/?type=text/html")
	require.Equal(t, 200, status)
}

func TestBodiesAreInspectedAndArriveUnchanged(t *testing.T) {
	b := record(t)
	p := run(t, b.URL, setting.Map{"modsec_req_body_limit": "300000"})
	for name, size := range map[string]int{"small": 10, "in memory": 100_000, "in a file": 200_000, "at the limit": 300_000} {
		for _, length := range []int64{int64(size), -1} {
			body := "q=" + strings.Repeat("x", size-2)
			request, err := http.NewRequest(http.MethodPost, "http://"+p.address+"/", io.NopCloser(strings.NewReader(body)))
			require.NoError(t, err)
			request.ContentLength = length
			status, _ := p.do(request, "Content-Type", "application/x-www-form-urlencoded")
			require.Equal(t, 200, status, name)
			require.Equal(t, body, b.last(t).body, name)
		}
	}
	require.Eventually(t, func() bool { return p.Bodies.Used.Load() == 0 }, 10*time.Second, time.Millisecond, "the memory of all bodies is given back")
	require.NotZero(t, p.Bodies.Spooled.Load())

	attacked := "q=" + strings.Repeat("x", 250_000) + "&do='drop table'"
	request, err := http.NewRequest(http.MethodPost, "http://"+p.address+"/", strings.NewReader(attacked))
	require.NoError(t, err)
	before := b.count()
	status, _ := p.do(request, "Content-Type", "application/x-www-form-urlencoded")
	require.Equal(t, 403, status)
	require.Equal(t, before, b.count())
}

func TestBodiesOverTheLimit(t *testing.T) {
	b := record(t)
	long := "q=" + strings.Repeat("x", 5000)
	post := func(p *running, length int64) int {
		request, err := http.NewRequest(http.MethodPost, "http://"+p.address+"/", io.NopCloser(strings.NewReader(long)))
		require.NoError(t, err)
		request.ContentLength = length
		status, _ := p.do(request, "Content-Type", "application/x-www-form-urlencoded")
		return status
	}
	p := run(t, b.URL, setting.Map{"modsec_req_body_limit": "1000"})
	require.Equal(t, 413, post(p, int64(len(long))))
	require.Equal(t, 413, post(p, -1))
	require.Zero(t, b.count())

	p = run(t, b.URL, setting.Map{"modsec_req_body_limit": "1000", "body_over_limit": "partial"})
	for _, length := range []int64{int64(len(long)), -1} {
		require.Equal(t, 200, post(p, length))
		require.Equal(t, long, b.last(t).body)
	}
	require.EqualValues(t, 2, p.engine.Filter().Counts().Partial)
	long = "do='drop table'&" + long
	require.Equal(t, 403, post(p, -1), "the start is inspected")
	p.end()
	require.Contains(t, p.alerts.String(), "942360")
}

func TestTheMemoryForBodiesIsBounded(t *testing.T) {
	b := record(t)
	p := run(t, b.URL, setting.Map{"body_memory": "1K"})
	request, err := http.NewRequest(http.MethodPost, "http://"+p.address+"/", strings.NewReader("q="+strings.Repeat("x", 2000)))
	require.NoError(t, err)
	status, _ := p.do(request, "Content-Type", "application/x-www-form-urlencoded")
	require.Equal(t, 200, status)
	require.EqualValues(t, 1, p.Bodies.Spooled.Load())
	require.Len(t, b.last(t).body, 2002)
}

func TestStreamsAreNotHeldBack(t *testing.T) {
	next := make(chan struct{})
	b := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", r.URL.Query().Get("type"))
		send(w, "data: 1\n\n")
		w.(http.Flusher).Flush()
		<-next
		send(w, "data: 2\n\n")
	}))
	defer b.Close()
	p := run(t, b.URL, setting.Map{"response_wait": "100ms"})
	for _, kind := range []string{"text/event-stream", "text/plain"} { // text/plain is inspected, and held back for a while
		response, err := http.Get("http://" + p.address + "/?type=" + kind)
		require.NoError(t, err)
		lines := bufio.NewReader(response.Body)
		first, err := lines.ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, "data: 1\n", first)
		next <- struct{}{}
		all, err := io.ReadAll(lines)
		require.NoError(t, err)
		require.Equal(t, "\ndata: 2\n\n", string(all))
		response.Body.Close()
	}
}

func TestWebSocketsPass(t *testing.T) {
	b := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "websocket" {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		conn, io, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		send(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		line, _ := io.ReadString('\n')
		send(conn, "echo "+line)
	}))
	defer b.Close()
	p := run(t, b.URL, nil)
	head := func(target, upgrade string) string {
		return "GET " + target + " HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: x\r\nAccept: */*\r\nConnection: Upgrade\r\nUpgrade: " + upgrade + "\r\n\r\n"
	}
	conn, err := net.Dial("tcp", p.address)
	require.NoError(t, err)
	defer conn.Close()
	send(conn, head("/chat", "websocket"))
	answer := bufio.NewReader(conn)
	response, err := http.ReadResponse(answer, nil)
	require.NoError(t, err)
	require.Equal(t, 101, response.StatusCode)
	require.NoError(t, response.Body.Close())
	send(conn, "hello\n")
	line, err := answer.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "echo hello\n", line)
	require.EqualValues(t, 1, p.counts.streams[webSocket].Load())

	status, _ := p.raw(head(attack, "websocket"))
	require.Equal(t, 403, status)
	status, _ = p.raw(head("/", "h2c")) // a tunnel that nobody would look into
	require.Equal(t, http.StatusTeapot, status)
}

func TestOnlyTrustedProxiesNameTheClient(t *testing.T) {
	b := record(t)
	p := run(t, b.URL, setting.Map{"trusted_proxies": "127.0.0.1"})
	p.get("/", "X-Forwarded-For", "203.0.113.9, 198.51.100.4", "X-Forwarded-Proto", "https", "X-Real-IP", "1.1.1.1")
	got := b.last(t).header
	require.Equal(t, []string{"203.0.113.9, 198.51.100.4, 127.0.0.1"}, got["X-Forwarded-For"])
	require.Equal(t, []string{"198.51.100.4"}, got["X-Real-Ip"])
	require.Equal(t, []string{"https"}, got["X-Forwarded-Proto"])
	p.get(attack, "X-Forwarded-For", "203.0.113.9")
	p.end()
	require.Contains(t, p.alerts.String(), `"client_ip":"203.0.113.9"`)

	p = run(t, b.URL, nil)
	p.get("/", "X-Forwarded-For", "203.0.113.9", "X-Forwarded-Proto", "https", "X-Real-IP", "1.1.1.1", "Forwarded", "for=1.1.1.1")
	got = b.last(t).header
	require.Equal(t, []string{"127.0.0.1"}, got["X-Forwarded-For"])
	require.Equal(t, []string{"127.0.0.1"}, got["X-Real-Ip"])
	require.Equal(t, []string{"http"}, got["X-Forwarded-Proto"])
	require.Empty(t, got["Forwarded"])
}

func TestHealth(t *testing.T) {
	b := record(t)
	p := run(t, b.URL, nil)
	for _, path := range []string{"/healthz", "/readyz"} {
		status, body := p.get(path)
		require.Equal(t, 200, status)
		require.Equal(t, "OK\n", body)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	p.Drain(gone)
	status, _ := p.get("/readyz")
	require.Equal(t, 503, status)
	status, _ = p.get("/healthz")
	require.Equal(t, 200, status)
	require.Zero(t, b.count())

	p = run(t, b.URL, setting.Map{"health_listen": "127.0.0.1:0"})
	status, body := p.get("/healthz")
	require.Equal(t, 200, status)
	require.Equal(t, "ok", body, "is the backend's")
	response, err := http.Get("http://" + p.Addresses()[1].String() + "/readyz")
	require.NoError(t, err)
	response.Body.Close()
	require.Equal(t, 200, response.StatusCode)
}
