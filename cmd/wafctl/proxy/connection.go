package proxy

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/inline/server"
)

const (
	dialTimeout      = 5 * time.Second
	handshakeTimeout = 10 * time.Second
	idleBackend      = 30 * time.Second // shorter than what backends commonly allow, so that they do not close first
	idleConnections  = 512              // to the backend
	maxResponseHead  = 256 << 10
)

// transport returns what requests go to the backend with.
func (s *settings) transport() http.RoundTripper {
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}
	t := &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &server.TimedConn{Conn: watch(conn), ReadTime: s.backendTimeout, WriteTime: s.backendTimeout}, nil
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
	t.TLSClientConfig.RootCAs = s.backendCA
	if s.backendPair != nil {
		t.TLSClientConfig.GetClientCertificate = s.backendPair.Client
	}
	if s.backend.Scheme == "h2c" {
		return t // HTTP/2 says which request a response is for
	}
	return backendTransport{t}
}
