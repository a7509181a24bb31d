//go:build e2e

package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/loopback"
)

// fault is what is wrong with a receiver until it recovers.
type fault struct {
	name       string
	absent     bool                            // nobody listens
	dies       bool                            // nobody listens any more from the second part on
	read       func(r *receiver)               // called before each piece that is read
	answered   func(conn net.Conn) (more bool) // called in place of answering a message
	wrong      bool                            // another's certificate
	unresolved bool                            // its name is not known
	tells      string                          // the reason of failures in the log; "" where nothing fails
}

var faults = []fault{
	{name: "down-at-start", absent: true, tells: "connection refused"},
	{name: "dying", dies: true, tells: "connection refused"},
	{name: "hanging", read: func(r *receiver) { <-r.recovered }, tells: "i/o timeout"},
	{name: "slow", read: func(r *receiver) {
		select {
		case <-r.recovered:
		case <-time.After(10 * time.Millisecond):
		}
	}},
	{name: "half-open", answered: func(conn net.Conn) bool { return conn.(interface{ CloseWrite() error }).CloseWrite() == nil }, tells: "EOF"},
	{name: "wrong-certificate", wrong: true, tells: "certificate signed by unknown authority"},
	{name: "no-name", unresolved: true, tells: "lookup siem.test"},
}

// receivers returns one of each protocol for each fault. Those of which the certificate matters speak TLS.
func receivers(t *testing.T, names bool) (all []*receiver, authority string) {
	t.Helper()
	right, authority := certificate(t)
	wrong, _ := certificate(t)
	for _, f := range faults {
		if f.unresolved && !names {
			continue
		}
		for name, p := range protocols {
			r := &receiver{t: t, name: f.name + "-" + name, fault: f, protocol: p, port: loopback.Port(t),
				recovered: make(chan struct{}), numbers: map[int]bool{}}
			if f.wrong {
				r.secret = &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
					if r.isWell() {
						return &right, nil
					}
					return &wrong, nil
				}}
			}
			if !f.absent {
				r.listen()
			}
			t.Cleanup(r.die)
			all = append(all, r)
		}
	}
	return all, authority
}

// certificate returns one for 127.0.0.1 that is its own authority, and a file with it.
func certificate(t *testing.T) (pair tls.Certificate, file string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	file = filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

// withNames is the Fluent Bit in a view of the file system of its own, where names are what the returned file says and no name
// server answers; nil where the system does not let us.
func (f fluentBit) withNames(t *testing.T) (g *fluentBit, hosts string) {
	t.Helper()
	if err := exec.Command("unshare", "--map-root-user", "--mount", "true").Run(); err != nil {
		t.Logf("names that cannot be resolved are left out: unshare: %v", err)
		return nil, ""
	}
	dir := t.TempDir()
	hosts = filepath.Join(dir, "hosts")
	for name, text := range map[string]string{
		"hosts":       "127.0.0.1 localhost\n",
		"resolv.conf": "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
		"run": fmt.Sprintf("#!/bin/sh\nexec unshare --map-root-user --mount sh -c '"+
			"mount --bind %[1]s/hosts /etc/hosts && mount --bind %[1]s/resolv.conf /etc/resolv.conf && exec \"$0\" \"$@\"' %[2]s \"$@\"\n", dir, f.path),
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755))
	}
	return &fluentBit{filepath.Join(dir, "run"), f.version}, hosts
}

// trial is a pipeline with an output for each receiver, which also writes the alerts to a file of the receiver's name.
type trial struct {
	*pipeline
	all  []*receiver
	port int
	sent int // attacks, numbered from 0 on
}

func (f fluentBit) trial(t *testing.T, all []*receiver, authority string) *trial {
	t.Helper()
	dir, port := t.TempDir(), loopback.Port(t)
	writeRules(t, dir, "?n=")
	var outputs strings.Builder
	for _, r := range all {
		fmt.Fprintf(&outputs, `
    - name: waf
      alias: %s
      match: nano.*
      rules: own.conf
      alert_on: match
      include_payload: off
      alert_to: %s, file://%s
      retry_limit: no_limits
`, r.name, r.alertTo(authority), filepath.Join(dir, r.name))
	}
	yaml := strings.Replace(withUDP(port, " []", outputs.String()+toFile("nano.*", "all")), "name: udp", "name: tcp", 1)
	yaml = strings.Replace(yaml, "flush: 0.2", "flush: 0.2\n  scheduler.base: 1\n  scheduler.cap: 2", 1)
	p := f.launch(t, dir, yaml, "-e", plugin())
	p.waitReady(1)
	return &trial{pipeline: p, all: all, port: port}
}

// send sends so many attacks more, and waits until all files have them.
func (p *trial) send(attacks int) {
	p.t.Helper()
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", p.port))
	require.NoError(p.t, err)
	defer c.Close()
	for range attacks {
		_, err := c.Write(append(attackNumber(p.t, p.sent), '\n'))
		require.NoError(p.t, err)
		p.sent++
	}
	for _, r := range p.all {
		p.wait("alerts in the file "+r.name, func() bool { return len(p.told(r.name)) == p.sent })
	}
}

// logs waits for a line about an output whose receiver fails.
func (p *trial) logs(r *receiver, line string) {
	p.t.Helper()
	if r.fault.tells == "" {
		return
	}
	want := regexp.MustCompile(line)
	p.wait(line, func() bool { return want.MatchString(p.log()) })
}

// Every fault of every protocol at once.
func TestFaultsOfDestinations(t *testing.T) {
	const growth = 64 << 10 // kB
	part := 40
	if longForm() {
		part = 500
	}
	onEach(t, func(t *testing.T, f fluentBit) {
		named, hosts := f.withNames(t)
		all, authority := receivers(t, named != nil)
		if named != nil {
			f = *named
		}
		p := f.trial(t, all, authority)
		before := p.resident()
		p.send(part)
		for _, r := range all {
			if r.fault.dies {
				p.wait("alerts of "+r.name, func() bool { return r.count() == part })
				r.die()
			}
		}
		p.send(part)
		for _, r := range all {
			p.logs(r, `\[output:waf:`+r.name+`\] deliver to .*`+r.fault.tells)
		}
		during := p.resident()
		for _, r := range all {
			switch {
			case r.fault.dies:
				require.Equal(t, part, r.count(), r.name)
			case r.fault.absent, r.fault.wrong, r.fault.unresolved:
				require.Zero(t, r.count(), r.name)
			}
			r.recover()
		}
		if hosts != "" {
			require.NoError(t, os.WriteFile(hosts, []byte("127.0.0.1 localhost siem.test\n"), 0o644))
		}
		recovered := time.Now()
		p.send(part)
		for _, r := range all {
			p.wait("alerts of "+r.name, func() bool { return r.count() == p.sent })
			for n, times := range p.told(r.name) {
				require.Equal(t, 1, times, "alert %d in the file beside %s", n, r.name)
			}
			p.logs(r, `succeeded at retry \d+: .*output=`+r.name+`\b`)
		}
		took, end := time.Since(recovered).Round(time.Millisecond), p.resident()
		require.Len(t, p.told("all"), p.sent)
		t.Logf("%d alerts for each of %d destinations, the last %s after all had recovered; resident memory %d kB before, %d kB during the faults, %d kB at the end",
			p.sent, len(all), took, before, during, end)
		require.Less(t, max(during, end)-before, growth, "kB")
		p.stop()
	})
}
