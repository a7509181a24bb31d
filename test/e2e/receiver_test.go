//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tinylib/msgp/msgp"
)

// protocol is how a receiver reads: each message, and what it answers to it.
type protocol struct {
	address string // of alert_to, for a host and port
	read    func(r *bufio.Reader) (message, answer []byte, err error)
}

var protocols = map[string]protocol{
	"syslog": {"syslog+%s://%s?timeout=1s", func(r *bufio.Reader) ([]byte, []byte, error) {
		digits, err := r.ReadString(' ')
		if err != nil {
			return nil, nil, err
		}
		length, err := strconv.Atoi(strings.TrimSpace(digits))
		if err != nil {
			return nil, nil, err
		}
		message := make([]byte, length)
		_, err = io.ReadFull(r, message)
		return message, nil, err
	}},
	"gelf": {"gelf+%s://%s?timeout=1s", func(r *bufio.Reader) ([]byte, []byte, error) {
		message, err := r.ReadBytes(0)
		return message, nil, err
	}},
	"forward": {"forward+%s://%s?timeout=1s&tag=alert", func(r *bufio.Reader) (message, answer []byte, err error) {
		whole, err := msgp.NewReader(r).ReadIntf()
		parts, ok := whole.([]any)
		if err != nil || !ok || len(parts) != 3 {
			return nil, nil, fmt.Errorf("no message of three parts: %v, %w", whole, err)
		}
		message, _ = parts[1].([]byte)
		options, _ := parts[2].(map[string]any)
		answer, err = msgp.AppendIntf(nil, map[string]any{"ack": options["chunk"]})
		return message, answer, err
	}},
}

// receiver is one destination that misbehaves until it recovers.
type receiver struct {
	t         *testing.T
	name      string
	fault     fault
	protocol  protocol
	port      int
	secret    *tls.Config // nil for plain TCP
	recovered chan struct{}

	mu       sync.Mutex
	listener net.Listener
	conns    []net.Conn
	numbers  map[int]bool
}

// listen opens the receiver's port. Its buffer is small, so that who does not read is noticed soon.
func (r *receiver) listen() {
	small := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096) })
	}}
	listener, err := small.Listen(context.Background(), "tcp", fmt.Sprintf("127.0.0.1:%d", r.port))
	require.NoError(r.t, err)
	if r.secret != nil {
		listener = tls.NewListener(listener, r.secret)
	}
	r.listener = listener
	go accept(listener, func(conn net.Conn) {
		r.mu.Lock()
		r.conns = append(r.conns, conn)
		r.mu.Unlock()
		go r.serve(conn)
	})
}

// die ends the listener and all connections.
func (r *receiver) die() {
	if r.listener == nil {
		return
	}
	r.listener.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, conn := range r.conns {
		conn.Close()
	}
}

// pieces reads as the receiver's fault lets it.
type pieces struct {
	net.Conn
	of *receiver
}

func (p *pieces) Read(b []byte) (int, error) {
	if p.of.fault.read != nil {
		p.of.fault.read(p.of)
	}
	return p.Conn.Read(b[:min(len(b), 512)])
}

func (r *receiver) isWell() bool {
	select {
	case <-r.recovered:
		return true
	default:
		return false
	}
}

func (r *receiver) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(&pieces{Conn: conn, of: r})
	for {
		message, answer, err := r.protocol.read(in)
		if err != nil {
			return
		}
		r.mu.Lock()
		for _, found := range numberOf.FindAllSubmatch(message, -1) {
			n, _ := strconv.Atoi(string(found[1]))
			r.numbers[n] = true
		}
		r.mu.Unlock()
		if r.fault.answered != nil && !r.isWell() {
			if !r.fault.answered(conn) {
				return
			}
		} else if _, err := conn.Write(answer); err != nil {
			return
		}
	}
}

func (r *receiver) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.numbers)
}

// recover ends the fault.
func (r *receiver) recover() {
	close(r.recovered)
	if r.fault.absent || r.fault.dies {
		r.listen()
	}
}

// alertTo is the destination as the output is told.
func (r *receiver) alertTo(authority string) string {
	host, transport := "127.0.0.1", "tcp"
	if r.fault.unresolved {
		host = "siem.test"
	}
	if r.secret != nil {
		transport = "tls"
	}
	to := fmt.Sprintf(r.protocol.address, transport, net.JoinHostPort(host, strconv.Itoa(r.port)))
	if r.secret != nil {
		to += "&ca=" + authority
	}
	return strings.Replace(to, "forward+tcp", "forward", 1)
}
