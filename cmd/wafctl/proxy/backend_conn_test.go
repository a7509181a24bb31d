package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/inline/server"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/loopback"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

const (
	short  = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	secret = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret"
)

// secureBackend is rawBackend with TLS.
func secureBackend(t *testing.T, serve func(conn net.Conn)) (url string) {
	t.Helper()
	certificate, key := writeCertificate(t, t.TempDir(), 1)
	pair, err := tls.LoadX509KeyPair(certificate, key)
	require.NoError(t, err)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, DynamicRecordSizingDisabled: true, // one record for each write
	})
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	go loopback.Accept(l, serve)
	return "https://" + l.Addr().String()
}

// Each request takes a connection that another one has just given back, with something on it that is nobody's response.
func TestBytesBetweenResponsesReachNobody(t *testing.T) {
	const clients, each = 16, 25
	long := "HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n" + strings.Repeat("x", 9000)
	for name, answers := range map[string][]string{ // what comes later is the response of the next request to any client
		"behind a body":           {short + secret},
		"behind no body":          {"HTTP/1.1 204 No Content\r\n\r\n" + secret},
		"behind a long body":      {long + secret},
		"that begins with a body": {short + secret[:9], secret[9:]},
	} {
		serve := afterRequest(func(conn net.Conn) {
			for _, answer := range answers {
				send(conn, answer)
			}
			time.Sleep(100 * time.Millisecond)
		})
		for _, url := range []string{rawBackend(t, serve), secureBackend(t, serve)} {
			p := run(t, url, setting.Map{"backend_verify": "off"})
			var asking sync.WaitGroup
			var secrets, answered atomic.Int64
			for range clients {
				asking.Go(func() {
					for range each {
						if status, body := p.get("/"); body == "secret" {
							secrets.Add(1)
						} else if status < 300 {
							answered.Add(1)
						}
					}
				})
			}
			asking.Wait()
			t.Logf("%s, %s: %d of %d requests answered", url, name, answered.Load(), clients*each)
			require.Zero(t, secrets.Load(), "%s, %s", url, name)
			require.NotContains(t, p.log.String(), "200 OK")
		}
	}
}

// A backend closes a connection, and a request takes it before net/http has seen that.
func TestARequestTakesAnotherConnectionThanOneThatIsClosed(t *testing.T) {
	ends, unseen := make(chan struct{}), make(chan struct{})
	url := rawBackend(t, func(conn net.Conn) {
		requests := bufio.NewReader(conn)
		for {
			r, err := http.ReadRequest(requests)
			if err != nil {
				return
			}
			body, _ := io.ReadAll(r.Body)
			send(conn, fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
			if string(body) == "first" {
				<-ends
				return
			}
		}
	})
	var first *watchedConn
	var holds atomic.Bool
	transport := backendTransport{&http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		c := watch(conn).(*watchedConn)
		if first == nil {
			first = c
			c.attempt = func(fd uintptr) bool {
				if holds.Load() {
					<-unseen
				}
				return c.try(fd)
			}
		}
		return &server.TimedConn{Conn: c}, nil
	}}}
	post := func(body string) string {
		request, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body)) // with GetBody
		require.NoError(t, err)
		response, err := transport.RoundTrip(request)
		require.NoError(t, err, body)
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		return string(text)
	}
	require.Equal(t, "first", post("first"))
	require.Eventually(t, first.isSilent, 10*time.Second, time.Millisecond, "net/http waits on it")
	holds.Store(true)
	close(ends)
	require.Eventually(t, func() bool { return !first.isSilent() }, 10*time.Second, time.Millisecond, "the end has come")
	time.AfterFunc(50*time.Millisecond, func() { close(unseen) })
	require.Equal(t, "second", post("second"))
}
