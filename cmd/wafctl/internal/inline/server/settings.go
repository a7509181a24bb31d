package server

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/writable"
)

// Places are the settings of where a server listens.
func Places() []setting.Property {
	return []setting.Property{
		{Name: "listen", Default: ":8080", Help: "address for HTTP; off opens none"},
		{Name: "tls_listen", Default: "off", Help: "address for HTTPS; it needs tls_cert and tls_key"},
		{Name: "tls_cert", Help: "file with the certificate chain, PEM; a changed file is used for new connections"},
		{Name: "tls_key", Help: "file with the private key of tls_cert, PEM"},
		{Name: "client_ca", Help: "file with the authorities that sign the certificates of clients, PEM; clients of tls_listen without a certificate are turned away"},
		{Name: "client_verify", Default: "on", Help: "off asks clients for no certificate, whatever client_ca is"},
		{Name: "health_listen", Default: "off", Help: "address for /healthz and /readyz; off answers them where requests arrive"},
	}
}

// BodyProperties are the settings of how a server keeps bodies.
func BodyProperties() []setting.Property {
	return []setting.Property{
		{Name: "body_over_limit", Default: reject, Values: []string{reject, Partial},
			Help: "what happens to bodies longer than modsec_req_body_limit: reject answers 413, partial inspects the start and lets the request pass"},
		{Name: "body_memory", Default: "64M", Help: "memory for request bodies while they are inspected; what is beyond goes to files in temp_dir"},
		{Name: "temp_dir", Help: "directory for long request bodies (default: the system's)"},
	}
}

// Bounds are the settings of how long and how large things may become.
func Bounds() []setting.Property {
	return []setting.Property{
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
}

// The values of body_over_limit.
const (
	reject  = "reject"
	Partial = "partial"
)

// Settings are the settings of a Server.
type Settings struct {
	HTTP2         bool
	RequestBodies bool // are inspected
	PartialBodies bool // longer ones than the limit are inspected in part
	SendTimeout   time.Duration
	TLSListen     string // "" for none

	listen, healthListen string        // "" for none
	certificates         *Certificates // nil without TLS

	bodyMemory int64
	tempDir    string

	headerTimeout, bodyTimeout, idleTimeout time.Duration
	maxConnections, maxHead, maxHeaders     int
	shutdownDelay, shutdownTimeout          time.Duration
}

// ReadSettings reads the settings; problems stay in the reader.
func ReadSettings(r *setting.Reader) Settings {
	short := 100 * time.Millisecond
	s := Settings{
		HTTP2: true, TLSListen: readAddress(r, "tls_listen"), listen: readAddress(r, "listen"), healthListen: readAddress(r, "health_listen"),
		RequestBodies: !r.Given("modsec_req_body_access") || r.Bool("modsec_req_body_access"),
		PartialBodies: r.Word("body_over_limit") == Partial, bodyMemory: r.Size("body_memory"), tempDir: r.Text("temp_dir"),
		headerTimeout: r.Duration("header_timeout", short, 10*time.Minute), bodyTimeout: r.Duration("body_timeout", short, time.Hour),
		idleTimeout: r.Duration("idle_timeout", short, time.Hour), SendTimeout: r.Duration("send_timeout", short, time.Hour),
		maxConnections: r.Int("max_connections", 1, 1<<20), maxHead: int(r.Size("max_head")), maxHeaders: r.Int("max_headers", 1, 10_000),
		shutdownDelay: r.Duration("shutdown_delay", 0, time.Hour), shutdownTimeout: r.Duration("shutdown_timeout", short, time.Hour),
	}
	s.readTLS(r)
	if s.listen == "" && s.TLSListen == "" {
		r.Problem("listen", errors.New("off, and tls_listen too (want an address for one of them)"))
	}
	if s.maxHead < 1<<10 {
		r.Problem("max_head", setting.OutOfRange(r.Text("max_head"), "1K or more"))
	}
	if s.tempDir == "" {
		s.tempDir = os.TempDir()
	} else if err := writable.Directory(s.tempDir); err != nil {
		r.Problem("temp_dir", err)
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

func (s *Settings) readTLS(r *setting.Reader) {
	authorities := r.Text("client_ca")
	switch verify := r.Bool("client_verify"); {
	case !verify:
		authorities = ""
	case r.Given("client_verify") && authorities == "":
		r.Problem("client_verify", errors.New("on needs client_ca"))
	case authorities != "" && s.TLSListen == "":
		r.Problem("client_ca", errors.New("needs tls_listen"))
	}
	if s.TLSListen == "" {
		return
	}
	certificate, key := r.Text("tls_cert"), r.Text("tls_key")
	if certificate == "" || key == "" {
		r.Problem("tls_listen", errors.New("needs tls_cert and tls_key"))
		return
	}
	var err error
	if s.certificates, err = OpenCertificates(certificate, key, authorities); err != nil {
		r.Problem("tls_cert", err)
	}
}

// Properties are all settings of a Server.
func Properties() []setting.Property { return slices.Concat(Places(), BodyProperties(), Bounds()) }
