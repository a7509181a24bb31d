//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	patience = 30 * time.Second
	glance   = 20 * time.Millisecond
)

// pipeline is a running Fluent Bit with a directory of its own, which is also its working directory.
type pipeline struct {
	t       *testing.T
	version string // of Fluent Bit
	dir     string
	command *exec.Cmd
	ended   chan error
}

// plugin is the built object.
func plugin() string { return filepath.Join(root, "build", "out", "out_waf.so") }

// launch starts Fluent Bit with a configuration in YAML and more arguments. It does not wait for it to be ready.
func (f fluentBit) launch(t *testing.T, dir, yaml string, args ...string) *pipeline {
	t.Helper()
	config := filepath.Join(dir, "pipeline.yaml")
	require.NoError(t, os.WriteFile(config, []byte(yaml), 0o644))
	return f.run(t, dir, append([]string{"-c", config}, args...)...)
}

// run starts Fluent Bit in a directory, where its log is written to.
func (f fluentBit) run(t *testing.T, dir string, args ...string) *pipeline {
	t.Helper()
	log, err := os.Create(filepath.Join(dir, "log"))
	require.NoError(t, err)
	defer log.Close()

	p := &pipeline{t: t, version: f.version, dir: dir, ended: make(chan error, 1)}
	p.command = exec.Command(f.path, args...)
	p.command.Dir = dir
	p.command.Stdout, p.command.Stderr = log, log
	require.NoError(t, p.command.Start())
	go func() { p.ended <- p.command.Wait() }()
	t.Cleanup(func() {
		p.command.Process.Kill() //nolint:errcheck // most have ended by now
		if t.Failed() {
			t.Logf("log of Fluent Bit %s:\n%s", f.version, p.log())
		}
	})
	return p
}

// start launches a pipeline with the plugin and waits until it runs. DIR in the configuration becomes its directory.
func (f fluentBit) start(t *testing.T, yaml string) *pipeline {
	t.Helper()
	dir := t.TempDir()
	p := f.launch(t, dir, strings.ReplaceAll(yaml, "DIR", dir), "-e", plugin())
	p.waitReady(1)
	return p
}

// waitReady waits until the engine has started n times; reloads count.
func (p *pipeline) waitReady(n int) {
	p.t.Helper()
	p.wait("the engine to start", func() bool { return strings.Count(p.log(), "stream processor started") >= n })
}

// stop ends the pipeline as a service manager does, and expects it to end well. A signal that comes before Fluent Bit listens for it
// kills it.
func (p *pipeline) stop() {
	p.t.Helper()
	p.waitReady(1)
	require.NoError(p.t, p.command.Process.Signal(syscall.SIGTERM))
	require.NoError(p.t, p.end(), "how Fluent Bit ended")
}

// end waits for the process to end by itself, and requires that what filters and outputs tell at their end adds up.
func (p *pipeline) end() error {
	p.t.Helper()
	select {
	case err := <-p.ended:
		p.ended <- err
		p.addsUp()
		return err
	case <-time.After(patience):
		p.skipWhenClosedTwice()
		require.FailNow(p.t, "Fluent Bit still runs", "its threads:\n%s", p.threads())
		return nil
	}
}

// skipWhenClosedTwice ends a test in which Fluent Bit 3.2 hangs at the end of an engine: it closes some descriptors twice, and the engine's timer
// for the end can be the one that has the number then. The engine waits for events that never come. docs/reliability.md has how often.
func (p *pipeline) skipWhenClosedTwice() {
	p.t.Helper()
	log := p.log()
	ends := strings.Count(log, "[engine] service will shutdown")
	if strings.HasPrefix(p.version, "3.2.") && ends > strings.Count(log, "[engine] service has stopped") &&
		strings.Contains(p.threads(), "flb-pipeline:\tS (sleeping), in do_epoll_wait") {
		p.t.Skip("Fluent Bit 3.2 hangs at the end of its engine")
	}
}

// threads tells where each thread of the process waits: its state, the call that it is in, and the place in the kernel.
func (p *pipeline) threads() string {
	var b strings.Builder
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", p.command.Process.Pid))
	for _, task := range tasks {
		what := func(name string) string {
			data, _ := os.ReadFile(filepath.Join(task, name))
			return strings.TrimSpace(string(data))
		}
		_, state, _ := strings.Cut(what("status"), "State:")
		state, _, _ = strings.Cut(state, "\n")
		fmt.Fprintf(&b, "%s %s:%s, in %s, call %s\n", filepath.Base(task), what("comm"), state, what("wchan"), what("syscall"))
	}
	return b.String()
}

func (p *pipeline) log() string { return p.read("log") }

// read returns a file of the pipeline's directory, "" when there is none.
func (p *pipeline) read(name string) string {
	data, _ := os.ReadFile(filepath.Join(p.dir, name))
	return string(data)
}

// wait polls until something has come about.
func (p *pipeline) wait(what string, done func() bool) {
	p.t.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(glance) {
		select {
		case err := <-p.ended:
			p.ended <- err
			if !done() {
				require.FailNow(p.t, "Fluent Bit ended", "while waiting for %s: %v", what, err)
			}
			return
		default:
		}
		if time.Now().After(end) {
			p.skipWhenClosedTwice()
			require.FailNow(p.t, "nothing came", "waited %s for %s; its threads:\n%s", patience, what, p.threads())
		}
	}
}

// waitLog waits for a text in the log.
func (p *pipeline) waitLog(text string) {
	p.t.Helper()
	p.wait(fmt.Sprintf("%q in the log", text), func() bool { return strings.Contains(p.log(), text) })
}

// records waits until a file of the pipeline has n lines of JSON, and returns them.
func (p *pipeline) records(name string, n int) []map[string]any {
	p.t.Helper()
	p.wait(fmt.Sprintf("%d records in %s", n, name), func() bool { return strings.Count(p.read(name), "\n") >= n })
	var all []map[string]any
	for line := range strings.Lines(p.read(name)) {
		var r map[string]any
		require.NoError(p.t, json.Unmarshal([]byte(line), &r), "%s", line)
		all = append(all, r)
	}
	require.Len(p.t, all, n, "records in %s", name)
	return all
}

// accept takes connections, one after the other, until the listener is closed.
func accept(listener net.Listener, take func(net.Conn)) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		take(conn)
	}
}

// sendUDP sends each record as a datagram.
func sendUDP(t *testing.T, port int, records ...[]byte) {
	t.Helper()
	c, err := net.Dial("udp", fmt.Sprintf("127.0.0.1:%d", port))
	require.NoError(t, err)
	defer c.Close()
	for _, r := range records {
		_, err := c.Write(r)
		require.NoError(t, err)
	}
}

// sample is the Nano record of testdata, an attack.
func sample(t *testing.T) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, "testdata", "nano-sample.json"))
	require.NoError(t, err)
	return bytes.TrimSpace(data)
}

// clean is the sample with a URL that no rule minds, told apart by a number.
func clean(t *testing.T, number int) []byte {
	t.Helper()
	return bytes.ReplaceAll(sample(t), []byte("t=../../etc/passwd"), fmt.Appendf(nil, "page=%d", number))
}
