package delivery

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/leodido/go-syslog/v4"
	"github.com/leodido/go-syslog/v4/octetcounting"
	"github.com/leodido/go-syslog/v4/rfc5424"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// inbox collects what a server has received, in order.
type inbox[T any] struct {
	mu    sync.Mutex
	all   []T
	fresh chan struct{}
}

func newInbox[T any]() *inbox[T] { return &inbox[T]{fresh: make(chan struct{}, 1)} }

func (b *inbox[T]) put(v T) {
	b.mu.Lock()
	b.all = append(b.all, v)
	b.mu.Unlock()
	select {
	case b.fresh <- struct{}{}:
	default:
	}
}

func (b *inbox[T]) now() []T {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.all)
}

// wait returns everything as soon as there are n, and fails the test when there are not within 10 seconds.
func (b *inbox[T]) wait(t *testing.T, n int) []T {
	t.Helper()
	timeout := time.After(10 * time.Second)
	for {
		if all := b.now(); len(all) >= n {
			return all
		}
		select {
		case <-b.fresh:
		case <-timeout:
			require.Len(t, b.now(), n, "not all has arrived")
		}
	}
}

// server accepts connections on loopback until the test ends.
type server struct {
	net.Listener
	serve func(net.Conn)

	mu    sync.Mutex
	conns []net.Conn
	wg    sync.WaitGroup
}

func listen(t *testing.T, network, address string, serve func(net.Conn)) *server {
	t.Helper()
	l, err := net.Listen(network, address)
	require.NoError(t, err)
	return serveOn(t, l, serve)
}

func serveOn(t *testing.T, l net.Listener, serve func(net.Conn)) *server {
	s := &server{Listener: l, serve: serve}
	s.wg.Go(s.accept)
	t.Cleanup(s.stop)
	return s
}

func (s *server) accept() {
	for {
		conn, err := s.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns = append(s.conns, conn)
		s.mu.Unlock()
		s.wg.Go(func() {
			defer conn.Close()
			s.serve(conn)
		})
	}
}

// hangUp closes the connections that there are.
func (s *server) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, conn := range s.conns {
		conn.Close()
	}
	s.conns = nil
}

func (s *server) stop() {
	s.Close()
	s.hangUp()
	s.wg.Wait()
}

// parseSyslog reads octet counted messages with the strict parser until the connection ends.
func parseSyslog(t *testing.T, into *inbox[*rfc5424.SyslogMessage]) func(net.Conn) {
	return func(conn net.Conn) {
		if secured, ok := conn.(*tls.Conn); ok && secured.Handshake() != nil {
			return
		}
		listener := syslog.WithListener(func(r *syslog.Result) {
			if !assert.NoError(t, r.Error) {
				return
			}
			into.put(r.Message.(*rfc5424.SyslogMessage))
		})
		octetcounting.NewParser(listener, syslog.WithMaxMessageLength(1<<20)).Parse(conn)
	}
}

func syslogTCPServer(t *testing.T, address string) (*server, *inbox[*rfc5424.SyslogMessage]) {
	box := newInbox[*rfc5424.SyslogMessage]()
	return listen(t, "tcp", address, parseSyslog(t, box)), box
}

func syslogTLSServer(t *testing.T, config *tls.Config) (*server, *inbox[*rfc5424.SyslogMessage]) {
	box := newInbox[*rfc5424.SyslogMessage]()
	l, err := tls.Listen("tcp", "127.0.0.1:0", config)
	require.NoError(t, err)
	return serveOn(t, l, parseSyslog(t, box)), box
}

// udpServer gives every datagram to take.
func udpServer(t *testing.T, address string, take func([]byte)) net.PacketConn {
	t.Helper()
	conn, err := net.ListenPacket("udp", address)
	require.NoError(t, err)
	require.NoError(t, conn.(*net.UDPConn).SetReadBuffer(4<<20))
	var wg sync.WaitGroup
	wg.Go(func() {
		buffer := make([]byte, 1<<16)
		for {
			n, _, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			take(bytes.Clone(buffer[:n]))
		}
	})
	t.Cleanup(func() {
		conn.Close()
		wg.Wait()
	})
	return conn
}

func syslogUDPServer(t *testing.T, address string) (net.PacketConn, *inbox[*rfc5424.SyslogMessage]) {
	box := newInbox[*rfc5424.SyslogMessage]()
	parser := rfc5424.NewParser()
	return udpServer(t, address, func(datagram []byte) {
		assert.LessOrEqual(t, len(datagram), 2048)
		m, err := parser.Parse(datagram)
		if assert.NoError(t, err, "%q", datagram) {
			box.put(m.(*rfc5424.SyslogMessage))
		}
	}), box
}

// gelfUDPServer joins chunks and decompresses as a strict receiver.
func gelfUDPServer(t *testing.T) (net.PacketConn, *inbox[map[string]any]) {
	box := newInbox[map[string]any]()
	parts := make(map[string][][]byte)
	return udpServer(t, "127.0.0.1:0", func(datagram []byte) {
		if bytes.HasPrefix(datagram, []byte(chunkMagic)) {
			if datagram = joinChunks(t, parts, datagram); datagram == nil {
				return
			}
		}
		box.put(parseGELF(t, decompress(t, datagram)))
	}), box
}

