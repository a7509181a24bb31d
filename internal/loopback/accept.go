package loopback

import "net"

// Accept serves connections, each in a goroutine of its own that closes it, until the listener is closed.
func Accept(l net.Listener, serve func(conn net.Conn)) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			serve(conn)
		}()
	}
}
