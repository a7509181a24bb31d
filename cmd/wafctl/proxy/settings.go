package proxy

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/inline"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// own are the settings of the proxy besides those of the evaluation.
var own = []setting.Property{
	{Name: "backend", Help: "where requests go: http://HOST:PORT, https://HOST:PORT, or h2c://HOST:PORT for HTTP/2 without TLS"},
	{Name: "listen", Default: ":8080", Help: "address for HTTP; off opens none"},
	{Name: "tls_listen", Default: "off", Help: "address for HTTPS; it needs tls_cert and tls_key"},
	{Name: "tls_cert", Help: "file with the certificate chain, PEM; a changed file is used for new connections"},
	{Name: "tls_key", Help: "file with the private key of tls_cert, PEM"},
	{Name: "tls_redirect", Default: "off", Help: "on redirects requests without TLS to HTTPS"},
	{Name: "http2", Default: "on", Help: "off speaks HTTP/1.1 with clients only"},
	{Name: "health_listen", Default: "off", Help: "address for /healthz and /readyz; off answers them where requests arrive"},
	{Name: "environment", Default: "off", Help: "on reads the environment variables of modsecurity-crs-docker; flags overrule them"},

	{Name: "preserve_host", Default: "on", Help: "off sends the backend's own name in Host"},
	{Name: "backend_timeout", Default: "60s", Help: "time for the head of a response of the backend, 1s to 1h"},
	{Name: "backend_verify", Default: "on", Help: "off accepts any certificate of an https backend"},
	{Name: "backend_ca", Help: "file with the certificates that an https backend is verified with, PEM; the system's unless set"},

	{Name: "body_over_limit", Default: reject, Values: []string{reject, partial},
		Help: "what happens to bodies longer than modsec_req_body_limit: reject answers 413, partial inspects the start and lets the request pass"},
	{Name: "body_memory", Default: "64M", Help: "memory for request bodies while they are inspected; what is beyond goes to files in temp_dir"},
	{Name: "temp_dir", Help: "directory for long request bodies; that of the system unless set"},
	{Name: "response_wait", Default: "5s", Help: "how long a response of unknown length is held back for inspection; what has arrived by then is inspected, 10ms to 10m"},

	{Name: "header_timeout", Default: "10s", Help: "time for the head of a request, 100ms to 10m"},
	{Name: "body_timeout", Default: "30s", Help: "time for the body of a request, as far as it is inspected, 100ms to 1h"},
	{Name: "idle_timeout", Default: "60s", Help: "time that a connection may wait for its next request, 100ms to 1h"},
	{Name: "send_timeout", Default: "60s", Help: "time in which a client must take some of a response, 100ms to 1h"},
	{Name: "max_connections", Default: "10000", Help: "connections of clients; more wait in the kernel"},
	{Name: "max_head", Default: "64K", Help: "size of a request's head"},
	{Name: "max_headers", Default: "200", Help: "number of a request's header lines"},
	{Name: "shutdown_delay", Default: "3s", Help: "how long requests are still accepted after SIGTERM, while /readyz answers 503"},
	{Name: "shutdown_timeout", Default: "30s", Help: "how long requests may take to end after that, 100ms to 1h"},
}

// The values of body_over_limit.
const (
	reject  = "reject"
	partial = "partial"
)

// Properties are the settings of the proxy in the order in which help lists them.
func Properties() []setting.Property { return slices.Concat(own, inline.Properties()) }

// settings are what the settings of the proxy say.
type settings struct {
	inline.Settings

	backend           *url.URL
	listen, tlsListen string // "" for none
	healthListen      string
	certificates      *certificates // nil without TLS
	tlsRedirect       bool
	http2             bool

	preserveHost   bool
	backendTimeout time.Duration
	backendVerify  bool
	backendCA      []byte // PEM, nil for those of the system

	requestBodies bool // are inspected
	partialBodies bool
	bodyMemory    int64
	tempDir       string
	responseWait  time.Duration

	headerTimeout, bodyTimeout, idleTimeout, sendTimeout time.Duration
	maxConnections, maxHead, maxHeaders                  int
	shutdownDelay, shutdownTimeout                       time.Duration
}