func joinChunks(t *testing.T, parts map[string][][]byte, datagram []byte) []byte {
	id, number, count := string(datagram[2:10]), int(datagram[10]), int(datagram[11])
	if parts[id] == nil {
		parts[id] = make([][]byte, count)
	}
	if !assert.Len(t, parts[id], count) || !assert.Less(t, number, count) || !assert.LessOrEqual(t, count, 128) {
		return nil
	}
	assert.Nil(t, parts[id][number], "a chunk came twice")
	assert.NotEmpty(t, datagram[12:])
	parts[id][number] = datagram[12:]
	if slices.ContainsFunc(parts[id], func(part []byte) bool { return part == nil }) {
		return nil
	}
	whole := slices.Concat(parts[id]...)
	delete(parts, id)
	return whole
}

func decompress(t *testing.T, data []byte) []byte {
	var r io.Reader = bytes.NewReader(data)
	var err error
	switch {
	case bytes.HasPrefix(data, []byte{0x1f, 0x8b}):
		r, err = gzip.NewReader(r)
	case data[0] == 0x78:
		r, err = zlib.NewReader(r)
	}
	if !assert.NoError(t, err) {
		return nil
	}
	plain, err := io.ReadAll(r)
	assert.NoError(t, err)
	return plain
}

// parseGELF checks a document against what GELF 1.1 demands.
func parseGELF(t *testing.T, doc []byte) map[string]any {
	var m map[string]any
	if !assert.NoError(t, json.Unmarshal(doc, &m), "%q", doc) {
		return nil
	}
	assert.Equal(t, "1.1", m["version"])
	assert.NotEmpty(t, m["host"])
	assert.NotEmpty(t, m["short_message"])
	for name, v := range m {
		switch name {
		case "version", "host", "short_message", "full_message", "timestamp", "level":
			continue
		}
		assert.Regexp(t, `^_[\w.-]+$`, name)
		assert.NotEqual(t, "_id", name)
		switch v.(type) {
		case string, float64:
		default:
			assert.Fail(t, "neither a text nor a number", "%s: %v", name, v)
		}
	}
	return m
}

func gelfTCPServer(t *testing.T, l net.Listener) (*server, *inbox[map[string]any]) {
	box := newInbox[map[string]any]()
	return serveOn(t, l, func(conn net.Conn) {
		var pending []byte
		buffer := make([]byte, 1<<16)
		for {
			n, err := conn.Read(buffer)
			pending = append(pending, buffer[:n]...)
			for {
				doc, rest, whole := bytes.Cut(pending, []byte{0})
				if !whole {
					break
				}
				box.put(parseGELF(t, doc))
				pending = rest
			}
			if err != nil {
				return
			}
		}
	}), box
}

// authority issues certificates for tests.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string // its certificate as PEM
}

func newAuthority(t *testing.T) *authority {
	a := &authority{file: filepath.Join(t.TempDir(), "ca.pem")}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	var err error
	a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	require.NoError(t, err)
	a.cert, err = x509.ParseCertificate(der)
	require.NoError(t, err)
	writePEM(t, a.file, "CERTIFICATE", der)
	return a
}

func writePEM(t *testing.T, file, kind string, der []byte) {
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
}

// issue returns a certificate for a name that is valid until end, and its files.
func (a *authority) issue(t *testing.T, name string, end time.Time) (pair tls.Certificate, certFile, keyFile string) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: end,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if ip := net.ParseIP(name); ip != nil {
		template.DNSNames, template.IPAddresses = nil, []net.IP{ip}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	require.NoError(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writePEM(t, certFile, "CERTIFICATE", der)
	writePEM(t, keyFile, "PRIVATE KEY", secret)
	pair, err = tls.LoadX509KeyPair(certFile, keyFile)
	require.NoError(t, err)
	return pair, certFile, keyFile
}

// pool holds the authority alone.
func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// alert returns the n-th test message.
func alert(n int) Message {
	return Message{
		Time: time.Date(2026, 5, 30, 7, 16, 48, n*1000, time.UTC), Severity: 2, Host: "probe-1", Tag: "nano",
		JSON:   fmt.Appendf(nil, `{"rule_id":"932160","n":%d,"msg":"Remote Command Execution"}`, n),
		Record: record(n),
	}
}

func alerts(from, to int) []Message {
	var msgs []Message
	for n := from; n < to; n++ {
		msgs = append(msgs, alert(n))
	}
	return msgs
}

// number returns the n of a test message from its JSON.
func number(t *testing.T, text string) int {
	var m struct{ N *int }
	if !assert.NoError(t, json.Unmarshal([]byte(text), &m), "%q", text) || !assert.NotNil(t, m.N, "%q", text) {
		return -1
	}
	return *m.N
}

func syslogNumbers(t *testing.T, all []*rfc5424.SyslogMessage) []int {
	var numbers []int
	for _, m := range all {
		numbers = append(numbers, number(t, *m.Message))
	}
	return numbers
}

func gelfNumbers(all []map[string]any) []int {
	var numbers []int
	for _, m := range all {
		n, _ := m["_n"].(float64)
		numbers = append(numbers, int(n))
	}
	return numbers
}

func count(from, to int) []int {
	var numbers []int
	for n := from; n < to; n++ {
		numbers = append(numbers, n)
	}
	return numbers
}

// mustOpen opens destinations that the test closes.
func mustOpen(t *testing.T, destinations string, opt Options) *Delivery {
	t.Helper()
	if opt.Hostname == "" {
		opt.Hostname = "collector"
	}
	d, err := Open(destinations, opt)
	require.NoError(t, err)
	t.Cleanup(func() {
		if err := d.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
	return d
}
