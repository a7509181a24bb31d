package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"
)

func TestReportIsAPageAboutTheAlerts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report.html")
	hostile := `{"BEGIN_TIME":"2024-05-30 07:20:00","METHOD":"GET","URL":"/?q=<script>alert(1)</script>","DOMAIN":"<img src=x>","SRC_IP":"\"><b>","L7_PROTOCOL":"http"}`
	records := strings.Join([]string{nanoSample(t), clean, dns, hostile}, "\n")
	got := wafctl(strings.NewReader(records), nil, "report", "-o", path, "--exclude-rules", "920350", "-")
	require.Equal(t, cli.ExitClean, got.code, got.err)
	require.Regexp(t, `report\.html: 2 alerts in 4 records, \d+ kB\n$`, got.out)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	page := string(text)
	for _, want := range []string{
		"<h1>2 alerts</h1>", "2024-05-30 07:16:48 to 2024-05-30 07:20:00 UTC", "1 more not HTTP", "<code>exclude_rules 920350</code>",
		"932160", "Remote Command Execution: Unix Shell Code Found", "192.168.1.105", "GET /?t=../../etc/passwd", "ARGS:t: ../../etc/passwd", "standard input:1",
		"GET /?q=&lt;script&gt;alert(1)&lt;/script&gt;", "&lt;img src=x&gt;", "4xx",
		"blocked: the request was refused with status 403",
	} {
		require.Contains(t, page, want)
	}
	root, err := html.Parse(strings.NewReader(page))
	require.NoError(t, err)
	for n := range root.Descendants() {
		require.NotContains(t, []string{"script", "img", "a", "link", "iframe", "object", "form"}, n.Data)
	}
}

func TestAReportThatCannotBeWrittenIsAnErrorBeforeTheWork(t *testing.T) {
	dir := t.TempDir()
	for _, arguments := range [][]string{{"report", "-o", dir, "no.log"}, {"test", byRules, "--junit", dir, "testdata/ftw"}} {
		got := wafctl(nil, nil, arguments...)
		require.Equal(t, cli.ExitError, got.code)
		require.Contains(t, got.err, dir+": is a directory (want a file)")
		require.NotContains(t, got.err+got.out, "no.log", "nothing is read")
		require.NotContains(t, got.out, "passed")
	}
}

func TestReportGoesToTheStandardOutput(t *testing.T) {
	got := wafctl(strings.NewReader(clean+"\n{\n"), nil, "report", "-o", "-", "-")
	require.Equal(t, cli.ExitError, got.code, "a line is no record")
	require.True(t, strings.HasPrefix(got.out, "<!DOCTYPE html>\n"))
	require.True(t, strings.HasSuffix(got.out, "</html>\n"))
	require.Contains(t, got.out, "<h1>No alerts</h1>")
	require.Contains(t, got.err, "1 line could not be read")
}

func TestReportShowsThatNothingWasInspected(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report.html")
	got := wafctl(strings.NewReader(`{"query":"a","answer":"b"}`+"\n"), nil, "report", "-o", path, "-")
	require.Equal(t, cli.ExitError, got.code)
	require.Contains(t, got.out, "report.html: nothing was inspected in 1 record, ")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Contains(t, string(text), "<h1>Nothing was inspected</h1>")
	require.Contains(t, string(text), "no HTTP transaction in 1 record. The first one has the keys query, answer.")
}

func TestReportCountsWhatLikelySucceeded(t *testing.T) {
	leak := `{"METHOD":"GET","URL":"/?f=../../etc/passwd","SRC_IP":"192.0.2.9","RETCODE":"200","RSP_HEADER":"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n","RSP_BODY":"root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin","L7_PROTOCOL":"http"}`
	got := wafctl(strings.NewReader(leak), nil, "report", "-o", filepath.Join(t.TempDir(), "report.html"), "-")
	require.Equal(t, cli.ExitClean, got.code, got.err)
	require.Contains(t, got.out, "1 alert (1 likely succeeded) in 1 record")
}

func TestReportHasNoSecrets(t *testing.T) {
	secret := `{"METHOD":"GET","URL":"/?password=hunter2&q=../../etc/passwd","DOMAIN":"shop.example","AGENT":"curl","COOKIE":"session=abcdef123456","L7_PROTOCOL":"http"}`
	for redact, want := range map[string]bool{"on": false, "off": true} {
		got := wafctl(strings.NewReader(secret), nil, "report", "-o", "-", "--redact", redact, "-")
		require.Equal(t, cli.ExitClean, got.code, got.err)
		require.Contains(t, got.out, "etc/passwd")
		require.Equal(t, want, strings.Contains(got.out, "hunter2"))
	}
}

func TestReportIsKeptWhenItsInputCannotBeRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report.html")
	require.NoError(t, os.WriteFile(path, []byte("of yesterday"), 0o600))
	got := wafctl(strings.NewReader(clean), nil, "report", "-o", path, "-", filepath.Join(t.TempDir(), "missing.ndjson"))
	require.Equal(t, cli.ExitError, got.code)
	require.Contains(t, got.err, "missing.ndjson")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "of yesterday", string(text))
}

func TestReportNamesTheClientBehindATrustedProxy(t *testing.T) {
	const line = `{"time_iso8601":"2026-03-02T08:00:00+00:00","remote_addr":"10.20.0.10","server_addr":"10.2.0.7","server_port":"80","request_method":"GET",` +
		`"request_uri":"/?q=../../etc/passwd","status":"200","http_host":"shop.example","server_protocol":"HTTP/1.1","http_x_forwarded_for":"203.0.113.9"}`
	const attacker = `<summary><span class="row"><b><span class="address">%s</span>`
	for name, c := range map[string]struct {
		flags      []string
		want, list string
	}{
		"trusted":    {nil, "203.0.113.9", "Connections from"},
		"distrusted": {[]string{"--trusted-proxies", "none"}, "10.20.0.10", "Forwarded for"},
	} {
		got := wafctl(strings.NewReader(line), nil, append([]string{"report", "-o", "-", "-"}, c.flags...)...)
		require.Equal(t, cli.ExitClean, got.code, got.err)
		require.Contains(t, got.out, fmt.Sprintf(attacker, c.want), name)
		require.Contains(t, got.out, "<dt>"+c.list+"</dt>", name)
		require.Equal(t, 1, strings.Count(got.out, "<dt>Connections from</dt>")+strings.Count(got.out, "<dt>Forwarded for</dt>"), name)
	}
}
