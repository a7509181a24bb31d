package proxy

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/inline/server"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/loopback"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// A client that sends its head or its body drop by drop is answered, or cut off, in time.
func TestSlowClientsAreCutOff(t *testing.T) {
	t.Parallel()
	b := record(t)
	p := run(t, b.URL, setting.Map{"header_timeout": "300ms", "body_timeout": "300ms"})
	for name, c := range map[string]struct {
		start  string
		status int
	}{
		"a head": {"GET / HTTP/1.1\r\nHost: shop.example\r\n", 0},
		"a body": {"POST / HTTP/1.1\r\n" + common + "Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n", http.StatusRequestTimeout},
	} {
		conn, err := net.Dial("tcp", p.address)
		require.NoError(t, err)
		send(conn, c.start)
		dripping := make(chan struct{})
		go func() {
			defer close(dripping)
			for range 1000 { // 20 seconds
				if _, err := conn.Write([]byte("x")); err != nil {
					return
				}
				time.Sleep(20 * time.Millisecond)
			}
		}()
		begin := time.Now()
		require.NoError(t, conn.SetReadDeadline(begin.Add(30*time.Second)))
		answer, _ := io.ReadAll(conn)
		took := time.Since(begin)
		require.Less(t, took, 10*time.Second, name)
		t.Logf("%s that comes byte by byte ends after %v, with a time limit of 300ms", name, took.Round(time.Millisecond))
		if c.status != 0 {
			require.Contains(t, string(answer), fmt.Sprint(c.status), name)
		}
		conn.Close()
		<-dripping
	}
	require.Zero(t, b.count())
	require.Eventually(t, func() bool { return p.Bodies.Used.Load() == 0 }, 10*time.Second, time.Millisecond)
}

// dialHTTP2 opens a connection of HTTP/2, on which nothing is read by itself.
func (p *running) dialHTTP2(settings ...http2.Setting) (net.Conn, *http2.Framer) {
	p.t.Helper()
	conn, err := net.Dial("tcp", p.address)
	require.NoError(p.t, err)
	p.t.Cleanup(func() { conn.Close() })
	require.NoError(p.t, conn.SetDeadline(time.Now().Add(30*time.Second)))
	send(conn, http2.ClientPreface)
	framer := http2.NewFramer(conn, conn)
	require.NoError(p.t, framer.WriteSettings(settings...))
	return conn, framer
}

// ask begins a request on a stream; one that is whole has no body.
func ask(t testing.TB, framer *http2.Framer, stream uint32, method string, whole bool) {
	t.Helper()
	var block strings.Builder
	encoder := hpack.NewEncoder(&block)
	for _, f := range [][2]string{{":method", method}, {":scheme", "http"}, {":authority", "shop.example"}, {":path", "/"}, {"user-agent", "x"}, {"accept", "*/*"},
		{"content-type", "application/json"}} {
		require.NoError(t, encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}))
	}
	require.NoError(t, framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: []byte(block.String()), EndHeaders: true, EndStream: whole}))
}

// The same over HTTP/2: a body that does not come, and a response for which the client opens no window.
func TestSlowClientsOfHTTP2AreCutOff(t *testing.T) {
	t.Parallel()
	var served atomic.Int64
	b := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		served.Add(1)
		w.Header().Set("Content-Type", "application/octet-stream")
		_, _ = w.Write(make([]byte, 1<<20))
	}))
	defer b.Close()
	p := run(t, b.URL, setting.Map{"body_timeout": "300ms", "send_timeout": "3s"})
	_, framer := p.dialHTTP2()
	ask(t, framer, 1, "POST", false)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	begin := time.Now()
	for status := ""; status == ""; {
		frame, err := framer.ReadFrame()
		require.NoError(t, err)
		if head, is := frame.(*http2.MetaHeadersFrame); is {
			status = head.PseudoValue("status")
			require.Equal(t, "408", status)
		}
	}
	require.Less(t, time.Since(begin), 5*time.Second)
	t.Logf("a body that does not come, in HTTP/2, gets 408 after %v, with a body_timeout of 300ms", time.Since(begin).Round(time.Millisecond))

	begin = time.Now()
	_, framer = p.dialHTTP2(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	for stream := range uint32(20) {
		ask(t, framer, 2*stream+1, "GET", true)
	}
	require.Eventually(t, func() bool { return served.Load() == 20 }, 25*time.Second, time.Millisecond)
	require.Eventually(t, func() bool { return p.InFlight() == 0 }, 25*time.Second, 10*time.Millisecond, "a client that takes nothing holds no request")
	t.Logf("20 responses without a window, in HTTP/2, end after %v, with a send_timeout of 3s", time.Since(begin).Round(time.Millisecond))
}

