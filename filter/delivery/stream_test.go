package delivery

import (
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func serverConfig(pair tls.Certificate) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{pair}}
}

func listenTLS(t *testing.T, pair tls.Certificate) net.Listener {
	l, err := tls.Listen("tcp", "127.0.0.1:0", serverConfig(pair))
	require.NoError(t, err)
	return l
}

// smallReceiveBuffer lets a peer that reads nothing hang after some kilobytes.
func smallReceiveBuffer(_, _ string, c syscall.RawConn) error {
	var err error
	if controlErr := c.Control(func(fd uintptr) {
		err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 8192)
	}); controlErr != nil {
		return controlErr
	}
	return err
}

func TestAConnectionThatThePeerClosedIsMadeAnew(t *testing.T) {
	ca := newAuthority(t)
	pair, _, _ := ca.issue(t, "127.0.0.1", time.Now().Add(time.Hour))
	plain, plainBox := syslogTCPServer(t, "127.0.0.1:0")
	secured, securedBox := syslogTLSServer(t, serverConfig(pair))
	fwd := forwardTCPServer(t, &forwardServer{})
	d := mustOpen(t, "syslog+tcp://"+plain.Addr().String()+",syslog+tls://"+secured.Addr().String()+"?ca="+ca.file+
		",forward://"+fwd.Addr().String()+"?tag=waf", Options{})
	for n := range 5 {
		require.NoError(t, d.Deliver(t.Context(), "", alerts(n, n+1)))
		plainBox.wait(t, n+1)
		securedBox.wait(t, n+1)
		plain.hangUp()
		secured.hangUp()
		fwd.hangUp()
	}
	assert.Equal(t, count(0, 5), syslogNumbers(t, plainBox.now()))
	assert.Equal(t, count(0, 5), syslogNumbers(t, securedBox.now()))
	assert.Equal(t, count(0, 5), forwardNumbers(fwd.now()))
}

func TestAHalfClosedConnectionIsMadeAnew(t *testing.T) {
	first := make(chan net.Conn, 10)
	box := newInbox[int]()
	s := listen(t, "tcp", "127.0.0.1:0", func(conn net.Conn) {
		first <- conn
		buffer := make([]byte, 1<<16)
		for {
			n, err := conn.Read(buffer)
			if err != nil {
				return
			}
			box.put(n)
		}
	})
	d := mustOpen(t, "gelf+tcp://"+s.Addr().String(), Options{})
	require.NoError(t, d.Deliver(t.Context(), "", alerts(0, 1)))
	box.wait(t, 1)
	require.NoError(t, (<-first).(*net.TCPConn).CloseWrite())
	require.NoError(t, d.Deliver(t.Context(), "", alerts(1, 2)))
	select {
	case <-first:
	case <-time.After(5 * time.Second):
		t.Fatal("the half closed connection was used again")
	}
}

func TestAPeerThatDiesWhileWeWriteHasTakenNothing(t *testing.T) {
	lc := net.ListenConfig{Control: smallReceiveBuffer}
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := serveOn(t, l, func(conn net.Conn) { _, _ = conn.Read(make([]byte, 1)) })
	d := mustOpen(t, "gelf+tcp://"+s.Addr().String(), Options{})
	msgs := alerts(0, 1)
	msgs[0].JSON = fmt.Appendf(nil, `{"n":0,"body":%q}`, strings.Repeat("x", 1<<20))
	require.ErrorContains(t, d.Deliver(t.Context(), "a", msgs), "write: ")
	assert.Zero(t, d.Stats()[0].Delivered)
}

