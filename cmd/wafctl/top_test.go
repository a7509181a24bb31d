package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli/clitest"
	"github.com/stretchr/testify/require"
)

func TestTopPrintsASnapshotOfAFile(t *testing.T) {
	got := wafctl(nil, nil, "top", "--once", "../../docs/examples/records.ndjson")
	require.Equal(t, cli.ExitClean, got.code, got.err)
	require.Empty(t, got.err)
	require.Contains(t, got.out, "Records               10           alert 50.0 %  clean 40.0 %  not HTTP 10.0 %\n")
	require.Contains(t, got.out, "Outcomes       attempted 3  blocked 2\n")
	require.Regexp(t, `(?m)^  198\.51\.100\.7 +4 +CRITICAL`, got.out)
	require.Regexp(t, `(?m)^  shop\.example/search +2 `, got.out)
	require.Regexp(t, `(?m)^  932160 +2 +Remote Command Execution: Unix Shell Code Found$`, got.out)
	require.Regexp(t, `(?m)^  sqli +1$`, got.out)
}

func TestTopReadsTheStandardInputToItsEnd(t *testing.T) {
	got := wafctl(strings.NewReader(attack+"\n"+clean+"\nno record\n"), nil, "top", "-")
	require.Equal(t, cli.ExitClean, got.code, got.err)
	require.Contains(t, got.out, "wafctl top  standard input  ended")
	require.Contains(t, got.out, "Not inspected  broken 1\n")
	require.Regexp(t, `(?m)^  10\.1\.2\.3 +1 `, got.out)
}

func TestTopSettingsAreThoseOfTheFilter(t *testing.T) {
	got := wafctl(strings.NewReader(attack), nil, "top", "--anomaly-inbound", "1000", "-")
	require.Contains(t, got.out, "clean 100 %")
}

func TestTopReadsTheMetricsOfAnInstance(t *testing.T) {
	stdin, records := io.Pipe()
	defer records.Close()
	r := start(t, stdin, "--listen", "-", "--alert-to", "file://"+filepath.Join(t.TempDir(), "alerts"), "--metrics-listen", "127.0.0.1:0")
	address := r.wait(&r.err, `http://([^/]+)/metrics`)[1]
	_, err := io.WriteString(records, attack+"\n"+clean+"\n")
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		got := wafctl(nil, nil, "top", "--once", address)
		require.Equal(t, cli.ExitClean, got.code, got.err)
		return strings.Contains(got.out, "alert 50.0 %  clean 50.0 %\n")
	}, patience, patience/300)
	got := wafctl(nil, nil, "top", "--once", "http://"+address+"/metrics")
	require.Regexp(t, `(?m)^  932160 +1 `, got.out)
	require.Regexp(t, `(?m)^  wafctl run(#\d+)? +1 .* of 2 records$`, got.out)
	require.Regexp(t, `(?m)^  file:///\S+ +1 .* 0 waiting, 0 failed attempts$`, got.out)
	require.Equal(t, cli.ExitClean, r.End())
}

func TestTopFollowsAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	r := &running{t: t, code: make(chan int, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	r.cancel = cancel
	go func() {
		r.code <- execute(ctx, &cli.Console{Host: clitest.Host, In: strings.NewReader(""), Out: &r.out, Err: &r.err}, []string{"top", "--interval", "1s", path})
	}()
	r.wait(&r.out, `(?m)^\d\d:\d\d:\d\d  records 0 \(0/s\); alerts 0 `)
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	defer file.Close()
	_, err = file.WriteString(attack + "\n")
	require.NoError(t, err)
	r.wait(&r.out, `records 1 \(.*\); alerts 1 \(.*\); attempted 1 .*; attackers 10\.1\.2\.3 1; targets shop\.example/ 1; rules 930100 1, `)
	_, err = file.WriteString(attack + "\n" + clean + "\n")
	require.NoError(t, err)
	r.wait(&r.out, `records 3 \(.*\); alerts 2 `)
	require.Equal(t, cli.ExitClean, r.End(), r.err.String())
}

func TestWhatTopCannotWatch(t *testing.T) {
	for line, want := range map[string]string{
		"top missing.log":                     "read records: open missing.log: no such file or directory\n",
		"top --once missing.log":              "read records: open missing.log: no such file or directory\n",
		"top testdata":                        "read records: testdata is a directory (want a file, or - for standard input)\n",
		"top --once 127.0.0.1:1":              "connection refused (want the address of the property metrics_listen, a file, or - for standard input)\n",
		"top a b":                             "accepts at most 1 arg(s), received 2\n",
		"top --interval soon -":               "--interval: malformed time \"soon\" (want off, or a time such as 10s or 5m, 1s to 1h)\n",
		"top --from middle --field-map x.y -": "--from: unknown value \"middle\" (want start or end)\n",
	} {
		got := wafctl(strings.NewReader(""), nil, strings.Fields(line)...)
		require.Equal(t, cli.ExitError, got.code, line)
		require.Contains(t, got.err, want, line)
	}
}