// The time for a client to take a response does not run while the backend has nothing to say.
func TestStreamsOfHTTP2MayPause(t *testing.T) {
	t.Parallel()
	b := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		send(w, "data: 1\n\n")
		w.(http.Flusher).Flush()
		time.Sleep(3 * time.Second)
		send(w, "data: 1\n\n")
	}))
	defer b.Close()
	p := run(t, b.URL, setting.Map{"send_timeout": "2s"})
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	request, err := http.NewRequest(http.MethodGet, "http://"+p.address+"/", nil)
	require.NoError(t, err)
	request.Header = http.Header{"Accept": {"*/*"}, "User-Agent": {"x"}}
	request.Host = "shop.example"
	response, err := transport.RoundTrip(request)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, 2, response.ProtoMajor)
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, "data: 1\n\ndata: 1\n\n", string(text))
}

// Requests that are taken back at once, thousands of them on one connection, neither pile up nor reach the backend without inspection.
func TestRequestsThatAreTakenBackDoNotPileUp(t *testing.T) {
	b := record(t)
	p := run(t, b.URL, nil)
	conn, framer := p.dialHTTP2()
	go func() { _, _ = io.Copy(io.Discard, conn) }()
	most := int64(0)
	for stream := range uint32(5000) {
		var block strings.Builder
		encoder := hpack.NewEncoder(&block)
		for _, f := range [][2]string{{":method", "GET"}, {":scheme", "http"}, {":authority", "shop.example"}, {":path", attack}, {"user-agent", "x"}, {"accept", "*/*"}} {
			require.NoError(t, encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}))
		}
		if framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 2*stream + 1, BlockFragment: []byte(block.String()), EndHeaders: true, EndStream: true}) != nil ||
			framer.WriteRSTStream(2*stream+1, http2.ErrCodeCancel) != nil {
			break // the connection is closed: as good
		}
		most = max(most, p.InFlight())
	}
	require.LessOrEqual(t, most, int64(128), "as many as streams may be open")
	t.Logf("of 5,000 requests taken back at once, at most %d were under way", most)
	require.Eventually(t, func() bool { return p.InFlight() == 0 }, 25*time.Second, 10*time.Millisecond)
	require.Zero(t, b.count(), "each is an attack")
}

// A client that takes nothing of a response does not hold its connection forever.
func TestClientsThatTakeNothingAreCutOff(t *testing.T) {
	ended := make(chan error, 1)
	b := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/octet-stream")
		chunk := make([]byte, 64<<10)
		for range 10_000 {
			if _, err := w.Write(chunk); err != nil {
				ended <- err
				return
			}
		}
		ended <- nil
	}))
	defer b.Close()
	p := run(t, b.URL, setting.Map{"send_timeout": "300ms"})
	conn, err := net.Dial("tcp", p.address)
	require.NoError(t, err)
	defer conn.Close()
	send(conn, "GET / HTTP/1.1\r\n"+common+"\r\n")
	begin := time.Now()
	select {
	case err := <-ended:
		require.Error(t, err)
		t.Logf("a client that takes nothing is cut off after %v, with a send_timeout of 300ms", time.Since(begin).Round(time.Millisecond))
	case <-time.After(20 * time.Second):
		t.Fatal("the response goes on")
	}
	require.Eventually(t, func() bool { return p.InFlight() == 0 }, 10*time.Second, time.Millisecond)
}

