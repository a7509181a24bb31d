package proxy

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/inline/server"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// writeCertificate writes a new certificate for localhost and its key into a folder.
func writeCertificate(t *testing.T, dir string, serial int64) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	require.NoError(t, err)
	encoded, err := x509.MarshalECPrivateKey(private)
	require.NoError(t, err)
	certificate, key = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	for file, block := range map[string]*pem.Block{certificate: {Type: "CERTIFICATE", Bytes: signed}, key: {Type: "EC PRIVATE KEY", Bytes: encoded}} {
		require.NoError(t, os.WriteFile(file+".new", pem.EncodeToMemory(block), 0o600))
		require.NoError(t, os.Rename(file+".new", file))
	}
	return certificate, key
}

func TestTLSWithCertificatesThatChange(t *testing.T) {
	b := record(t)
	dir := t.TempDir()
	certificate, key := writeCertificate(t, dir, 1)
	p := run(t, b.URL, setting.Map{"tls_listen": "127.0.0.1:0", "tls_cert": certificate, "tls_key": key, "tls_redirect": "on"})
	address := p.Addresses()[1].String()
	get := func(target string) (serial int64, proto string, status int) {
		transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true} //nolint:gosec // a test's own certificate
		defer transport.CloseIdleConnections()
		request, err := http.NewRequest(http.MethodGet, "https://"+address+target, nil)
		require.NoError(t, err)
		request.Host = "shop.example"
		request.Header.Set("Accept", "*/*")
		response, err := transport.RoundTrip(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		return response.TLS.PeerCertificates[0].SerialNumber.Int64(), response.Proto, response.StatusCode
	}
	serial, proto, status := get("/a?b=c")
	require.Equal(t, []any{int64(1), "HTTP/2.0", 200}, []any{serial, proto, status})
	require.Equal(t, "https", b.last(t).header.Get("X-Forwarded-Proto"))
	_, _, status = get(attack)
	require.Equal(t, 403, status)

	writeCertificate(t, dir, 2)
	require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGHUP))
	require.Eventually(t, func() bool { serial, _, _ := get("/"); return serial == 2 }, 20*time.Second, 10*time.Millisecond)
	require.NoError(t, os.WriteFile(certificate, []byte("broken"), 0o600))
	require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGHUP))
	require.Eventually(t, func() bool { return strings.Contains(p.log.String(), "stays in use") }, 20*time.Second, time.Millisecond)
	serial, _, _ = get("/")
	require.EqualValues(t, 2, serial)

}

func TestRequestsWithoutTLSAreRedirected(t *testing.T) {
	b := record(t)
	certificate, key := writeCertificate(t, t.TempDir(), 1)
	for redirect, want := range map[string]string{"on": "https://shop.example/a?b", "8443": "https://shop.example:8443/a?b"} {
		p := run(t, b.URL, setting.Map{"tls_listen": "127.0.0.1:0", "tls_cert": certificate, "tls_key": key, "tls_redirect": redirect})
		request, err := http.NewRequest(http.MethodGet, "http://"+p.address+"/a?b", nil)
		require.NoError(t, err)
		request.Host = "shop.example:8080"
		response, err := http.DefaultTransport.RoundTrip(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, http.StatusPermanentRedirect, response.StatusCode)
		require.Equal(t, want, response.Header.Get("Location"))
	}
	require.Zero(t, b.count())
}

func TestBackendsWithTLSAreVerified(t *testing.T) {
	b := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { send(w, "ok") }))
	defer b.Close()
	b.Config.ErrorLog = nil
	status, _ := run(t, b.URL, nil).get("/")
	require.Equal(t, 502, status)
	status, _ = run(t, b.URL, setting.Map{"backend_verify": "off"}).get("/")
	require.Equal(t, 200, status)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: b.Certificate().Raw}), 0o600))
	status, _ = run(t, b.URL, setting.Map{"backend_ca": ca}).get("/")
	require.Equal(t, 200, status)
}

