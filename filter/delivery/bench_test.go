package delivery

import (
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkDeliver sends batches of one and of 100 alerts over loopback, to a peer that reads and does nothing else.
func BenchmarkDeliver(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(io.Discard, conn) }()
		}
	}()
	for _, size := range []int{1, 100} {
		for _, scheme := range []string{"syslog+tcp", "gelf+tcp"} {
			b.Run(scheme+map[int]string{1: " one", 100: " hundred"}[size], func(b *testing.B) {
				d, err := Open(scheme+"://"+l.Addr().String(), Options{})
				require.NoError(b, err)
				defer func() { require.NoError(b, d.Close()) }()
				msgs := alerts(0, size)
				b.ReportAllocs()
				for b.Loop() {
					require.NoError(b, d.Deliver(b.Context(), "a", msgs))
				}
				b.ReportMetric(float64(b.N)*float64(size)/b.Elapsed().Seconds(), "alerts/s")
			})
		}
	}
}