func TestFaultsOfTheBackend(t *testing.T) {
	hangs := func(c net.Conn) { // until the proxy gives up
		_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
		_, _ = io.Copy(io.Discard, c)
	}
	timeouts := map[string]string{"answers nothing": "1s", "a body that stops to go on": "3s"} // the latter's head must be in time
	for name, c := range map[string]struct {
		serve  func(net.Conn)
		status int // 0 where the response is cut short
	}{
		"closes at once":       {func(net.Conn) {}, 502},
		"answers with rubbish": {func(c net.Conn) { send(c, "rubbish\r\n\r\n") }, 502},
		"closes in the head":   {func(c net.Conn) { send(c, "HTTP/1.1 200 OK\r\nContent-") }, 502},
		"answers nothing":      {hangs, 504},
		"closes in an inspected body": {func(c net.Conn) {
			send(c, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 100\r\n\r\nhalf")
		}, 502},
		"closes in another body": {func(c net.Conn) {
			send(c, "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 100\r\n\r\nhalf")
		}, 0},
		"two lengths that differ": {func(c net.Conn) { send(c, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nok") }, 502},
		"a status that is none":   {func(c net.Conn) { send(c, "HTTP/1.1 099 Odd\r\nContent-Length: 2\r\n\r\nok") }, 502},
		"a head that does not end": {func(c net.Conn) {
			send(c, "HTTP/1.1 200 OK\r\n"+strings.Repeat("X-A: bbbbbbbbbbbbbbbbbbbbbbbb\r\n", 50_000))
		}, 502},
		"a body that stops to go on": {func(c net.Conn) {
			send(c, "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 9\r\n\r\nhalf")
			hangs(c)
		}, 0},
		"an upgrade that nobody wants": {func(c net.Conn) {
			send(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
		}, 502},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			timeout := cmp.Or(timeouts[name], "30s")
			p := run(t, rawBackend(t, afterRequest(c.serve)), setting.Map{"backend_timeout": timeout})
			begin := time.Now()
			request, err := http.NewRequest(http.MethodGet, "http://"+p.address+"/", nil)
			require.NoError(t, err)
			request.Header.Set("Accept", "*/*")
			status := 0
			response, err := http.DefaultTransport.RoundTrip(request)
			if err == nil {
				defer response.Body.Close()
				status = response.StatusCode
				_, err = io.ReadAll(response.Body)
			}
			if c.status == 0 {
				require.Error(t, err, "a response that is cut short must not look whole")
			} else {
				require.NoError(t, err)
				require.Equal(t, c.status, status)
			}
			require.Less(t, time.Since(begin), 10*time.Second)
			t.Logf("a backend, %s: status %d, 0 for a response that is cut short, after %v, with a backend_timeout of %s", name, status, time.Since(begin).Round(time.Millisecond), timeout)
			require.Eventually(t, func() bool { return p.InFlight() == 0 }, 10*time.Second, time.Millisecond)
		})
	}
}

func TestABackendThatIsDownIsABadGateway(t *testing.T) {
	address := loopback.Address(t)
	p := run(t, "http://"+address, nil)
	status, body := p.get("/")
	require.Equal(t, 502, status)
	require.NotContains(t, body, address, "clients learn nothing of the backend")
	require.EqualValues(t, 1, p.counts.backendErrors.Load())
}

// A body without an end is rejected at the limit, and takes no more memory than bodies may.
func TestEndlessBodiesEnd(t *testing.T) {
	b := record(t)
	p := run(t, b.URL, setting.Map{"modsec_req_body_limit": "1000000", "body_memory": "1M"})
	var clients sync.WaitGroup
	var sent atomic.Int64
	for range 16 {
		clients.Go(func() {
			conn, err := net.Dial("tcp", p.address)
			if err != nil {
				return
			}
			defer conn.Close()
			send(conn, "POST / HTTP/1.1\r\n"+common+"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
			chunk := "10000\r\n" + strings.Repeat("x", 0x10000) + "\r\n"
			for {
				n, err := io.WriteString(conn, chunk)
				sent.Add(int64(n))
				if err != nil {
					return
				}
			}
		})
	}
	clients.Wait()
	require.Zero(t, b.count())
	require.EqualValues(t, 16, p.Rejected(server.BodyTooLong))
	t.Logf("16 endless bodies end after %d MB that clients have written, %d of them kept in files of 1 MB", sent.Load()>>20, p.Bodies.Spooled.Load())
	require.Eventually(t, func() bool { return p.Bodies.Used.Load() == 0 }, 10*time.Second, time.Millisecond)
	left, err := filepath.Glob(filepath.Join(p.Bodies.Dir, "wafctl-body-*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

// Idle connections take little memory, are bounded, and end.
func TestIdleConnectionsAreBounded(t *testing.T) {
	var limit syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	connections := min(10_000, int(limit.Cur)/2-200)
	b := record(t)
	p := run(t, b.URL, setting.Map{"max_connections": fmt.Sprint(connections), "header_timeout": "60s"})
	before := memory()
	all := make([]net.Conn, 0, connections)
	defer func() {
		for _, conn := range all {
			conn.Close()
		}
	}()
	for range connections {
		conn, err := net.Dial("tcp", p.address)
		require.NoError(t, err)
		all = append(all, conn)
	}
	require.Eventually(t, func() bool { return int(p.Connections()) == connections }, time.Minute, time.Millisecond)
	each := (memory() - before) / int64(connections)
	t.Logf("%d idle connections take %d bytes each", connections, each)
	require.Less(t, each, int64(40_000), "both ends are in this process")

	late, err := net.Dial("tcp", p.address) // waits in the kernel until another one ends
	require.NoError(t, err)
	defer late.Close()
	send(late, "GET / HTTP/1.1\r\n"+common+"\r\n")
	require.NoError(t, late.SetReadDeadline(time.Now().Add(200*time.Millisecond)))
	_, err = late.Read(make([]byte, 1))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	all[0].Close()
	require.NoError(t, late.SetReadDeadline(time.Now().Add(20*time.Second)))
	response, err := http.ReadResponse(bufio.NewReader(late), nil)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, 200, response.StatusCode)
}

func memory() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// traffic sends requests from several clients until it is stopped, and returns how many were answered, and what failed.
func (p *running) traffic(stop <-chan struct{}) (answered *atomic.Int64, failed func() []error) {
	answered = new(atomic.Int64)
	var mu sync.Mutex
	var problems []error
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			transport := &http.Transport{}
			defer transport.CloseIdleConnections()
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				request, err := http.NewRequest(http.MethodPost, fmt.Sprintf("http://%s/?n=%d", p.address, n), strings.NewReader(`{"a":"b"}`))
				if err == nil {
					request.Header = http.Header{"Content-Type": {"application/json"}, "Accept": {"*/*"}, "User-Agent": {"x"}}
					request.Host = "shop.example"
					request.GetBody = nil // so that the client does not repeat what is lost
					var response *http.Response
					if response, err = transport.RoundTrip(request); err == nil {
						_, err = io.Copy(io.Discard, response.Body)
						response.Body.Close()
						if response.StatusCode != 200 {
							err = fmt.Errorf("status %d", response.StatusCode)
						}
					}
				}
				if err != nil {
					mu.Lock()
					problems = append(problems, err)
					mu.Unlock()
					return
				}
				answered.Add(1)
			}
		})
	}
	return answered, func() []error {
		clients.Wait()
		return problems
	}
}

func TestRulesChangeUnderTraffic(t *testing.T) {
	b := record(t)
	file := filepath.Join(t.TempDir(), "own.conf")
	write := func(text string) { require.NoError(t, os.WriteFile(file, []byte(text), 0o600)) }
	rule := `SecRule ARGS:n "@streq %d" "id:%d,phase:1,deny,log,severity:'CRITICAL',msg:'own'"`
	write(fmt.Sprintf(rule, -1, 100))
	p := run(t, b.URL, setting.Map{"rules": file, "reload_interval": "1h"})
	stop := make(chan struct{})
	answered, failed := p.traffic(stop)
	status, _ := p.get("/?n=-2")
	require.Equal(t, 200, status)
	for n := range 5 {
		before := answered.Load()
		write(fmt.Sprintf(rule, -2, 101+n) + "\n")
		require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGHUP))
		want := 403
		if n%2 == 1 { // a broken file leaves the rules of before in use
			write("SecRule broken")
			require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGHUP))
		}
		require.Eventually(t, func() bool { status, _ := p.get("/?n=-2"); return status == want }, 20*time.Second, 10*time.Millisecond)
		require.Eventually(t, func() bool { return answered.Load() > before }, 20*time.Second, time.Millisecond)
	}
	close(stop)
	require.Empty(t, failed())
	t.Logf("%d requests during 5 changes of the rules, 2 of them broken: none failed", answered.Load())
}

