package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/fluentbit"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/loopback"
)

const combinedLines = `198.51.100.23 - - [29/Nov/2026:12:00:01 +0000] "GET / HTTP/1.1" 200 612 "-" "curl/8.5.0"
198.51.100.23 - - [29/Nov/2026:12:00:02 +0000] "GET /?q=1 HTTP/1.1" 200 612 "-" "Mozilla/5.0"
`

// inDir writes a file of records and makes its directory the current one.
func inDir(t *testing.T, name, text string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	t.Chdir(dir)
	return dir
}

func TestInitWritesAPipelineAndExplainsTheSource(t *testing.T) {
	here, err := os.Getwd()
	require.NoError(t, err)
	dir := inDir(t, "access.log", combinedLines)
	got := wafctl(nil, nil, "init", "--plugin", "/lib/out_waf.so", "access.log")
	t.Chdir(here)
	require.Equal(t, cli.ExitClean, got.code, got.err)
	golden(t, "init.yaml", strings.ReplaceAll(got.out, dir, "DIR"))
	golden(t, "init.err", got.err)
	for line := range strings.Lines(got.err) {
		require.LessOrEqual(t, len([]rune(line)), 81, line)
	}
}

func TestInitReplacesNothingUnlessForced(t *testing.T) {
	dir := inDir(t, "access.log", combinedLines)
	require.NoError(t, os.WriteFile("waf.yaml", []byte("mine"), 0o644))
	got := wafctl(nil, nil, "init", "-o", "waf.yaml", "access.log")
	require.Equal(t, cli.ExitError, got.code)
	require.Contains(t, got.err, "waf.yaml exists (--force replaces it)")
	text, err := os.ReadFile("waf.yaml")
	require.NoError(t, err)
	require.Equal(t, "mine", string(text))

	require.NoError(t, os.WriteFile("new.map.yaml", []byte("mine"), 0o644))
	got = wafctl(nil, nil, "init", "-o", "new.yaml", "--host", "shop.example", "access.log")
	require.Equal(t, cli.ExitError, got.code)
	require.Contains(t, got.err, "new.map.yaml exists")
	require.NoFileExists(t, "new.yaml", "all files are looked at before one is written")

	got = wafctl(nil, nil, "init", "-o", "waf.yaml", "--force", "access.log")
	require.Equal(t, cli.ExitClean, got.code, got.err)
	require.Contains(t, got.out, "Start:   fluent-bit -c waf.yaml")
	c, err := fluentbit.Read("waf.yaml")
	require.NoError(t, err)
	require.Equal(t, filepath.Join(dir, "access.log"), c.Inputs[0].Get("path"))
}

// pipelineOf returns what init writes.
func pipelineOf(t *testing.T, stdin io.Reader, args ...string) (*fluentbit.Config, result) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "waf.yaml")
	got := wafctl(stdin, nil, append([]string{"init", "-o", path}, args...)...)
	require.Equal(t, cli.ExitClean, got.code, got.err)
	c, err := fluentbit.Read(path)
	require.NoError(t, err)
	require.Empty(t, c.Misuses())
	return c, got
}

func TestInitChoosesTheInput(t *testing.T) {
	podLog := "/var/log/containers/web-6c9f_shop_nginx-" + strings.Repeat("0123", 16) + ".log"
	for _, c := range []struct {
		name, text, from string
		input            map[string]string
		filters          []string
		match            string
	}{
		{"plain lines", combinedLines, "/var/log/x.log", map[string]string{"name": "tail", "path": "/var/log/x.log", "read_from_head": "off"}, nil, "access"},
		{"W3C", "#Fields: date time c-ip cs-method cs-uri-stem cs-uri-query sc-status\n2024-05-30 09:00:01 192.0.2.1 GET / - 200\n", "/var/log/x.log",
			map[string]string{"name": "tail", "read_from_head": "on"}, nil, "access"},
		{"a container under CRI", "2024-05-30T07:16:48.9Z stdout F " + combinedLines, podLog,
			map[string]string{"path": "/var/log/containers/*_shop_nginx-*.log", "multiline.parser": "cri"}, []string{"kubernetes"}, "kube.*"},
		{"a container under Docker", `{"log":"198.51.100.23 - - [29/Nov/2026:12:00:01 +0000] \"GET / HTTP/1.1\" 200 612\n","stream":"stdout","time":"2024-05-30T07:16:48Z"}`,
			"/var/lib/docker/containers/a/a-json.log", map[string]string{"multiline.parser": "docker"}, nil, "access"},
		{"a pattern of containers", combinedLines, "/var/log/containers/web-*.log",
			map[string]string{"path": "/var/log/containers/web-*.log", "multiline.parser": "cri"}, []string{"kubernetes"}, "kube.*"},
		{"UDP", combinedLines, "udp://:5000", map[string]string{"name": "nano", "listen_on": "udp://0.0.0.0:5000"}, nil, "nano"},
		{"OTLP", combinedLines, "otlp://127.0.0.1:4318", map[string]string{"name": "opentelemetry", "listen": "127.0.0.1", "port": "4318"}, nil, "*"},
		{"syslog", combinedLines, "syslog+tcp://127.0.0.1:514", map[string]string{"name": "syslog", "mode": "tcp", "parser": "waf-line"}, nil, "syslog"},
		{"forward", combinedLines, "forward://127.0.0.1:24224", map[string]string{"name": "forward", "port": "24224"}, nil, "*"},
	} {
		t.Run(c.name, func(t *testing.T) {
			config, _ := pipelineOf(t, strings.NewReader(c.text), "--from", c.from, "-")
			for key, want := range c.input {
				require.Equal(t, want, config.Inputs[0].Get(key), key)
			}
			var filters []string
			for i := range config.Filters {
				filters = append(filters, config.Filters[i].Name())
			}
			require.Equal(t, c.filters, filters)
			require.Equal(t, c.match, config.Outputs[0].Get("match"))
		})
	}
}

