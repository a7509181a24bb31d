package receive

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/intake"
)

// maxConnections bounds, with the largest line, the memory that clients can claim.
const maxConnections = 256

// accept serves a listener until its end.
func (r *Receiver) accept(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			r.tell.once(fmt.Sprintf("accept on %s: %v", listener.Addr(), err))
			time.Sleep(10 * time.Millisecond) // out of descriptors, mostly
			continue
		}
		from := conn.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
		switch {
		case !allowed(r.settings.Allow, from):
			r.counters.denied.Add(1)
			conn.Close()
		case !r.admit(conn):
			r.counters.refused.Add(1)
			r.tell.once(fmt.Sprintf("connection to %s refused: %d are open", listener.Addr(), maxConnections))
			conn.Close()
		default:
			r.group.Go(func() {
				defer r.leave(conn)
				r.Stream(conn, from)
			})
		}
	}
}

// admit registers a connection, so that its end can be brought about; there may be too many, or the end has come.
func (r *Receiver) admit(conn net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.connections == nil || len(r.connections) >= maxConnections {
		return false
	}
	r.connections[conn] = struct{}{}
	r.counters.connections.Add(1)
	return true
}

func (r *Receiver) leave(conn net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.connections, conn)
	r.counters.connections.Add(-1)
	conn.Close()
}

// Stream reads lines, which end with a newline or NUL, until the stream ends. While the queue is full it waits. From is whom the
// records are said to come from, the zero value for nobody.
func (r *Receiver) Stream(stream io.Reader, from netip.Addr) {
	in := r.newReader()
	lines := intake.NewLines(stream, r.settings.MaxMessage)
	for {
		block, err := lines.Next()
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, os.ErrDeadlineExceeded) {
				r.tell.once(fmt.Sprintf("receive from %s: %v", from, err))
			}
			return
		}
		if block.TooLong {
			r.counters.lines.Add(1)
			r.counters.tooLong.Add(1)
			r.tell.once(fmt.Sprintf("a line of more than %d bytes is left out", r.settings.MaxMessage))
			continue
		}
		in.block(block, from)
	}
}

func (in *reader) block(block intake.Block, from netip.Addr) {
	now := time.Now()
	for _, line := range block.All() {
		in.line(line, from, now)
		if len(in.events) >= in.enough {
			in.flushWait()
		}
	}
	in.flushWait()
}

func (in *reader) line(line []byte, from netip.Addr, now time.Time) {
	defer in.recovered(line, from, now, len(in.events), in.records)
	in.counters.lines.Add(1)
	in.counters.bytes.Add(uint64(len(line)))
	if !in.rates.may(from, now) {
		in.counters.limited.Add(1)
		return
	}
	in.text(line, from, now)
}
