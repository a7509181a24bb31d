package delivery

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// dialFunc returns a new connection with all handshakes of the transport done.
type dialFunc func(ctx context.Context) (net.Conn, error)

func tcp(a *address) dialFunc {
	dialer, host := a.opt.dialer, a.host
	return func(ctx context.Context) (net.Conn, error) {
		return dialer.DialContext(ctx, "tcp", host)
	}
}

var tlsOptions = optionGroup{of: "syslog+tls, gelf+tls, json+tls and forward+tls", options: []setting.Property{
	{Name: "ca", Help: "CA file for the receiver (default: the system's)"},
	{Name: "cert", Help: "client certificate file, for receivers that require one"},
	{Name: tlsKey, Help: "key file of the client certificate"},
	{Name: "server-name", Help: "name in the receiver's certificate (default: the host)"},
	{Name: "insecure", Default: "off", Help: "on accepts any certificate, including an attacker's"},
}}

func overTLS(a *address) dialFunc {
	config := TLSConfig(a.Reader, tlsKey)
	if config.ServerName == "" {
		config.ServerName, _, _ = net.SplitHostPort(a.host)
	}
	plain, verdictTime := tcp(a), cmp.Or(a.opt.verdictTime, usualVerdictTime)
	return func(ctx context.Context) (net.Conn, error) {
		conn, err := plain(ctx)
		if err != nil {
			return nil, err
		}
		secured, err := handshake(ctx, conn, config, verdictTime)
		if err != nil {
			conn.Close()
			return nil, err
		}
		return secured, nil
	}
}

// TLSOptions are the options that TLSConfig reads. The one for the key of a certificate has a name of its own, where key is something else.
func TLSOptions(keyName string) []setting.Property {
	options := slices.Clone(tlsOptions.options)
	for i := range options {
		if options[i].Name == tlsKey {
			options[i].Name = keyName
		}
	}
	return options
}

// tlsKey is the option for the key of a certificate.
const tlsKey = "key"

// TLSConfig makes a configuration of options. The reader gets what is wrong with them.
func TLSConfig(a *setting.Reader, keyName string) *tls.Config {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: a.Text("server-name"), InsecureSkipVerify: a.Bool("insecure")}
	if file := a.Text("ca"); file != "" {
		pem, err := os.ReadFile(file)
		config.RootCAs = x509.NewCertPool()
		if err != nil {
			a.Problem("ca", err)
		} else if !config.RootCAs.AppendCertsFromPEM(pem) {
			a.Problem("ca", fmt.Errorf("%s: no certificate (want PEM)", file))
		}
	}
	cert, key := a.Text("cert"), a.Text(keyName)
	switch {
	case cert != "" && key != "":
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			a.Problem("cert", err)
		}
		config.Certificates = []tls.Certificate{pair}
	case cert != "":
		a.Problem(keyName, errors.New("missing (want the key file of cert)"))
	case key != "":
		a.Problem("cert", errors.New("missing (want the certificate file of key)"))
	}
	return config
}

// usualVerdictTime is how long a new connection waits for the peer's word on our certificate. A peer that accepts it sends
// session tickets at once, as a rule; one that sends nothing costs this time once a connection.
const usualVerdictTime = 500 * time.Millisecond

// handshake starts TLS on conn. In TLS 1.3 a client is done before the peer has evaluated the client's certificate, and could
// write alerts to a peer that throws them away. So when the peer has asked for a certificate, its first word is waited for, for so long.
func handshake(ctx context.Context, conn net.Conn, config *tls.Config, verdictTime time.Duration) (net.Conn, error) {
	asked := false
	config = config.Clone()
	ours := config.Certificates
	config.Certificates = nil
	config.GetClientCertificate = func(info *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		asked = true
		for i := range ours {
			if info.SupportsCertificate(&ours[i]) == nil {
				return &ours[i], nil
			}
		}
		return &tls.Certificate{}, nil
	}
	secured := tls.Client(conn, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	if asked && secured.ConnectionState().Version >= tls.VersionTLS13 {
		if err := awaitVerdict(ctx, secured, verdictTime); err != nil {
			return nil, err
		}
	}
	return secured, nil
}

// awaitVerdict waits for the peer's first word: a session ticket, or that it does not want us.
func awaitVerdict(ctx context.Context, conn *tls.Conn, limit time.Duration) error {
	for end := time.Now().Add(limit); time.Now().Before(end) && ctx.Err() == nil; time.Sleep(time.Millisecond) {
		spoken, err := peerData(conn)
		if err != nil {
			return err
		}
		if spoken {
			return drain(conn)
		}
	}
	return ctx.Err()
}
