package delivery

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"
)

// resolveAgain is the age at which the name of a destination without connections is looked up again.
const resolveAgain = time.Minute

// datagramSink sends messages over UDP.
type datagramSink struct {
	host      string // host:port
	dialer    net.Dialer
	timeout   time.Duration
	datagrams func(m *Message) [][]byte // what one message becomes

	conn   net.Conn // nil when there is none
	opened time.Time
}

// send cannot know whether datagrams arrive. But when the network answers that nobody takes them, nothing of this attempt
// counts as taken: the answer belongs to an earlier datagram, and those before it are lost with it.
func (k *datagramSink) send(ctx context.Context, msgs []Message) (int, error) {
	taken, err := k.sendAll(ctx, msgs)
	if err == nil {
		_, err = peerData(k.conn)
	}
	if err == nil {
		return taken, nil
	}
	k.close() //nolint:errcheck // given up after another error
	if isUnreachable(err) {
		taken = 0
	}
	return taken, fmt.Errorf("send: %w", err)
}

func isUnreachable(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ENETUNREACH)
}

func (k *datagramSink) sendAll(ctx context.Context, msgs []Message) (int, error) {
	if err := k.open(ctx); err != nil {
		return 0, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		if err := k.conn.SetWriteDeadline(deadline); err != nil {
			return 0, err
		}
	}
	for i := range msgs {
		if err := ctx.Err(); err != nil {
			return i, err
		}
		for _, datagram := range k.datagrams(&msgs[i]) {
			if _, err := k.conn.Write(datagram); err != nil {
				return i, err
			}
		}
	}
	return len(msgs), nil
}

// open looks up the host, when there is no socket yet or its address may be outdated.
func (k *datagramSink) open(ctx context.Context) error {
	if k.conn != nil && time.Since(k.opened) < resolveAgain {
		return nil
	}
	k.close() //nolint:errcheck // a socket without connection has nothing left to send
	ctx, cancel := context.WithTimeout(ctx, k.timeout)
	defer cancel()
	conn, err := k.dialer.DialContext(ctx, "udp", k.host)
	if err != nil {
		return err
	}
	k.conn, k.opened = conn, time.Now()
	return nil
}

func (k *datagramSink) close() error {
	if k.conn == nil {
		return nil
	}
	err := k.conn.Close()
	k.conn = nil
	return err
}
