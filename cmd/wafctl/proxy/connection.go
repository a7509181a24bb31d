package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

const (
	dialTimeout      = 5 * time.Second
	handshakeTimeout = 10 * time.Second
	idleBackend      = 30 * time.Second // shorter than what backends commonly allow, so that they do not close first
	idleConnections  = 512              // to the backend
	maxResponseHead  = 256 << 10
)

// transport returns what requests go to the backend with.
func (s *settings) transport() (*http.Transport, error) {
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}
	t := &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &timedConn{Conn: conn, read: s.backendTimeout, write: s.backendTimeout}, nil
		},
		TLSHandshakeTimeout: handshakeTimeout, ResponseHeaderTimeout: s.backendTimeout,
		MaxIdleConns: idleConnections, MaxIdleConnsPerHost: idleConnections, IdleConnTimeout: idleBackend,
		MaxResponseHeaderBytes: maxResponseHead,
		DisableCompression:     true, // responses pass as the backend has made them
		Protocols:              new(http.Protocols),
		TLSClientConfig:        &tls.Config{InsecureSkipVerify: !s.backendVerify, MinVersion: tls.VersionTLS12}, //nolint:gosec // the operator decides
	}
	t.Protocols.SetHTTP1(s.backend.Scheme != "h2c")
	t.Protocols.SetHTTP2(s.backend.Scheme == "https")
	t.Protocols.SetUnencryptedHTTP2(s.backend.Scheme == "h2c")
	if s.backendCA != nil {
		t.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !t.TLSClientConfig.RootCAs.AppendCertsFromPEM(s.backendCA) {
			return nil, errors.New("backend_ca: no certificate in PEM")
		}
	}
	return t, nil
}

// timedConn is a connection on which each read and each write must make progress in time. A duration of 0 sets no limit.
type timedConn struct {
	net.Conn
	read, write time.Duration
	onClose     func()
	closed      atomic.Bool
}

// Read implements net.Conn.
func (c *timedConn) Read(to []byte) (int, error) {
	if c.read > 0 {
		if err := c.SetReadDeadline(time.Now().Add(c.read)); err != nil {
			return 0, err
		}
	}
	return c.Conn.Read(to)
}

// Write implements net.Conn.
func (c *timedConn) Write(data []byte) (int, error) {
	if c.write > 0 {
		if err := c.SetWriteDeadline(time.Now().Add(c.write)); err != nil {
			return 0, err
		}
	}
	return c.Conn.Write(data)
}

// Close implements net.Conn.
func (c *timedConn) Close() error {
	if !c.closed.Swap(true) && c.onClose != nil {
		c.onClose()
	}
	return c.Conn.Close()
}

// listener accepts a bounded number of connections at a time, and has their clients take what is sent to them. More wait in the kernel.
type listener struct {
	net.Listener
	proxy  *proxy
	places chan struct{}
	ended  chan struct{}
	over   atomic.Bool
}

func (p *proxy) limit(l net.Listener, places chan struct{}) *listener {
	return &listener{Listener: l, proxy: p, places: places, ended: make(chan struct{})}
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
	l.proxy.counts.connections.Add(1)
	return &timedConn{Conn: conn, write: l.proxy.sendTimeout, onClose: func() {
		l.proxy.counts.connections.Add(-1)
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
