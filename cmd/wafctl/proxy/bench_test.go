package proxy

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corpus"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// BenchmarkRequest is one request, each different, over loopback; "make bench-proxy" compares with others.
func BenchmarkRequest(b *testing.B) {
	b.Run("clean", func(b *testing.B) { benchmark(b, corpus.Clean) })
	b.Run("attacks", func(b *testing.B) { benchmark(b, corpus.Attack) })
}

func benchmark(b *testing.B, record func(i uint64) corpus.Record) {
	backend := rawBackend(b, func(conn net.Conn) {
		answerEach(conn, conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
	})
	settings := setting.Map{}
	for name, value := range corpus.Settings {
		settings[name] = value
	}
	for _, engine := range []string{"on", "off"} {
		settings["engine"] = engine
		b.Run(engine, func(b *testing.B) {
			p := runFor(b, backend, settings)
			var conn net.Conn
			var from *bufio.Reader
			dial := func() {
				var err error
				conn, err = net.Dial("tcp", p.address)
				require.NoError(b, err)
				from = bufio.NewReader(conn)
			}
			dial()
			b.ReportAllocs()
			i := uint64(0)
			for b.Loop() {
				r := record(i)
				i++
				send(conn, r.RequestHead+r.RequestBody)
				response, err := http.ReadResponse(from, &http.Request{Method: r.Method})
				require.NoError(b, err)
				_, err = io.Copy(io.Discard, response.Body)
				require.NoError(b, err)
				require.NoError(b, response.Body.Close())
				require.Less(b, response.StatusCode, 500) // the Core Rule Set takes some reviews for attacks
				if response.Close {
					dial()
				}
			}
		})
	}
}
