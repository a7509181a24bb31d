package delivery

import (
	"errors"
	"io"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// peerData tells, without waiting, whether the peer has sent something. The error is io.EOF when the peer has closed its
// side of a stream, and otherwise what the kernel knows of the connection, such as a datagram that nobody listens for.
func peerData(conn net.Conn) (bool, error) {
	n, err := 0, error(nil)
	onSocket(conn, func(fd int) {
		var first [1]byte
		n, _, err = unix.Recvfrom(fd, first[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	})
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		return false, nil
	case err != nil:
		return false, err
	case n == 0 && conn.RemoteAddr().Network() != "udp":
		return false, io.EOF
	}
	return n > 0, nil
}

// unacknowledged returns how many bytes of a TCP connection the peer's kernel has not acknowledged.
func unacknowledged(conn net.Conn) (n int, err error) {
	onSocket(conn, func(fd int) {
		n, err = unix.IoctlGetInt(fd, unix.TIOCOUTQ)
	})
	return n, err
}

// onSocket calls f with the socket below a connection, also below TLS.
func onSocket(conn net.Conn, f func(fd int)) {
	if secured, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = secured.NetConn()
	}
	if c, ok := conn.(syscall.Conn); ok {
		if raw, err := c.SyscallConn(); err == nil {
			_ = raw.Control(func(fd uintptr) { f(int(fd)) })
		}
	}
}
