package receive

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

// socket is one UDP socket. Go's runtime does not watch it: it would wake up for each datagram.
type socket struct {
	*net.UDPConn // closed, for its address and what package ipv4 asks of a connection
	fd           int
	batch        interface {
		ReadBatch(messages []ipv4.Message, flags int) (int, error)
	}
	inode  uint64
	gather time.Duration // see gatherTime
	drops  dropCounter
}

// SyscallConn lets package ipv4 read the socket; a call that would have to wait fails with EAGAIN.
func (s *socket) SyscallConn() (syscall.RawConn, error) { return descriptor(s.fd), nil }

// Close closes the socket.
func (s *socket) Close() error { return unix.Close(s.fd) }

// await waits until the socket has something, or the other descriptor is readable.
func (s *socket) await(other int) error {
	_, err := unix.Poll([]unix.PollFd{{Fd: int32(s.fd), Events: unix.POLLIN}, {Fd: int32(other), Events: unix.POLLIN}}, -1)
	if errors.Is(err, unix.EINTR) {
		return nil
	}
	return err
}

// descriptor is a syscall.RawConn that never waits.
type descriptor int

func (d descriptor) Control(f func(fd uintptr)) error {
	f(uintptr(d))
	return nil
}

func (d descriptor) Read(f func(fd uintptr) bool) error {
	f(uintptr(d))
	return nil
}

func (d descriptor) Write(f func(fd uintptr) bool) error { return d.Read(f) }

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
		address = s.LocalAddr().String() // with the port that the system has chosen
	}
	given, err := growBuffers(all, buffer)
	for _, s := range all {
		s.gather = gatherTime(given)
	}
	switch {
	case err != nil:
		warn(fmt.Sprintf("receive buffer of %s: %v", place, err))
	case given < buffer:
		warn(fmt.Sprintf("receive buffer of %s: the kernel grants %d bytes instead of %d; set net.core.rmem_max=%d with sysctl", place,
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
		return errors.Join(controlled, err)
	}}
	conn, err := config.ListenPacket(context.Background(), "udp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	s := &socket{UDPConn: conn.(*net.UDPConn)}
	if err := s.detach(); err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	if s.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Is4() {
		s.batch = ipv4.NewPacketConn(s)
	} else {
		s.batch = ipv6.NewPacketConn(s)
	}
	return s, nil
}

// detach makes a descriptor of the connection's socket that outlives the connection.
func (s *socket) detach() error {
	raw, err := s.UDPConn.SyscallConn()
	if err != nil {
		return err
	}
	controlled := raw.Control(func(fd uintptr) { s.fd, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) })
	if err := errors.Join(controlled, err); err != nil {
		return err
	}
	var stat unix.Stat_t
	if err := unix.Fstat(s.fd, &stat); err != nil {
		unix.Close(s.fd) //nolint:errcheck // nothing is lost
		return err
	}
	s.inode = stat.Ino
	return nil
}

func closeSockets(all []*socket) {
	for _, s := range all {
		s.Close() //nolint:errcheck // nothing is written to it
	}
}

// growBuffers asks for receive buffers and returns what the smallest has now. The kernel keeps as much again for its own
// bookkeeping and tells the sum of both.
func growBuffers(all []*socket, bytes int64) (given int64, err error) {
	for _, s := range all {
		if unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, int(bytes)) != nil { // not privileged
			if err := unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_RCVBUF, int(bytes)); err != nil {
				return 0, err
			}
		}
		now, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_RCVBUF)
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