func readSettings(r *setting.Reader) settings {
	short := 100 * time.Millisecond
	s := settings{
		Settings: inline.ReadSettings(r), listen: readAddress(r, "listen"), tlsListen: readAddress(r, "tls_listen"),
		healthListen: readAddress(r, "health_listen"), tlsRedirect: r.Bool("tls_redirect"), http2: r.Bool("http2"),
		preserveHost: r.Bool("preserve_host"), backendVerify: r.Bool("backend_verify"),
		backendTimeout: r.Duration("backend_timeout", time.Second, time.Hour),
		requestBodies:  !r.Given("modsec_req_body_access") || r.Bool("modsec_req_body_access"),
		partialBodies:  r.Word("body_over_limit") == partial, bodyMemory: r.Size("body_memory"), tempDir: r.Text("temp_dir"),
		responseWait:  r.Duration("response_wait", 10*time.Millisecond, 10*time.Minute),
		headerTimeout: r.Duration("header_timeout", short, 10*time.Minute), bodyTimeout: r.Duration("body_timeout", short, time.Hour),
		idleTimeout: r.Duration("idle_timeout", short, time.Hour), sendTimeout: r.Duration("send_timeout", short, time.Hour),
		maxConnections: r.Int("max_connections", 1, 1<<20), maxHead: int(r.Size("max_head")), maxHeaders: r.Int("max_headers", 1, 10_000),
		shutdownDelay: r.Duration("shutdown_delay", 0, time.Hour), shutdownTimeout: r.Duration("shutdown_timeout", short, time.Hour),
	}
	s.readBackend(r)
	s.readTLS(r)
	if s.listen == "" && s.tlsListen == "" {
		r.Problem("listen", errors.New("off, and tls_listen too (want an address for one of them)"))
	}
	if s.maxHead < 1<<10 {
		r.Problem("max_head", setting.OutOfRange(r.Text("max_head"), "1K or more"))
	}
	if s.tempDir == "" {
		s.tempDir = os.TempDir()
	}
	return s
}

// readAddress returns an address to listen on, "" for off.
func readAddress(r *setting.Reader, name string) string {
	text := r.Text(name)
	if text == "off" {
		return ""
	}
	if _, _, err := net.SplitHostPort(text); err != nil {
		r.Problem(name, fmt.Errorf("malformed address %q (want HOST:PORT, :PORT or off)", text))
	}
	return text
}

func (s *settings) readBackend(r *setting.Reader) {
	const form = "want http://HOST:PORT, https://HOST:PORT or h2c://HOST:PORT"
	text := r.Text("backend")
	if text == "" {
		r.Problem("backend", errors.New("missing ("+form+")"))
		return
	}
	u, err := url.Parse(text)
	switch {
	case err != nil, !slices.Contains([]string{"http", "https", "h2c"}, u.Scheme), u.Hostname() == "":
		r.Problem("backend", fmt.Errorf("malformed URL %q (%s)", text, form))
		return
	case u.Path != "" && u.Path != "/", u.RawQuery != "", u.Fragment != "", u.User != nil:
		r.Problem("backend", fmt.Errorf("%q has more than a host (%s): paths go to the backend as they came", text, form))
		return
	}
	s.backend = u
	if file := r.Text("backend_ca"); file != "" {
		if s.backendCA, err = os.ReadFile(file); err != nil {
			r.Problem("backend_ca", err)
		}
	}
}

func (s *settings) readTLS(r *setting.Reader) {
	certificate, key := r.Text("tls_cert"), r.Text("tls_key")
	if s.tlsListen == "" {
		if s.tlsRedirect {
			r.Problem("tls_redirect", errors.New("on needs tls_listen"))
		}
		return
	}
	if certificate == "" || key == "" {
		r.Problem("tls_listen", errors.New("needs tls_cert and tls_key"))
		return
	}
	var err error
	if s.certificates, err = openCertificates(certificate, key); err != nil {
		r.Problem("tls_cert", err)
	}
}