// client returns a transport with a certificate, that of a folder.
func client(t *testing.T, dir string) *http.Transport {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"))
	require.NoError(t, err)
	transport := &http.Transport{TLSClientConfig: &tls.Config{Certificates: []tls.Certificate{pair}, InsecureSkipVerify: true}} //nolint:gosec // a test's own certificate
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// Clients need a certificate of the authority, which may change.
func TestClientsAreVerified(t *testing.T) {
	b := record(t)
	dir, known, unknown, later := t.TempDir(), t.TempDir(), t.TempDir(), t.TempDir()
	certificate, key := writeCertificate(t, dir, 1)
	authority, _ := writeCertificate(t, known, 2)
	writeCertificate(t, unknown, 3)
	newAuthority, _ := writeCertificate(t, later, 4)
	p := run(t, b.URL, setting.Map{"listen": "off", "tls_listen": "127.0.0.1:0", "tls_cert": certificate, "tls_key": key, "client_ca": authority})
	get := func(transport http.RoundTripper) (status int, err error) {
		request, err := http.NewRequest(http.MethodGet, "https://"+p.address+"/", nil)
		require.NoError(t, err)
		request.Host = "shop.example"
		request.Header.Set("Accept", "*/*")
		response, err := transport.RoundTrip(request)
		if err != nil {
			return 0, err
		}
		return response.StatusCode, response.Body.Close()
	}
	before := client(t, known)
	status, err := get(before)
	require.NoError(t, err)
	require.Equal(t, 200, status)
	_, err = get(client(t, unknown))
	require.Error(t, err)
	_, err = get(&http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}) //nolint:gosec // a test's own certificate
	require.Error(t, err)
	require.Equal(t, 1, b.count())

	text, err := os.ReadFile(newAuthority)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(authority, text, 0o600))
	require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGHUP))
	require.Eventually(t, func() bool { status, _ := get(client(t, later)); return status == 200 }, 20*time.Second, 10*time.Millisecond)
	before.CloseIdleConnections()
	_, err = get(before)
	require.Error(t, err)
}

func TestBackendsMayVerifyTheProxy(t *testing.T) {
	dir := t.TempDir()
	certificate, key := writeCertificate(t, dir, 7)
	pool, err := server.ReadAuthorities(certificate)
	require.NoError(t, err)
	b := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		send(w, r.TLS.PeerCertificates[0].SerialNumber.String())
	}))
	b.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool} //nolint:gosec // a test's
	b.Config.ErrorLog = log.New(io.Discard, "", 0)
	b.StartTLS()
	defer b.Close()
	status, _ := run(t, b.URL, setting.Map{"backend_verify": "off"}).get("/")
	require.Equal(t, 502, status)
	status, body := run(t, b.URL, setting.Map{"backend_verify": "off", "backend_cert": certificate, "backend_key": key}).get("/")
	require.Equal(t, 200, status)
	require.Equal(t, "7", body)
}

func TestHalfOfTheSettingsForCertificatesIsAProblem(t *testing.T) {
	certificate, key := writeCertificate(t, t.TempDir(), 1)
	for want, settings := range map[string]setting.Map{
		"on needs client_ca":    {"client_verify": "on", "tls_listen": ":0", "tls_cert": certificate, "tls_key": key},
		"needs tls_listen":      {"client_ca": certificate},
		"need each other":       {"backend_cert": certificate},
		"no certificate in PEM": {"backend_ca": key},
	} {
		settings["backend"] = "https://shop"
		r := setting.NewReader(settings, Properties())
		readSettings(r)
		require.ErrorContains(t, r.Err(), want)
	}
}

// gRPC goes both ways at once, and ends with trailers.
func TestGRPCStreams(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	backend := &http.Server{ReadHeaderTimeout: time.Minute, Protocols: new(http.Protocols), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Trailer", "Grpc-Status")
		w.WriteHeader(200)
		message := make([]byte, 5)
		for {
			if _, err := io.ReadFull(r.Body, message); err != nil {
				break
			}
			send(w, "got "+string(message))
			w.(http.Flusher).Flush()
		}
		w.Header().Set("Grpc-Status", "0")
	})}
	backend.Protocols.SetUnencryptedHTTP2(true)
	go backend.Serve(l) //nolint:errcheck // it ends with the test
	defer func() { require.NoError(t, backend.Close()) }()
	p := run(t, "h2c://"+l.Addr().String(), setting.Map{"allowed_request_content_type": "application/grpc"})

	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	reading, writing := io.Pipe()
	request, err := http.NewRequest(http.MethodPost, "http://"+p.address+"/shop.Orders/Watch", reading)
	require.NoError(t, err)
	request.Host = "shop.example"
	request.Header = http.Header{"Content-Type": {"application/grpc"}, "Te": {"trailers"}, "User-Agent": {"grpc-go/1.60"}, "Accept": {"*/*"}}
	answered := make(chan *http.Response, 1)
	go func() {
		response, err := transport.RoundTrip(request) //nolint:bodyclose // it is read and closed where it goes
		if err != nil {
			t.Error(err)
			close(answered)
			return
		}
		answered <- response
	}()
	var response *http.Response
	for i := range 3 {
		message := fmt.Sprintf("msg %d", i)
		send(writing, message)
		if response == nil {
			response = <-answered
			require.NotNil(t, response)
			defer response.Body.Close()
			require.Equal(t, 200, response.StatusCode)
		}
		got := make([]byte, 9)
		_, err := io.ReadFull(response.Body, got)
		require.NoError(t, err)
		require.Equal(t, "got "+message, string(got))
	}
	require.NoError(t, writing.Close())
	rest, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Empty(t, bytes.TrimSpace(rest))
	require.Equal(t, "0", response.Trailer.Get("Grpc-Status"))
	require.EqualValues(t, 1, p.counts.streams[grpc].Load())
}
