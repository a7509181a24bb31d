//go:build e2e

// Package e2e tries the processor in a collector that the builder has made from ../builder-config.yaml. "make e2e-otel" builds both and
// runs it.
package e2e

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/syncbuffer"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
)

const (
	collector = "../../build/work/otelcol/otelcol-waf"
	wafctl    = "../../build/out/wafctl"
	scope     = "github.com/fluent-bit-waf/fluent-bit-waf/otel/wafprocessor"
	patience  = 2 * time.Minute
)

// backend takes records over OTLP.
type backend struct {
	*httptest.Server

	mu          sync.Mutex
	own, alerts []plog.LogRecord
}

func newBackend(t *testing.T) *backend {
	b := &backend{}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := gzip.NewReader(r.Body) // which exporters use by default
		if err == nil {
			err = b.take(body)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(b.Close)
	return b
}

func (b *backend) take(body io.Reader) error {
	text, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	logs, err := (&plog.ProtoUnmarshaler{}).UnmarshalLogs(text) // a request of OTLP has the same form
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, resource := range logs.ResourceLogs().All() {
		for _, s := range resource.ScopeLogs().All() {
			for _, r := range s.LogRecords().All() {
				if s.Scope().Name() == scope {
					b.alerts = append(b.alerts, r)
				} else {
					b.own = append(b.own, r)
				}
			}
		}
	}
	return nil
}

// received waits for a number of records that are no alerts, and returns all.
func (b *backend) received(t *testing.T, n int) (own, alerts []plog.LogRecord) {
	t.Helper()
	require.Eventually(t, func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		own, alerts = b.own, b.alerts
		return len(own) >= n
	}, patience, 10*time.Millisecond)
	require.Len(t, own, n)
	return own, alerts
}

// process is a running collector.
type process struct {
	*exec.Cmd
	log   *syncbuffer.Buffer
	ended chan error
}

// start runs a collector and waits until it is ready.
func start(t *testing.T, config string, env ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command(collector, "--config", config), log: &syncbuffer.Buffer{}, ended: make(chan error, 1)}
	p.Env = append(os.Environ(), env...)
	p.Stdout, p.Stderr = p.log, p.log
	require.NoError(t, p.Start(), "make collector builds it")
	go func() { p.ended <- p.Wait() }()
	t.Cleanup(func() {
		p.Process.Kill() //nolint:errcheck // it may have ended
		if t.Failed() {
			t.Log(p.log.String())
		}
	})
	p.await(t, "Everything is ready", 1)
	return p
}

// await waits until the log has a text so many times.
func (p *process) await(t *testing.T, text string, times int) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Count(p.log.String(), text) >= times }, patience, 10*time.Millisecond, text)
}

// stop ends the collector as a service manager does.
func (p *process) stop(t *testing.T) {
	t.Helper()
	require.NoError(t, p.Process.Signal(syscall.SIGTERM))
	select {
	case err := <-p.ended:
		require.NoError(t, err)
	case <-time.After(patience):
		require.Fail(t, "the collector does not end")
	}
	require.NotContains(t, p.log.String(), "panic")
	require.NotContains(t, p.log.String(), "DATA RACE")
}

// written returns the path of a file with a text.
func written(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func address(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

// post sends records over OTLP and HTTP.
func post(t *testing.T, address string, logs plog.Logs) {
	t.Helper()
	text, err := (&plog.ProtoMarshaler{}).MarshalLogs(logs)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/v1/logs", bytes.NewReader(text))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/x-protobuf")
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer answer.Body.Close()
	require.Equal(t, http.StatusOK, answer.StatusCode)
}
