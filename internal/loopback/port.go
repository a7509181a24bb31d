// Package loopback finds ports of this machine for tests and measurements, and serves connections. A port is free when it is handed out.
// Nothing here is reached from another machine.
package loopback

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"sync"
)

// failer is the part of testing.TB that is used.
type failer interface {
	Helper()
	Fatal(...any)
}

// FreePort returns a port that nobody has for tcp or udp. The process is given the same one again only when it has had all others.
//
// It is none of those that the kernel gives to a socket that asks for no port (ip_local_port_range), connections above all. One of
// them may be gone again before the program that is to listen there has started.
func FreePort() (int, error) { return ports().take() }

// Port is FreePort for a test.
func Port(t failer) int {
	t.Helper()
	port, err := FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// Address is the HOST:PORT of a free port.
func Address(t failer) string {
	t.Helper()
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(Port(t)))
}

// finder goes through the ports from first up to before end. Another process begins somewhere else.
type finder struct {
	mu               sync.Mutex
	first, end, next int
}

var ports = sync.OnceValue(func() *finder {
	const registered, fewest = 10_000, 1_000
	f := &finder{first: registered, end: ephemeral()}
	if f.end-f.first < fewest {
		f.end = 1 << 16 // the kernel gives out nearly all
	}
	f.next = f.first + rand.IntN(f.end-f.first)
	return f
})

// ephemeral is the first port that the kernel gives out by itself.
func ephemeral() (first int) {
	const usual = 32_768
	text, _ := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if _, err := fmt.Sscan(string(text), &first); err != nil {
		return usual
	}
	return first
}

func (f *finder) take() (port int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for range f.end - f.first {
		port = f.next
		if f.next++; f.next == f.end {
			f.next = f.first
		}
		if err = bind(port); err == nil {
			return port, nil
		}
	}
	return 0, fmt.Errorf("no free port from %d to %d: %w", f.first, f.end-1, err)
}

// bind reports what keeps a program from a port.
func bind(port int) error {
	address := fmt.Sprintf(":%d", port)
	tcp, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	defer tcp.Close()
	udp, err := net.ListenPacket("udp", address)
	if err != nil {
		return err
	}
	return udp.Close()
}
