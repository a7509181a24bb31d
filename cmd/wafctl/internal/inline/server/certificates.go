package server

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// certificates is a certificate in files that may be replaced. It is safe for concurrent use.
type certificates struct {
	certificate, key string // files
	current          atomic.Pointer[tls.Certificate]

	mu     sync.Mutex
	traces [2]trace // of the files when they were read last
	failed error    // why the files as they are now cannot be used
}

// trace tells versions of a file apart. Kubernetes replaces the directory behind a link, so the inode changes with the time.
type trace struct {
	size int64
	time time.Time
	info os.FileInfo
}

func openCertificates(certificate, key string) (*certificates, error) {
	c := &certificates{certificate: certificate, key: key}
	_, err := c.reload()
	return c, err
}

// reload reads the files if they have changed. Where they cannot be used, the certificate of before stays in use.
func (c *certificates) reload() (changed bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var now [2]trace
	for i, name := range []string{c.certificate, c.key} {
		info, err := os.Stat(name)
		if err != nil {
			return false, err
		}
		now[i] = trace{info.Size(), info.ModTime(), info}
	}
	if now[0].same(c.traces[0]) && now[1].same(c.traces[1]) {
		return false, c.failed
	}
	c.traces = now
	pair, err := tls.LoadX509KeyPair(c.certificate, c.key)
	if c.failed = err; err != nil {
		c.failed = fmt.Errorf("certificate %s: %w", c.certificate, err)
		return false, c.failed
	}
	c.current.Store(&pair)
	return true, nil
}

func (t trace) same(o trace) bool {
	return o.info != nil && t.size == o.size && t.time.Equal(o.time) && os.SameFile(t.info, o.info)
}

// get implements tls.Config.GetCertificate.
func (c *certificates) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return c.current.Load(), nil
}
