package auth

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/inline/server"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

const asking = "POST /traefik HTTP/1.1\r\nHost: waf\r\nUser-Agent: x\r\nAccept: */*\r\nX-Forwarded-Method: POST\r\nX-Forwarded-Uri: /\r\nX-Forwarded-Host: shop.example\r\n"

// Callers that send a body drop by drop, and those that send none of it, are refused in time: nothing passes because of them.
func TestSlowCallersAreRefused(t *testing.T) {
	a := run(t, setting.Map{"body_timeout": "300ms"})
	begin := time.Now()
	got := a.raw(asking + "Content-Type: " + form + "\r\nContent-Length: 100\r\n\r\na=b")
	require.Equal(t, 408, got.status)
	t.Logf("a body that stops is refused after %v, with a body_timeout of 300ms", time.Since(begin).Round(time.Millisecond))
	require.EqualValues(t, 1, a.Rejected(server.BodyTooSlow))
	require.Eventually(t, func() bool { return a.Bodies.Used.Load() == 0 }, 10*time.Second, time.Millisecond)
}

func TestEndlessBodiesAndHeadsAreRefused(t *testing.T) {
	a := run(t, setting.Map{"modsec_req_body_limit": "1000000", "body_memory": "1M"})
	var callers sync.WaitGroup
	var sent atomic.Int64
	for range 16 {
		callers.Go(func() {
			conn, err := net.Dial("tcp", a.address)
			if err != nil {
				return
			}
			defer conn.Close()
			chunk := "10000\r\n" + strings.Repeat("x", 0x10000) + "\r\n"
			for text := asking + "Content-Type: " + form + "\r\nTransfer-Encoding: chunked\r\n\r\n"; ; text = chunk {
				n, err := io.WriteString(conn, text)
				sent.Add(int64(n))
				if err != nil {
					return
				}
			}
		})
	}
	callers.Wait()
	require.EqualValues(t, 16, a.Rejected(server.BodyTooLong))
	t.Logf("16 endless bodies end after %d MB that callers have written, %d of them kept in files of 1 MB", sent.Load()>>20, a.Bodies.Spooled.Load())
	require.Eventually(t, func() bool { return a.Bodies.Used.Load() == 0 }, 10*time.Second, time.Millisecond)
	for name, text := range map[string]string{
		"many headers": asking + strings.Repeat("X-A: b\r\n", 250) + "\r\n", "a long header": asking + "X-A: " + strings.Repeat("b", 100_000) + "\r\n\r\n",
		"a long target": fmt.Sprintf("GET /envoy/%s HTTP/1.1\r\nHost: x\r\n\r\n", strings.Repeat("a", 100_000)),
	} {
		require.Equal(t, 431, a.raw(text).status, name)
	}
}
