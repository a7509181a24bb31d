package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/intake"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

// intakes are the places where records arrive, and what has arrived.
type intakes struct {
	console *console
	queue   *queue
	packets []*net.UDPConn
	streams []net.Listener
	stdin   io.Reader // nil unless it is listened to

	group       sync.WaitGroup
	connections atomic.Int64
	received    atomic.Uint64 // records
	malformed   atomic.Uint64 // datagrams and lines that are not, or not only, JSON objects
	told        limiter
}

const (
	receiveBuffer  = 8 << 20
	maxDatagram    = 64 << 10
	maxConnections = 256
	maxStreamLine  = 1 << 20 // bytes; with maxConnections it bounds the memory that clients can claim
	// How long a socket is read after the end was asked for: what the kernel has is taken, what still arrives is not waited for.
	drainTime = 200 * time.Millisecond
)

// listen opens all places of a comma separated list, or returns all problems with it.
func listen(list []string, c *console, q *queue) (*intakes, error) {
	in := &intakes{console: c, queue: q, told: limiter{every: time.Second}}
	var problems []error
	for _, place := range list {
		if err := in.open(place); err != nil {
			problems = append(problems, err)
		}
	}
	if len(list) == 0 {
		problems = append(problems, errors.New("empty (want "+listenForms+")"))
	}
	if err := errors.Join(problems...); err != nil {
		in.closeAll()
		return nil, &setting.Problem{Noun: "flag", Name: "listen", Err: err}
	}
	return in, nil
}

const listenForms = "udp://HOST:PORT, tcp://HOST:PORT or -"

func (in *intakes) open(place string) error {
	if place == "-" {
		in.stdin = in.console.in
		return nil
	}
	u, err := url.Parse(place)
	if err != nil || u.Scheme != "udp" && u.Scheme != "tcp" || u.Port() == "" || strings.Trim(u.Path, "/")+u.RawQuery+u.Fragment != "" || u.User != nil {
		return fmt.Errorf("malformed place %q (want %s)", place, listenForms)
	}
	if u.Scheme == "tcp" {
		listener, err := net.Listen("tcp", u.Host)
		if err == nil {
			in.streams = append(in.streams, listener)
		}
		return err
	}
	address, err := net.ResolveUDPAddr("udp", u.Host)
	if err != nil {
		return err
	}
	socket, err := net.ListenUDP("udp", address)
	if err != nil {
		return err
	}
	if err := socket.SetReadBuffer(receiveBuffer); err != nil {
		in.console.say(fmt.Sprintf("warning: receive buffer of %s: %v", place, err))
	}
	in.packets = append(in.packets, socket)
	return nil
}

// places says where records are awaited, with the ports that the system has chosen.
func (in *intakes) places() []string {
	var all []string
	for _, socket := range in.packets {
		all = append(all, "udp://"+socket.LocalAddr().String())
	}
	for _, listener := range in.streams {
		all = append(all, "tcp://"+listener.Addr().String())
	}
	if in.stdin != nil {
		all = append(all, "standard input")
	}
	return all
}

// run receives until ctx ends or, when the standard input is the only place, until that ends. It returns when everything
// that was received is in the queue.
func (in *intakes) run(ctx context.Context) {
	for _, socket := range in.packets {
		in.group.Go(func() { in.readPackets(socket) })
		context.AfterFunc(ctx, func() { socket.SetReadDeadline(time.Now().Add(drainTime)) }) //nolint:errcheck // then closeAll ends it
	}
	for _, listener := range in.streams {
		in.group.Go(func() { in.accept(ctx, listener) })
		context.AfterFunc(ctx, func() { listener.Close() })
	}
	if in.stdin != nil {
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			in.readStream(in.stdin, "standard input")
		}()
		in.group.Go(func() {
			select {
			case <-ended:
			case <-ctx.Done():
				// A terminal or an idle pipe cannot be interrupted; what it has given by now is in the queue soon.
				select {
				case <-ended:
				case <-time.After(drainTime):
				}
			}
		})
	}
	in.group.Wait()
	in.closeAll()
}

func (in *intakes) closeAll() {
	for _, socket := range in.packets {
		socket.Close()
	}
	for _, listener := range in.streams {
		listener.Close()
	}
}

func (in *intakes) readPackets(socket *net.UDPConn) {
	var decoder intake.Decoder
	buffer := make([]byte, maxDatagram)
	var events []byte
	for {
		n, _, err := socket.ReadFromUDPAddrPort(buffer)
		if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			in.tell(fmt.Sprintf("warning: receive on %s: %v", socket.LocalAddr(), err))
			continue
		}
		events = in.decode(&decoder, events[:0], buffer[:n], "a datagram")
		in.queue.put(events)
	}
}

func (in *intakes) accept(ctx context.Context, listener net.Listener) {
	for {
		conn, err := listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			in.tell(fmt.Sprintf("warning: accept on %s: %v", listener.Addr(), err))
			time.Sleep(10 * time.Millisecond) // out of descriptors, mostly
			continue
		case in.connections.Load() >= maxConnections:
			in.tell(fmt.Sprintf("warning: connection to %s refused: %d are open", listener.Addr(), maxConnections))
			conn.Close()
			continue
		}
		in.connections.Add(1)
		in.group.Go(func() {
			defer in.connections.Add(-1)
			defer conn.Close()
			defer context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Now().Add(drainTime)) })() //nolint:errcheck // then Close ends it
			in.readStream(conn, "a line")
		})
	}
}

// readStream reads records until the end of a stream.
func (in *intakes) readStream(from io.Reader, what string) {
	var decoder intake.Decoder
	lines := intake.NewLines(from, maxStreamLine)
	var events []byte
	for {
		block, err := lines.Next()
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, os.ErrDeadlineExceeded) {
				in.tell(fmt.Sprintf("warning: receive %s: %v", what, err))
			}
			return
		}
		if block.TooLong {
			in.broken(fmt.Sprintf("%s of more than %d bytes is left out", what, maxStreamLine))
			continue
		}
		events = events[:0]
		for _, text := range block.All() {
			events = in.decode(&decoder, events, text, what)
		}
		in.queue.put(events)
	}
}

func (in *intakes) decode(decoder *intake.Decoder, events, text []byte, what string) []byte {
	events, records, err := decoder.AppendEvents(events, text, time.Now())
	in.received.Add(uint64(records))
	if err != nil {
		in.broken(fmt.Sprintf("%s is %v", what, err))
	}
	return events
}

func (in *intakes) broken(line string) {
	in.malformed.Add(1)
	in.tell("warning: " + line)
}

// tell writes a line about the intake; at most one a second, with the number of those in between.
func (in *intakes) tell(line string) {
	if held, may := in.told.may(time.Now()); may {
		if held > 0 {
			line += fmt.Sprintf(" (and %s more like this)", grouped(held))
		}
		in.console.say(line)
	}
}

// limiter lets one thing through at a time.
type limiter struct {
	every time.Duration
	mu    sync.Mutex
	last  time.Time
	held  uint64
}

// may reports whether the next thing may pass, and how many were held back since the last that did.
func (l *limiter) may(now time.Time) (held uint64, may bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.last) < l.every {
		l.held++
		return 0, false
	}
	held, l.last, l.held = l.held, now, 0
	return held, true
}