// Requests that arrive while the process is about to end are answered; clients are sent away, and nothing is cut.
func TestShutdownLosesNoRequest(t *testing.T) {
	b := record(t)
	p := run(t, b.URL, setting.Map{"shutdown_delay": "1h"})
	stop := make(chan struct{})
	answered, failed := p.traffic(stop)
	require.Eventually(t, func() bool { return answered.Load() > 50 }, 20*time.Second, time.Millisecond)
	require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGTERM))
	require.Eventually(t, p.Draining, 10*time.Second, time.Millisecond)
	response, err := http.Get("http://" + p.address + "/readyz")
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, 503, response.StatusCode)
	require.True(t, response.Close, "clients are asked to go elsewhere")
	time.Sleep(200 * time.Millisecond)
	close(stop) // before the listener closes: load balancers have gone elsewhere
	require.Empty(t, failed())
	p.end()
	require.NoError(t, p.err)
	require.EqualValues(t, answered.Load(), b.count())
	t.Logf("%d requests around SIGTERM: all answered, and counted", answered.Load())
	require.EqualValues(t, answered.Load(), p.engine.Filter().Counts().Clean)
}

func TestShutdownDelayEnds(t *testing.T) {
	p := run(t, record(t).URL, setting.Map{"shutdown_delay": "100ms"})
	begin := time.Now()
	require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGTERM))
	<-p.ended
	require.NoError(t, p.err)
	require.True(t, p.Draining())
	require.GreaterOrEqual(t, time.Since(begin), 100*time.Millisecond)
}
