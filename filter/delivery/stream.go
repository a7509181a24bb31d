package delivery

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

// stream is a connection that is made when it is needed and made anew when the peer has closed it.
type stream struct {
	dial    dialFunc
	timeout time.Duration // for dialing, for each write and for each acknowledgment

	conn net.Conn // nil when there is none
}

// connect makes sure that there is a connection that the peer has not closed, and tells whether it is a new one.
func (s *stream) connect(ctx context.Context) (fresh bool, err error) {
	if s.conn != nil && drain(s.conn) == nil {
		return false, nil
	}
	s.drop()
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	conn, err := s.dial(ctx)
	if err != nil {
		return false, fmt.Errorf("connect: %w", err)
	}
	s.conn = conn
	return true, nil
}

// drop ends the connection.
func (s *stream) drop() {
	if s.conn != nil {
		s.conn.Close()
		s.conn = nil
	}
}

func (s *stream) close() error {
	s.drop()
	return nil
}

// limited calls f. Reading and writing fail, and the connection with them, when ctx ends or the timeout is over.
func (s *stream) limited(ctx context.Context, f func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	conn := s.conn
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	err := f(ctx)
	if !stop() && err == nil {
		// The deadline may still be set behind our back.
		err = os.ErrDeadlineExceeded
	}
	return err
}

// write sends data and waits until the peer's kernel has acknowledged all of it.
func (s *stream) write(ctx context.Context, data []byte) error {
	err := s.limited(ctx, func(ctx context.Context) error {
		if _, err := s.conn.Write(data); err != nil {
			return err
		}
		return settle(ctx, s.conn)
	})
	if err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

// settle waits until nothing is unacknowledged. Without it, what is written to a peer that has vanished counts as sent for
// minutes, until the send buffer is full. The waits are short: a peer on the same network acknowledges at once.
func settle(ctx context.Context, conn net.Conn) error {
	for wait := 50 * time.Microsecond; ; wait = min(2*wait, 10*time.Millisecond) {
		n, err := unacknowledged(conn)
		if err != nil {
			return err
		}
		if n == 0 {
			return drain(conn)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d bytes not acknowledged: %w", n, os.ErrDeadlineExceeded)
		case <-time.After(wait):
		}
	}
}

// drainTime is how long drain waits for the rest of something that has begun to arrive.
const drainTime = 2 * time.Millisecond

// drain reads away what the peer has sent, such as session tickets of TLS, to find out whether it has closed the
// connection behind that. It leaves a read deadline.
func drain(conn net.Conn) error {
	var scrap []byte
	for range 64 {
		more, err := peerData(conn)
		if err != nil || !more {
			return err
		}
		if scrap == nil {
			scrap = make([]byte, 4096)
		}
		if err := conn.SetReadDeadline(time.Now().Add(drainTime)); err != nil {
			return err
		}
		_, err = conn.Read(scrap)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil // all of it was TLS's own, and the end is not behind it
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// writeSize is how many bytes a streamSink collects before it writes and confirms them.
const writeSize = 64 << 10

// streamSink sends messages that the peer does not acknowledge, each in a frame.
type streamSink struct {
	stream
	frame func(dst []byte, m *Message) []byte

	buffer []byte
}

func (k *streamSink) send(ctx context.Context, msgs []Message) (taken int, err error) {
	if _, err := k.connect(ctx); err != nil {
		return 0, err
	}
	for taken < len(msgs) {
		next := taken
		k.buffer = k.buffer[:0]
		for next < len(msgs) && len(k.buffer) < writeSize {
			k.buffer = k.frame(k.buffer, &msgs[next])
			next++
		}
		err := k.write(ctx, k.buffer)
		if cap(k.buffer) > 16*writeSize {
			k.buffer = nil
		}
		if err != nil {
			k.drop()
			return taken, err
		}
		taken = next
	}
	return taken, nil
}