func TestAPeerThatTalksIsNotTakenForClosed(t *testing.T) {
	box := newInbox[[]byte]()
	s := listen(t, "tcp", "127.0.0.1:0", func(conn net.Conn) {
		buffer := make([]byte, 1<<16)
		for {
			n, err := conn.Read(buffer)
			if err != nil {
				return
			}
			box.put(buffer[:n])
			_, _ = conn.Write(make([]byte, 10_000))
		}
	})
	d := mustOpen(t, "syslog+tcp://"+s.Addr().String(), Options{})
	for n := range 3 {
		require.NoError(t, d.Deliver(t.Context(), "", alerts(n, n+1)))
		box.wait(t, n+1)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	assert.Len(t, s.conns, 1)
}

func TestTLSIsRefusedUnlessTheCertificateIsRight(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	right, _, _ := ca.issue(t, "127.0.0.1", time.Now().Add(time.Hour))
	named, _, _ := ca.issue(t, "siem.example", time.Now().Add(time.Hour))
	expired, _, _ := ca.issue(t, "127.0.0.1", time.Now().Add(-time.Hour))
	for name, c := range map[string]struct {
		pair    tls.Certificate
		options string
		err     string // empty when the delivery succeeds
	}{
		"right":                      {pair: right, options: "?ca=" + ca.file},
		"another authority":          {pair: right, options: "?ca=" + other.file, err: "certificate signed by unknown authority"},
		"the system's authorities":   {pair: right, err: "certificate signed by unknown authority"},
		"another name":               {pair: named, options: "?ca=" + ca.file, err: "doesn't contain any IP SANs"},
		"the name that is asked for": {pair: named, options: "?server-name=siem.example&ca=" + ca.file},
		"expired":                    {pair: expired, options: "?ca=" + ca.file, err: "has expired"},
		"insecure":                   {pair: expired, options: "?insecure=on"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, scheme := range []string{"syslog+tls", "forward+tls"} {
				var address string
				var arrived func() int
				if scheme == "forward+tls" {
					s := startForward(t, listenTLS(t, c.pair), &forwardServer{})
					address, arrived = s.Addr().String(), func() int { return len(s.now()) }
				} else {
					s, box := syslogTLSServer(t, serverConfig(c.pair))
					address, arrived = s.Addr().String(), func() int { return len(box.now()) }
					if c.err == "" {
						arrived = func() int { return len(box.wait(t, 1)) }
					}
				}
				options := c.options
				if scheme == "forward+tls" {
					options = "?tag=waf&" + options[min(1, len(options)):]
				}
				d := mustOpen(t, scheme+"://"+address+options, Options{})
				err := d.Deliver(t.Context(), "a", alerts(0, 1))
				if c.err != "" {
					require.ErrorContains(t, err, c.err)
					assert.Zero(t, arrived())
					continue
				}
				require.NoError(t, err)
				assert.Equal(t, 1, arrived())
			}
		})
	}
}

func TestAPlainPeerIsNoTLSPeer(t *testing.T) {
	plain := listen(t, "tcp", "127.0.0.1:0", func(conn net.Conn) { _, _ = conn.Write([]byte("220 hello\r\n")) })
	d := mustOpen(t, "syslog+tls://"+plain.Addr().String(), Options{})
	require.ErrorContains(t, d.Deliver(t.Context(), "a", alerts(0, 1)), "first record does not look like a TLS handshake")
}

func TestTheReceiverCanAskForOurCertificate(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	pair, _, _ := ca.issue(t, "127.0.0.1", time.Now().Add(time.Hour))
	_, ours, ourKey := ca.issue(t, "collector", time.Now().Add(time.Hour))
	_, foreign, foreignKey := other.issue(t, "collector", time.Now().Add(time.Hour))
	for name, c := range map[string]struct {
		options string
		accepts bool
	}{
		"right":   {options: "&cert=" + ours + "&key=" + ourKey, accepts: true},
		"none":    {},
		"foreign": {options: "&cert=" + foreign + "&key=" + foreignKey},
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(name+" "+tls.VersionName(version), func(t *testing.T) {
				config := serverConfig(pair)
				config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, ca.pool()
				config.MaxVersion = version
				s, box := syslogTLSServer(t, config)
				var opt Options
				if !c.accepts { // its word comes, late or not; one that accepts may say nothing
					opt.verdictTime = 30 * time.Second
				}
				d := mustOpen(t, "syslog+tls://"+s.Addr().String()+"?timeout=30s&ca="+ca.file+c.options, opt)
				err := d.Deliver(t.Context(), "a", alerts(0, 1))
				if c.accepts {
					require.NoError(t, err)
					box.wait(t, 1)
					return
				}
				require.ErrorContains(t, err, "remote error: tls")
				assert.Zero(t, d.Stats()[0].Delivered, "nothing counts as taken by a peer that threw it away")
			})
		}
	}
}
