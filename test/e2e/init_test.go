//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/accesslog"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/loopback"
)

// wafctl runs the built program in a directory.
func wafctl(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command(filepath.Join(root, "build", "out", "wafctl"), args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "wafctl %s\n%s", strings.Join(args, " "), out)
	return string(out)
}

// written is a log as a source writes it, for init.
type written struct {
	name  string
	file  string                            // in the directory of the test
	line  func(r *accesslog.Request) string // of one request
	args  []string
	alert func(t *testing.T, alert map[string]any) // what is in it besides source and URL
}

func jsonLine(t *testing.T, title string) func(r *accesslog.Request) string {
	return func(r *accesslog.Request) string {
		for _, s := range accesslog.Sources() {
			if s.Title == title {
				line, err := json.Marshal(s.Record(r))
				require.NoError(t, err)
				return string(line)
			}
		}
		require.FailNow(t, "no such source", title)
		return ""
	}
}

// logsForInit are the logs of which init has to make pipelines that work.
func logsForInit(t *testing.T) []written {
	combined := accesslog.Lines()[0].Write
	pod := "web-ingress-7d9c_shop_controller-" + strings.Repeat("0", 64) + ".log"
	requireHost := func(t *testing.T, alert map[string]any) {
		require.NotEmpty(t, at(alert, "url", "domain"), "%v", alert)
	}
	return []written{
		{name: "nginx combined", file: "access.log", line: combined, args: []string{"--host", "shop.example"}, alert: func(t *testing.T, alert map[string]any) {
			require.Equal(t, "shop.example", at(alert, "url", "domain"), "%v", alert)
		}},
		{name: "nginx JSON", file: "access.json", line: jsonLine(t, "nginx, JSON"), alert: requireHost},
		{name: "nginx combined with the filter", file: "access.log", line: combined, args: []string{"--form", "filter"}, alert: func(*testing.T, map[string]any) {}},
		{name: "CRI ingress", file: pod, line: func(r *accesslog.Request) string {
			return "2024-05-30T07:16:48.917000000Z stdout F " + jsonLine(t, "ingress-nginx, JSON")(r)
		}, alert: requireHost},
	}
}

func TestPipelinesOfInitAlert(t *testing.T) {
	for _, w := range logsForInit(t) {
		t.Run(w.name, func(t *testing.T) {
			onEach(t, func(t *testing.T, f fluentBit) {
				dir := t.TempDir()
				file := filepath.Join(dir, w.file)
				clean := w.line(accesslog.Browser("GET", "/")) + "\n"
				require.NoError(t, os.WriteFile(file, []byte(clean), 0o644))
				wafctl(t, dir, append(append([]string{"init", "-o", "waf.yaml", "--alert-to", "file://" + dir + "/alerts.ndjson"}, w.args...), file)...)

				examined := examine(t, f, dir, "waf.yaml")
				require.NotContains(t, examined, `"level":"fail"`)
				require.Contains(t, examined, "Fluent Bit accepts the pipeline")
				require.Contains(t, examined, "1 of 1 records of "+file+" are HTTP")

				p := f.run(t, dir, "-c", filepath.Join(dir, "waf.yaml"))
				p.waitReady(1)
				log, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
				require.NoError(t, err)
				_, err = log.WriteString(clean + w.line(attackOf()) + "\n")
				require.NoError(t, err)
				require.NoError(t, log.Close())
				alert := p.records("alerts.ndjson", 1)[0]
				p.stop()
				requireAlert(t, alert)
				w.alert(t, alert)
			})
		})
	}
}

// examine returns what wafctl doctor finds in a pipeline, as JSON.
func examine(t *testing.T, f fluentBit, dir, pipeline string) string {
	t.Helper()
	cmd := exec.Command(filepath.Join(root, "build", "out", "wafctl"), "doctor", "--output", "json", "--fluent-bit", f.path, pipeline)
	cmd.Dir = dir
	out, err := cmd.Output()
	var ended *exec.ExitError
	require.True(t, err == nil || errors.As(err, &ended), "%v", err)
	return string(out)
}

func TestDoctorAsksFluentBit(t *testing.T) {
	onEach(t, func(t *testing.T, f fluentBit) {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "waf.yaml"), fmt.Appendf(nil, `
plugins:
  - %s
pipeline:
  inputs:
    - name: no_such_input
  outputs:
    - name: waf
      match: '*'
      alert_to: stdout
`, plugin()), 0o644))
		examined := examine(t, f, dir, "waf.yaml")
		require.Contains(t, examined, `"check":"dry run","level":"fail"`)
		require.Contains(t, examined, "no_such_input")
		require.Contains(t, examined, `"check":"plugin","level":"ok","text":"version `)
		major := "warn"
		if f.version >= "5.1" {
			major = "ok"
		}
		require.Contains(t, examined, `"check":"fluent bit","level":"`+major+`","text":"version `+f.version)
	})
}

func TestAPipelineOfInitReadsNanoProbes(t *testing.T) {
	onEach(t, func(t *testing.T, f fluentBit) {
		dir, port := t.TempDir(), loopback.Port(t)
		syslog, err := net.ListenPacket("udp", "127.0.0.1:0")
		require.NoError(t, err)
		defer syslog.Close()
		place := fmt.Sprintf("udp://127.0.0.1:%d", port)
		init := exec.Command(filepath.Join(root, "build", "out", "wafctl"), "init", "-o", "waf.yaml", "--wait", "2s", "--alert-to",
			"syslog+udp://"+syslog.LocalAddr().String(), place)
		init.Dir = dir
		messages, err := init.StderrPipe()
		require.NoError(t, err)
		require.NoError(t, init.Start())
		_, err = messages.Read(make([]byte, 1<<10)) // it listens now
		require.NoError(t, err)
		sendUDP(t, port, clean(t, 1))
		require.NoError(t, init.Wait())

		p := f.run(t, dir, "-c", filepath.Join(dir, "waf.yaml"))
		p.waitReady(1)
		sendUDP(t, port, sample(t))
		alert := receive(t, syslog)
		p.stop()
		for _, part := range []string{`"src_ip":"192.168.1.105"`, `"host":"10.64.1.254"`, `"url":"/`, "Unix Shell Code"} {
			require.Contains(t, alert, part)
		}
	})
}

func TestFluentBitAcceptsThePipelinesOfInit(t *testing.T) {
	onEach(t, func(t *testing.T, f fluentBit) {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "access.log"), []byte(accesslog.Lines()[0].Write(attackOf())+"\n"), 0o644))
		check := func(from, destination string) {
			wafctl(t, dir, "init", "-o", "waf.yaml", "--force", "--form", "filter", "--from", from, "--alert-to", destination, "access.log")
			p := f.run(t, dir, "-c", filepath.Join(dir, "waf.yaml"), "--dry-run")
			require.NoError(t, p.end(), "%s to %s\n%s", from, destination, p.log())
			require.Contains(t, p.log(), "configuration test is successful")
		}
		for _, destination := range []string{
			"es://h/alerts", "opensearch+tls://h:9201/alerts", "loki://h", "https://h/in", "syslog+tls://h", "gelf+tcp://h", "json+udp://h",
			"json+tls://h", "forward://h?tag=alert", "forward+unix:///run/x?tag=alert", "stdout,loki://h",
		} {
			check("access.log", destination)
		}
		for _, from := range []string{"otlp://127.0.0.1:4318", "forward://127.0.0.1:24224", "syslog+tcp://127.0.0.1:5140", "tcp://127.0.0.1:15155"} {
			check(from, "stdout")
		}
	})
}
