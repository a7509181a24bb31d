package main

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/accesslog"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/testsize"
)

const (
	plainClean  = `192.0.2.1 - - [30/May/2024:07:16:48 +0000] "GET /search?q=shoes HTTP/1.1" 200 612 "-" "Mozilla/5.0"`
	plainAttack = `192.0.2.1 - - [30/May/2024:07:16:48 +0000] "GET /search?q=1%27%20or%201=1-- HTTP/1.1" 200 612 "-" "Mozilla/5.0"`
)

// attackLines returns a log in a format: lines that describe it, a clean line, one with an attack, and one that is cut off.
func attackLines(l accesslog.Line) string {
	attack := accesslog.Browser("GET", "/search?q=1%27%20or%201=1--")
	lines := []string{l.Write(accesslog.Browser("GET", "/")), l.Write(attack), "not a request"}
	if l.Directive != "" {
		lines = append([]string{"#Software: x", "#Version: 1.0", l.Directive}, lines...)
	}
	return strings.Join(lines, "\r\n") + "\r\n"
}

func TestPlainLinesAreReadByAllCommandsThatReadFiles(t *testing.T) {
	folder := t.TempDir()
	for i, l := range accesslog.Lines() {
		t.Run(l.Title, func(t *testing.T) {
			var zipped bytes.Buffer
			w := gzip.NewWriter(&zipped)
			_, err := w.Write([]byte(attackLines(l)))
			require.NoError(t, err)
			require.NoError(t, w.Close())
			path := filepath.Join(folder, "access.log.gz")
			require.NoError(t, os.WriteFile(path, zipped.Bytes(), 0o600))

			got := wafctl(nil, nil, "check", path)
			require.Equal(t, cli.ExitAlert, got.code, got.err)
			require.Contains(t, got.out, "3 records: 1 alert, 1 clean, 1 not HTTP\n")
			require.Empty(t, got.err)

			got = wafctl(nil, nil, "map", path)
			require.Equal(t, cli.ExitClean, got.code, got.err)
			require.Contains(t, got.out, ": field map "+l.Map+": ")
			require.Contains(t, got.out, ", inside log\n")
			require.Contains(t, got.out, ": no field map knows these keys, and the text is not a line of a known format\n")
			require.Contains(t, got.out, "3 records by field map: "+l.Map+" 2, none 1\n")

			if i > 0 && !testsize.Full() {
				return // all commands read files the same way
			}
			got = wafctl(nil, nil, "report", "-o", filepath.Join(folder, "page.html"), path)
			require.Equal(t, cli.ExitClean, got.code, got.err)
			require.Contains(t, got.out, "1 alert in 3 records")

			got = wafctl(nil, nil, "tune", "--output", "property", path)
			require.Equal(t, cli.ExitAlert, got.code, got.err)
			require.Contains(t, got.out, "942100:ARGS:q")

			got = wafctl(strings.NewReader(attackLines(l)), nil, "run", "--listen", "-", "--alert-to", "stdout", "--emit-format", "ecs")
			require.Equal(t, cli.ExitClean, got.code, got.err)
			require.Contains(t, got.out, `"original":"/search?q=1%27%20or%201=1--"`)
			require.Contains(t, got.err, "1 alert, 1 clean")
		})
	}
}

func TestColumnsHoldUpToTheNextOnesInEveryFile(t *testing.T) {
	const iis = "#Fields: date time c-ip cs-method cs-uri-stem sc-status\n"
	var log strings.Builder
	for range 20_000 { // several blocks, so that later ones have their columns from earlier ones
		log.WriteString("#Fields: date time c-ip cs-method cs-uri-stem sc-status\n2024-05-30 07:16:48 192.0.2.1 GET /a 200\n")
		log.WriteString("#Fields: cs-method cs-uri-stem sc-status c-ip\nGET /../../etc/passwd 200 192.0.2.1\n")
	}
	folder := t.TempDir()
	first, second := filepath.Join(folder, "a"), filepath.Join(folder, "b")
	require.NoError(t, os.WriteFile(first, []byte(log.String()), 0o600))
	require.NoError(t, os.WriteFile(second, []byte("GET /../../etc/passwd 200 192.0.2.1\n"), 0o600))
	got := wafctl(nil, nil, "check", first)
	require.Contains(t, got.out, "40,000 records: 20,000 alerts, 20,000 clean, 0 not HTTP")
	got = wafctl(nil, nil, "check", first, second)
	require.Contains(t, got.out, "40,001 records: 20,000 alerts, 20,000 clean, 1 not HTTP")
	require.Contains(t, got.err, "wafctl: warning: "+second+": no HTTP transaction in 1 record. The first one has only the key log, with a line in no known format.")
	got = wafctl(strings.NewReader(iis+"2024-05-30 07:16:48 192.0.2.1 GET /../etc/passwd 200\n"), nil, "check", "--explain", "--line", "2", "-")
	require.Equal(t, cli.ExitAlert, got.code, got.err)
	require.Contains(t, got.out, "read with the field map iis")
}

func TestEveryRecordOfAListIsCheckedByItself(t *testing.T) {
	azure := func(query string) string {
		return `{"properties":{"clientIP":"192.0.2.1","httpMethod":"GET","requestUri":"/","requestQuery":"` + query + `","httpStatus":200}}`
	}
	list := `{"records":[` + azure("q=1%27%20or%201=1--") + "," + azure("a=b") + "," + azure("q=../../etc/passwd") + `,{"category":"x"}]}`
	got := wafctl(strings.NewReader(list+"\n"+azure("a=b")), nil, "check", "-")
	require.Contains(t, got.out, "5 records: 2 alerts, 2 clean, 1 not HTTP")
	require.Equal(t, 2, strings.Count(got.out, "\n      1  "))
	got = wafctl(strings.NewReader(list), nil, "tune", "--output", "property", "-")
	require.Contains(t, got.out, "942100:ARGS:q")
	require.Contains(t, got.out, "930100:ARGS:q")
	got = wafctl(strings.NewReader(list), nil, "check", "--explain", "-")
	require.Equal(t, 3, strings.Count(got.out, "read with the field map azure"))
	got = wafctl(strings.NewReader(list), nil, "map", "--all", "-")
	require.Contains(t, got.out, "4 records by field map: azure 3, none 1")
	got = wafctl(strings.NewReader(list), nil, "run", "--listen", "-", "--alert-to", "stdout", "--emit-format", "msa")
	require.Equal(t, 2, strings.Count(got.out, `"rule_id"`), got.out)
}

func TestReportOfNothingIsAnError(t *testing.T) {
	page := filepath.Join(t.TempDir(), "page.html")
	got := wafctl(strings.NewReader("started\nstopped\n"), nil, "report", "-o", page, "-")
	require.Equal(t, cli.ExitError, got.code)
	require.Contains(t, got.err, "nothing was inspected: no record is an HTTP transaction")
	require.FileExists(t, page)
}
