package proxy

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/inline/server"
)

// backendTransport is the transport to the backend. What a backend sends beside its responses must reach nobody. net/http closes connections
// on which such bytes come, but returns a connection to its pool before it looks: a request that takes it at once gets them as its response. So a
// connection from the pool is used only once net/http waits for bytes on it, and none have come.
type backendTransport struct{ *http.Transport }

// RoundTrip implements http.RoundTripper. A request whose connection was closed before it was written takes another one, whatever its method:
// net/http does that for idempotent ones only, as it does not know.
func (b backendTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	for {
		gone := false
		trace := &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) { gone = got.Reused && !awaitSilence(got.Conn) }}
		response, err := b.Transport.RoundTrip(r.WithContext(httptrace.WithClientTrace(r.Context(), trace)))
		if err == nil || !gone || r.Context().Err() != nil {
			return response, err
		}
		if r = again(r); r == nil {
			return nil, err
		}
	}
}

// again returns a request that can be sent after one that failed, nil when its body cannot be read again.
func again(r *http.Request) *http.Request {
	if r.Body == nil || r.Body == http.NoBody {
		return r
	}
	if r.GetBody == nil {
		return nil
	}
	body, err := r.GetBody()
	if err != nil {
		return nil
	}
	r = r.WithContext(r.Context())
	r.Body = body
	return r
}

// How often a connection is looked at until nothing comes, which is nearly always at once: net/http has put it back a moment ago, and reads.
const (
	silentYields   = 64
	silentPause    = 100 * time.Microsecond
	silentPatience = time.Second
)

// awaitSilence waits until all that has come on a connection was read, and closes one on which that does not happen. It reports whether the
// connection can be used.
func awaitSilence(conn net.Conn) (usable bool) {
	c := watchedIn(conn)
	if c == nil {
		return true
	}
	for end, looks := time.Now().Add(silentPatience), 0; !c.isSilent(); looks++ {
		switch {
		case looks < silentYields:
			runtime.Gosched()
		case time.Now().Before(end):
			time.Sleep(silentPause)
		default:
			c.Close() //nolint:errcheck // nobody uses it any more
		}
	}
	return !c.closed.Load()
}

// watchedIn returns the watched connection below one of net/http, nil for HTTP/2, whose streams say which request a response is for.
func watchedIn(conn net.Conn) *watchedConn {
	if secure, is := conn.(*tls.Conn); is {
		if secure.ConnectionState().NegotiatedProtocol == "h2" {
			return nil
		}
		conn = secure.NetConn()
	}
	if timed, is := conn.(*server.TimedConn); is {
		conn = timed.Conn
	}
	c, _ := conn.(*watchedConn)
	return c
}

// watchedConn is a connection of which can be told whether someone waits for bytes on it, and none have come.
type watchedConn struct {
	net.Conn

	raw     syscall.RawConn
	waiting atomic.Bool // a read has found nothing, and was not tried again since
	closed  atomic.Bool

	reading sync.Mutex
	attempt func(fd uintptr) bool // of the read under way, whose buffer and result follow
	buffer  []byte
	n       int
	err     error
}

// watch watches a connection, unless it is of a kind that cannot be.
func watch(conn net.Conn) net.Conn {
	system, is := conn.(syscall.Conn)
	if !is {
		return conn
	}
	raw, err := system.SyscallConn()
	if err != nil {
		return conn
	}
	c := &watchedConn{Conn: conn, raw: raw}
	c.attempt = c.try
	return c
}

// try reads once. It reports false when there is nothing to read yet: it is called again when there is.
func (c *watchedConn) try(fd uintptr) bool {
	c.waiting.Store(false) // before anything is taken: isSilent looks at it again
	for {
		c.n, c.err = unix.Read(int(fd), c.buffer)
		if !errors.Is(c.err, unix.EINTR) {
			break
		}
	}
	if errors.Is(c.err, unix.EAGAIN) {
		c.waiting.Store(true)
		return false
	}
	return true
}

// Read implements net.Conn.
func (c *watchedConn) Read(to []byte) (int, error) {
	if len(to) == 0 {
		return 0, nil
	}
	c.reading.Lock()
	defer c.reading.Unlock()
	c.buffer, c.n, c.err = to, 0, nil
	err := c.raw.Read(c.attempt)
	c.waiting.Store(false)
	c.buffer = nil
	switch {
	case err != nil: // the deadline, or the end of the connection
		return 0, err
	case c.err != nil:
		return 0, &net.OpError{Op: "read", Net: "tcp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: os.NewSyscallError("read", c.err)}
	case c.n == 0:
		return 0, io.EOF
	}
	return c.n, nil
}

// Close implements net.Conn.
func (c *watchedConn) Close() error {
	c.closed.Store(true)
	return c.Conn.Close()
}

// isSilent reports whether someone waits for bytes and none have come, or the connection is closed.
func (c *watchedConn) isSilent() bool {
	if c.closed.Load() {
		return true
	}
	if !c.waiting.Load() {
		return false
	}
	has := false
	err := c.raw.Control(func(fd uintptr) {
		var one [1]byte
		_, _, err := unix.Recvfrom(int(fd), one[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		has = err == nil // a byte, or the end
	})
	return err != nil || !has && c.waiting.Load()
}
