package loopback

import (
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPortsAreGivenOutOnce(t *testing.T) {
	given := map[int]bool{}
	for range 100 {
		address := Address(t)
		tcp, err := net.Listen("tcp", address)
		require.NoError(t, err)
		defer tcp.Close()
		udp, err := net.ListenPacket("udp", address)
		require.NoError(t, err)
		defer udp.Close()
		port := tcp.Addr().(*net.TCPAddr).Port
		require.False(t, given[port])
		given[port] = true
		require.NotZero(t, port)
		if ports().end < 1<<16 {
			require.Less(t, port, ephemeral())
		}
	}
}

func TestPortsThatSomebodyHasAreLeftOut(t *testing.T) {
	first := Port(t)
	f := &finder{first: first, end: first + 20, next: first}
	listen := map[string]func(address string) (io.Closer, error){
		"tcp": func(address string) (io.Closer, error) { return net.Listen("tcp", address) },
		"udp": func(address string) (io.Closer, error) { return net.ListenPacket("udp", address) },
	}
	for network, take := range listen {
		t.Run(network, func(t *testing.T) {
			taken, err := take(fmt.Sprintf("127.0.0.1:%d", first))
			require.NoError(t, err)
			defer func() { require.NoError(t, taken.Close()) }()
			f.next = first
			port, err := f.take()
			require.NoError(t, err)
			require.Greater(t, port, first)
		})
	}
	tcp, err := net.Listen("tcp", fmt.Sprintf(":%d", first))
	require.NoError(t, err)
	defer tcp.Close()
	only := &finder{first: first, end: first + 1, next: first}
	_, err = only.take()
	require.ErrorContains(t, err, fmt.Sprintf("no free port from %d to %d", first, first))
	require.ErrorContains(t, err, "address already in use")
}
