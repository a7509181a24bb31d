package receive

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/accesslog"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/intake"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/recovery"
)

// After an error a listener is left alone for a while, longer each time: descriptors may be used up for long, and meanwhile clients
// wait in the kernel.
const (
	firstAcceptPause = 10 * time.Millisecond
	lastAcceptPause  = time.Second
)

// accept serves a listener until its end.
func (r *Receiver) accept(listener net.Listener) {
	for pause := firstAcceptPause; ; {
		conn, err := listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			r.tell.once(fmt.Sprintf("accept on %s: %v; clients wait", listener.Addr(), err))
			if !r.pause(pause) {
				return
			}
			pause = min(2*pause, lastAcceptPause)
			continue
		}
		pause = firstAcceptPause
		r.greet(listener, conn)
	}
}

// pause waits, and reports whether that was not until the end.
func (r *Receiver) pause(d time.Duration) bool {
	select {
	case <-r.over:
		return false
	case <-time.After(d):
		return true
	}
}

// greet serves a connection, or closes it.
func (r *Receiver) greet(listener net.Listener, conn net.Conn) {
	kept := false
	defer func() {
		if !kept {
			conn.Close()
		}
	}()
	from := conn.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
	if !allowed(r.settings.Allow, from) {
		r.counters.denied.Add(1)
		return
	}
	if !spareDescriptors(conn) {
		r.refuse(listener, "the process has few free descriptors (ulimit -n)")
		return
	}
	c, reason := r.connections.admit(conn, from, r.settings.MaxMessage)
	if c == nil {
		r.refuse(listener, string(reason))
		return
	}
	kept = true
	r.group.Go(func() {
		defer c.leave()
		recovery.Once(r.Caught("connection"), func() { r.serve(c) })
	})
}

func (r *Receiver) refuse(listener net.Listener, reason string) {
	r.counters.refused.Add(1)
	r.tell.once(fmt.Sprintf("connection to %s refused: %s", listener.Addr(), reason))
}

// serve reads the lines of a connection until it ends.
func (r *Receiver) serve(c *connection) {
	var columns *accesslog.Columns
	for {
		block, err := c.lines.Next()
		switch {
		case err != nil:
			r.tellClosed(c, err)
			return
		case block.TooLong:
			r.countTooLong()
		case !c.begin():
			r.tellClosed(c, net.ErrClosed)
			return
		default:
			columns = r.decode(block, c.from, columns)
			c.done()
		}
	}
}

func (r *Receiver) tellClosed(c *connection, err error) {
	switch reason := c.outcome(err); reason {
	case "":
		r.tellEnd(err, c.from)
	default:
		r.tell.once(fmt.Sprintf("connection of %s closed: %s", c.from, reason))
	}
}

// largeBlock is the size in bytes from which blocks are decoded one at a time: the events of one may take more than twice as much.
const largeBlock = 512 << 10

// decode decodes a block as soon as it is its turn, and waits for room in the queue. What decoders keep, and what waits, does not
// grow with the number of connections. Columns are those of plain lines before and after the block.
func (r *Receiver) decode(block intake.Block, from netip.Addr, before *accesslog.Columns) (after *accesslog.Columns) {
	if len(block.Text) >= largeBlock {
		r.large.Lock()
		defer r.large.Unlock()
	}
	in := <-r.readers
	defer func() { r.readers <- in }()
	in.decoder.Columns = before
	in.block(block, from)
	after, in.decoder.Columns = in.decoder.Columns, nil
	return after
}

func (r *Receiver) tellEnd(err error, from netip.Addr) {
	if !errors.Is(err, io.EOF) && !errors.Is(err, os.ErrDeadlineExceeded) {
		r.tell.once(fmt.Sprintf("receive from %s: %v", from, err))
	}
}

func (r *Receiver) countTooLong() {
	r.counters.lines.Add(1)
	r.counters.tooLong.Add(1)
	r.tell.once(fmt.Sprintf("a line of more than %d bytes is dropped", r.settings.MaxMessage))
}

// Stream reads lines, which end with a newline or NUL, until the stream ends. While the queue is full it waits. From is whom the
// records are said to come from, the zero value for nobody.
func (r *Receiver) Stream(stream io.Reader, from netip.Addr) {
	recovery.Once(r.Caught("stream"), func() {
		lines := intake.NewLines(stream, r.settings.MaxMessage)
		var columns *accesslog.Columns
		for {
			block, err := lines.Next()
			if err != nil {
				r.tellEnd(err, from)
				return
			}
			if block.TooLong {
				r.countTooLong()
				continue
			}
			columns = r.decode(block, from, columns)
		}
	})
}

// block decodes lines and hands them over. A panic costs those that were not handed over.
func (in *reader) block(block intake.Block, from netip.Addr) {
	if !recovery.Once(in.Caught("decoder of lines"), func() { in.lines(block, from) }) {
		in.reset()
	}
}

func (in *reader) lines(block intake.Block, from netip.Addr) {
	now := time.Now()
	for _, line := range block.All() {
		in.line(line, from, now)
		if len(in.events) >= in.enough {
			in.flush()
		}
	}
	in.flush()
}

func (in *reader) line(line []byte, from netip.Addr, now time.Time) {
	defer in.recovered(line, from, now)
	in.before = mark{len(in.events), in.records}
	in.counters.lines.Add(1)
	in.counters.bytes.Add(uint64(len(line)))
	if !in.rates.may(from, now) {
		in.counters.limited.Add(1)
		return
	}
	in.text(line, from, now)
}
