package receive

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

// socket is one UDP socket. Only the goroutine that reads it and, once that has ended, the one that closes it touch drops.
type socket struct {
	conn  *net.UDPConn
	batch interface {
		ReadBatch(messages []ipv4.Message, flags int) (int, error)
	}
	inode uint64
	drops dropCounter
}

// openSockets opens the sockets of a place. Each has its own receive buffer; the kernel shares senders out between them.
func openSockets(place Place, n int, buffer int64, warn func(string)) ([]*socket, error) {
	if err := probe(place); err != nil {
		return nil, err
	}
	var all []*socket
	address := place.Address
	for range n {
		s, err := openSocket(address, n > 1)
		if err != nil {
			closeSockets(all)
			return nil, err
		}
		all = append(all, s)
		address = s.conn.LocalAddr().String() // with the port that the system has chosen
	}
	given, err := growBuffers(all, buffer)
	switch {
	case err != nil:
		warn(fmt.Sprintf("receive buffer of %s: %v", place, err))
	case given < buffer:
		warn(fmt.Sprintf("receive buffer of %s: the kernel gives %d bytes instead of %d; set net.core.rmem_max=%d with sysctl", place,
			given, buffer, buffer))
	}
	return all, nil
}

// probe fails where others listen: sockets that share a port would hide it.
func probe(place Place) error {
	conn, err := net.ListenPacket("udp", place.Address)
	if err != nil {
		return err
	}
	return conn.Close()
}

func openSocket(address string, shared bool) (*socket, error) {
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) (err error) {
		controlled := raw.Control(func(fd uintptr) {
			if err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RXQ_OVFL, 1); err == nil && shared {
				err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
			}
		})
		if controlled != nil {
			return controlled
		}
		return err
	}}
	conn, err := config.ListenPacket(context.Background(), "udp", address)
	if err != nil {
		return nil, err
	}
	s := &socket{conn: conn.(*net.UDPConn)}
	if s.conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Is4() {
		s.batch = ipv4.NewPacketConn(s.conn)
	} else {
		s.batch = ipv6.NewPacketConn(s.conn)
	}
	if s.inode, err = inode(s.conn); err != nil {
		conn.Close()
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return s, nil
}

func closeSockets(all []*socket) {
	for _, s := range all {
		s.conn.Close()
	}
}

// control calls f with the descriptor of a socket.
func control(conn *net.UDPConn, f func(fd int) error) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	if controlled := raw.Control(func(fd uintptr) { err = f(int(fd)) }); controlled != nil {
		return controlled
	}
	return err
}

func inode(conn *net.UDPConn) (n uint64, err error) {
	err = control(conn, func(fd int) error {
		var stat unix.Stat_t
		err := unix.Fstat(fd, &stat)
		n = stat.Ino
		return err
	})
	return n, err
}

// growBuffers asks for receive buffers and returns what the smallest has now. The kernel keeps as much again for its own
// bookkeeping and tells the sum of both.
func growBuffers(all []*socket, bytes int64) (given int64, err error) {
	for _, s := range all {
		var now int
		err := control(s.conn, func(fd int) (err error) {
			if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, int(bytes)) != nil { // not privileged
				if err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, int(bytes)); err != nil {
					return err
				}
			}
			now, err = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF)
			return err
		})
		if err != nil {
			return 0, err
		}
		if half := int64(now / 2); given == 0 || half < given {
			given = half
		}
	}
	return given, nil
}

// sender returns the address that a batch of messages has for one of them.
func sender(address net.Addr) netip.Addr {
	if udp, ok := address.(*net.UDPAddr); ok {
		return udp.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}