func TestInitTakesTheFilterWhereTheOutputCannotDeliver(t *testing.T) {
	for to, want := range map[string][]string{
		"gelf+udp://siem:12201": {"waf"},
		"stdout":                {"waf"},
		"opensearch://logs/waf": {"opensearch"},
		"stdout,loki://logs":    {"stdout", "loki"},
	} {
		config, _ := pipelineOf(t, strings.NewReader(combinedLines), "--from", "x.log", "--alert-to", to, "-")
		var outputs []string
		for i := range config.Outputs {
			o := &config.Outputs[i]
			outputs = append(outputs, o.Name())
			tag := "access"
			if len(config.Filters) > 0 {
				tag = config.Filters[0].Get("emit_tag")
			}
			require.True(t, o.Matches(tag), "alerts of %s arrive", to)
		}
		require.Equal(t, want, outputs)
		require.Equal(t, want[0] != "waf", len(config.Named(fluentbit.Filter, "waf")) == 1)
	}
}

func TestInitListensForASample(t *testing.T) {
	address := loopback.Address(t)
	place := "udp://" + address
	var sending sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	defer sending.Wait()
	defer stop()
	sending.Go(func() {
		for ctx.Err() == nil {
			if to, err := net.Dial("udp", address); err == nil {
				fmt.Fprint(to, attack) //nolint:errcheck // nobody may listen yet
				to.Close()
			}
			time.Sleep(50 * time.Millisecond)
		}
	})
	config, got := pipelineOf(t, nil, "--wait", "30s", place)
	require.Equal(t, place, config.Inputs[0].Get("listen_on"))
	require.Contains(t, got.out, "20, of which 20 HTTP")
}

func TestInitExplainsWhatItCannotDo(t *testing.T) {
	inDir(t, "app.log", "started\nstopped\n")
	for _, c := range []struct {
		args []string
		want []string
	}{
		{nil, []string{"want one source: a file, - for standard input"}},
		{[]string{"-"}, []string{"--from: is required with -"}},
		{[]string{"app.log"}, []string{"no HTTP transaction in 2 records", "wafctl map"}},
		{[]string{"missing.log"}, []string{"missing.log: no such file"}},
		{[]string{"none*.log"}, []string{"no file matches none*.log"}},
		{[]string{"pigeon://roof:1"}, []string{`unknown address "pigeon://roof:1"`}},
		{[]string{"udp://127.0.0.1"}, []string{"want udp://HOST:PORT"}},
		{[]string{"forward://127.0.0.1:24224"}, []string{"cannot take a sample", "--from forward://127.0.0.1:24224"}},
		{[]string{"--alert-to", "pigeon://roof,gelf+udp://", "--wait", "1ms", "app.log"},
			[]string{`--alert-to: destination "pigeon://roof": unknown scheme "pigeon"`, "the host is missing", "--wait: 1ms is out of range (1s to 1h, or off)"}},
		{[]string{"--form", "output", "--alert-to", "es://h", "app.log"}, []string{"--form: the output waf does not support all of --alert-to"}},
		{[]string{"--host", "shop.example", "app.log"}, []string{"--host: requires -o FILE, because it writes a field map beside the pipeline"}},
	} {
		got := wafctl(strings.NewReader(""), nil, append([]string{"init"}, c.args...)...)
		require.Equal(t, cli.ExitError, got.code, c.args)
		for _, want := range c.want {
			require.Contains(t, got.err, want, c.args)
		}
		require.Empty(t, got.out)
	}
}
