package server

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Certificates is a certificate with its key, and perhaps the authorities that verify the other side, in files that may be replaced. It is safe
// for concurrent use.
type Certificates struct {
	certificate, key string // files
	authorities      string // file, "" for none
	current          atomic.Pointer[loaded]

	mu     sync.Mutex
	traces []trace // of the files when they were read last
	failed error   // why the files as they are now cannot be used
}

// loaded is what the files hold.
type loaded struct {
	pair        tls.Certificate
	authorities *x509.CertPool
}

// trace tells versions of a file apart. Kubernetes replaces the directory behind a link, so the inode changes with the time.
type trace struct {
	size int64
	time time.Time
	info os.FileInfo
}

// OpenCertificates reads the files; authorities may be "".
func OpenCertificates(certificate, key, authorities string) (*Certificates, error) {
	c := &Certificates{certificate: certificate, key: key, authorities: authorities}
	_, err := c.reload()
	return c, err
}

// reload reads the files if they have changed. Where they cannot be used, the certificate of before stays in use.
func (c *Certificates) reload() (changed bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var now []trace
	same := len(c.traces) > 0
	for i, name := range []string{c.certificate, c.key, c.authorities} {
		if name == "" {
			continue
		}
		info, err := os.Stat(name)
		if err != nil {
			return false, err
		}
		now = append(now, trace{info.Size(), info.ModTime(), info})
		same = same && now[i].same(c.traces[i])
	}
	if same {
		return false, c.failed
	}
	c.traces = now
	all, err := c.load()
	if c.failed = err; err != nil {
		return false, err
	}
	c.current.Store(all)
	return true, nil
}

func (c *Certificates) load() (all *loaded, err error) {
	all = &loaded{}
	if all.pair, err = tls.LoadX509KeyPair(c.certificate, c.key); err != nil {
		return nil, fmt.Errorf("certificate %s: %w", c.certificate, err)
	}
	if c.authorities == "" {
		return all, nil
	}
	if all.authorities, err = ReadAuthorities(c.authorities); err != nil {
		return nil, err
	}
	return all, nil
}

// ReadAuthorities reads the certificates that verify others.
func ReadAuthorities(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, errors.New(file + ": no certificate in PEM")
	}
	return pool, nil
}

func (t trace) same(o trace) bool {
	return o.info != nil && t.size == o.size && t.time.Equal(o.time) && os.SameFile(t.info, o.info)
}

// serve has a server use the certificate. Where there are authorities, clients must have a certificate of them.
func (c *Certificates) serve(config *tls.Config) {
	config.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &c.current.Load().pair, nil }
	if c.authorities == "" {
		return
	}
	config.ClientAuth = tls.RequireAndVerifyClientCert
	config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		now := config.Clone()
		now.ClientCAs = c.current.Load().authorities
		return now, nil
	}
}

// Client implements tls.Config.GetClientCertificate.
func (c *Certificates) Client(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	return &c.current.Load().pair, nil
}
