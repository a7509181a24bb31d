package server

import (
	"net"
	"sync/atomic"
	"time"
)

// TimedConn is a connection on which each read and each write must make progress in time. A duration of 0 sets no limit.
type TimedConn struct {
	net.Conn
	ReadTime, WriteTime time.Duration

	onClose func()
	closed  atomic.Bool
}

// Read implements net.Conn.
func (c *TimedConn) Read(to []byte) (int, error) {
	if c.ReadTime > 0 {
		if err := c.SetReadDeadline(time.Now().Add(c.ReadTime)); err != nil {
			return 0, err
		}
	}
	return c.Conn.Read(to)
}

// Write implements net.Conn.
func (c *TimedConn) Write(data []byte) (int, error) {
	if c.WriteTime > 0 {
		if err := c.SetWriteDeadline(time.Now().Add(c.WriteTime)); err != nil {
			return 0, err
		}
	}
	return c.Conn.Write(data)
}

// Close implements net.Conn.
func (c *TimedConn) Close() error {
	if !c.closed.Swap(true) && c.onClose != nil {
		c.onClose()
	}
	return c.Conn.Close()
}

// listener accepts a bounded number of connections at a time, and has their clients take what is sent to them. More wait in the kernel.
type listener struct {
	net.Listener
	server *Server
	places chan struct{}
	ended  chan struct{}
	over   atomic.Bool
}

func (s *Server) limit(l net.Listener, places chan struct{}) *listener {
	return &listener{Listener: l, server: s, places: places, ended: make(chan struct{})}
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case l.places <- struct{}{}:
	case <-l.ended:
		return nil, net.ErrClosed
	}
	conn, err := l.Listener.Accept()
	if err != nil {
		<-l.places
		return nil, err
	}
	l.server.counts.connections.Add(1)
	return &TimedConn{Conn: conn, WriteTime: l.server.SendTimeout, onClose: func() {
		l.server.counts.connections.Add(-1)
		<-l.places
	}}, nil
}

// Close implements net.Listener.
func (l *listener) Close() error {
	if !l.over.Swap(true) {
		close(l.ended)
	}
	return l.Listener.Close()
}
