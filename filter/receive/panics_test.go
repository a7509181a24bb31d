package receive

import (
	"io"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/ipv4"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/intake"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// panicky is a listener that panics, and then gives connections that do, before it listens.
type panicky struct {
	net.Listener
	t     *testing.T
	calls atomic.Int32
}

func (l *panicky) Accept() (net.Conn, error) {
	switch l.calls.Add(1) {
	case 1:
		panic("accept")
	case 2:
		return &panickyConn{Conn: l.pipe()}, nil
	case 3:
		return &panickyConn{Conn: l.pipe(), address: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 9)}}, nil
	}
	return l.Listener.Accept()
}

func (l *panicky) pipe() net.Conn {
	ours, theirs := net.Pipe()
	l.t.Cleanup(func() { theirs.Close() })
	return ours
}

type panickyConn struct {
	net.Conn
	address *net.TCPAddr
}

func (c *panickyConn) RemoteAddr() net.Addr {
	if c.address == nil {
		panic("address")
	}
	return c.address
}

func (c *panickyConn) Read([]byte) (int, error) { panic("read") }

func TestPanicsOfListenersAndConnectionsLetOthersFlow(t *testing.T) {
	in := open(t, nil, "tcp://127.0.0.1:0")
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer inner.Close()
	in.acceptFrom(&panicky{Listener: inner, t: t})
	conn, err := net.Dial("tcp", inner.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	in.talk(conn, 1)
	in.until("all are counted", func(c Counts) bool { return c.Panics == 3 && c.Connections == 1 })
	require.Equal(t, 1, strings.Count(in.log(), "recovered from a panic"), "the others are counted only")
	require.Contains(t, in.log(), "panics_test.go", "with the stack")
	require.EqualValues(t, intake.FirstBuffer, in.Counts().LineBytes)
	inner.Close()
}

// panickyBatch panics on the first read.
type panickyBatch struct {
	calls int
	inner interface {
		ReadBatch(messages []ipv4.Message, flags int) (int, error)
	}
}

func (b *panickyBatch) ReadBatch(messages []ipv4.Message, flags int) (int, error) {
	if b.calls++; b.calls == 1 {
		panic("read")
	}
	return b.inner.ReadBatch(messages, flags)
}

func TestPanicOfASocketLetsItGoOn(t *testing.T) {
	in := open(t, nil)
	sockets, err := openSockets(Place{"udp", "127.0.0.1:0"}, 1, 1<<20, in.tell.warn)
	require.NoError(t, err)
	in.sockets = sockets
	s := sockets[0]
	s.batch = &panickyBatch{inner: s.batch}
	in.receiveFrom(s)
	conn := in.dial(0)
	in.send(conn, `{"a":1}`)
	require.Equal(t, []string{`{"a":1}`}, in.wait(1))
	require.EqualValues(t, 1, in.Counts().Panics)
}

func TestPanicInTheBacklogCostsOneDatagram(t *testing.T) {
	in := open(t, nil)
	later, r, s := newBacklog(), in.newReader(false), &socket{}
	require.True(t, later.keep(together(0, batchLength), in.Queue, time.Now()))
	require.True(t, later.keep(together(batchLength, batchLength), in.Queue, time.Now()))
	first := <-later.slabs
	first.datagrams[2].end = 1 << 30
	later.slabs <- first
	close(later.slabs)
	later.decode(r, s)
	require.Len(t, numbers(t, in.bodies()), 2*batchLength-2, "that one, and the one behind, whose start is not known")
	require.NotZero(t, in.Counts().Panics)
	require.Zero(t, later.waiting.Load())
	require.Zero(t, in.Queue.Bytes())
}

func TestPanicOfTheQueueCostsABlockAndNoDecoder(t *testing.T) {
	in := open(t, nil)
	queue := in.Queue
	in.Queue = nil
	for range 2 * cap(in.readers) {
		in.decode(intake.Block{Text: []byte("{}\n")}, netip.Addr{}, nil)
	}
	in.Queue = queue
	require.Len(t, in.readers, cap(in.readers))
	in.Stream(strings.NewReader(`{"a":1}`), netip.Addr{})
	require.Equal(t, []string{`{"a":1}`}, in.bodies())
	require.EqualValues(t, 2*cap(in.readers), in.Counts().Panics)
}

func TestPanicOfAStreamEndsIt(t *testing.T) {
	in := open(t, nil)
	in.Stream(struct{ io.Reader }{}, netip.Addr{})
	require.EqualValues(t, 1, in.Counts().Panics)
}

func TestPanicOfTheLogLetsTheWatchGoOn(t *testing.T) {
	settings, err := readSettings(setting.Map{"invalid": "drop"})
	require.NoError(t, err)
	var told atomic.Int32
	r, err := Open(settings, func(line string) {
		if strings.Contains(line, "lost or dropped") && told.Add(1) == 1 {
			panic("log")
		}
	})
	require.NoError(t, err)
	r.counters.invalid.Add(1)
	for end := time.Now().Add(patience); told.Load() < 2; time.Sleep(10 * time.Millisecond) {
		require.True(t, time.Now().Before(end), "it tells again")
	}
	require.EqualValues(t, 1, r.Counts().Panics)
	r.Close(0)
}
