package proxy

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/inline"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/inline/requestlog"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/inline/server"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// own are the settings of the proxy besides those of the evaluation.
var own = slices.Concat(
	[]setting.Property{
		{Name: "backend", Help: "where requests go: http://HOST:PORT, https://HOST:PORT, or h2c://HOST:PORT for HTTP/2 without TLS"},
	},
	server.Places(),
	[]setting.Property{
		{Name: "tls_redirect", Default: "off", Help: "on redirects requests without TLS to HTTPS on port 443, a number to that port"},
		{Name: "http2", Default: "on", Help: "off speaks HTTP/1.1 with clients only"},
		{Name: "access_log", Default: "off", Help: "where a line for each request goes: stdout, stderr, or the absolute path of a file; off writes none"},
		{Name: "access_log_format", Default: string(requestlog.JSON), Values: []string{string(requestlog.JSON), string(requestlog.Combined)}, Help: "json has a key for each part, combined is a line as nginx and Apache write it"},
		{Name: "environment", Default: "off", Help: "on reads the environment variables of modsecurity-crs-docker; flags overrule them"},

		{Name: "preserve_host", Default: "on", Help: "off sends the backend's own name in Host"},
		{Name: "backend_timeout", Default: "60s", Help: "time for the head of a response of the backend, 1s to 1h"},
		{Name: "backend_verify", Default: "on", Help: "off accepts any certificate of an https backend"},
		{Name: "backend_ca", Help: "file with the certificates that an https backend is verified with, PEM; the system's unless set"},
		{Name: "backend_cert", Help: "file with the certificate chain that an https backend gets, PEM; a changed file is used for new connections"},
		{Name: "backend_key", Help: "file with the private key of backend_cert, PEM"},
	},
	server.BodyProperties(),
	[]setting.Property{
		{Name: "response_wait", Default: "5s", Help: "how long a response of unknown length is held back for inspection; what has arrived by then is inspected, 10ms to 10m"},
	},
	server.Bounds(),
)

// Properties are the settings of the proxy in the order in which help lists them.
func Properties() []setting.Property { return slices.Concat(own, inline.Properties()) }

// settings are what the settings of the proxy say.
type settings struct {
	inline.Settings

	server      server.Settings
	backend     *url.URL
	tlsRedirect string // port, "" for none

	accessLog       string // "" for none
	accessLogFormat requestlog.Format

	preserveHost   bool
	backendTimeout time.Duration
	backendVerify  bool
	backendCA      *x509.CertPool       // nil for the system's
	backendPair    *server.Certificates // nil for none
	responseWait   time.Duration
}

func readSettings(r *setting.Reader) settings {
	s := settings{
		Settings: inline.ReadSettings(r), server: server.ReadSettings(r), tlsRedirect: readRedirect(r),
		preserveHost: r.Bool("preserve_host"), backendVerify: r.Bool("backend_verify"),
		backendTimeout: r.Duration("backend_timeout", time.Second, time.Hour),
		responseWait:   r.Duration("response_wait", 10*time.Millisecond, 10*time.Minute),
	}
	s.server.HTTP2 = r.Bool("http2")
	s.accessLogFormat = requestlog.Format(r.Word("access_log_format"))
	if place := r.Text("access_log"); place != "off" {
		s.accessLog = place
	}
	s.readBackend(r)
	if s.tlsRedirect != "" && s.server.TLSListen == "" {
		r.Problem("tls_redirect", errors.New("on needs tls_listen"))
	}
	return s
}

const portOfTLS = "443"

// readRedirect returns the port that clients are redirected to, "" for none.
func readRedirect(r *setting.Reader) string {
	switch text := r.Text("tls_redirect"); text {
	case "on":
		return portOfTLS
	case "off":
		return ""
	default:
		if port, err := strconv.Atoi(text); err != nil || port < 1 || port > 65535 {
			r.Problem("tls_redirect", setting.OutOfRange(text, "on, off or a port"))
		}
		return text
	}
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
	s.readBackendTLS(r)
}

func (s *settings) readBackendTLS(r *setting.Reader) {
	var err error
	if file := r.Text("backend_ca"); file != "" {
		if s.backendCA, err = server.ReadAuthorities(file); err != nil {
			r.Problem("backend_ca", err)
		}
	}
	certificate, key := r.Text("backend_cert"), r.Text("backend_key")
	switch {
	case certificate == "" && key == "":
	case certificate == "" || key == "":
		r.Problem("backend_cert", errors.New("backend_cert and backend_key need each other"))
	default:
		if s.backendPair, err = server.OpenCertificates(certificate, key, ""); err != nil {
			r.Problem("backend_cert", err)
		}
	}
}
