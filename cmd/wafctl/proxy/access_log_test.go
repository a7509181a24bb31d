package proxy

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// lines returns the access log of a proxy that has ended.
func lines(t *testing.T, file string) (all []map[string]any) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		var one map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &one), line)
		all = append(all, one)
	}
	return all
}

func TestEachRequestHasALineInTheAccessLog(t *testing.T) {
	b := record(t)
	file := filepath.Join(t.TempDir(), "access.log")
	p := run(t, b.URL, setting.Map{"access_log": file, "modsec_req_body_limit": "10", "trusted_proxies": "127.0.0.1"})
	p.get("/ok?password=hunter2hunter2", "X-Forwarded-For", "203.0.113.9")
	_, page := p.get(attack, "Accept", "application/json")
	p.raw("POST / HTTP/1.1\r\n" + common + "Content-Type: text/plain\r\nContent-Length: 20\r\n\r\n")
	p.raw("GET / HTTP/1.1\r\n" + common + strings.Repeat("X-A: b\r\n", 250) + "\r\n")
	p.raw("GET / HTTP/1.1\r\n" + common + "Authorization: Basic YTpi\r\nAuthorization: Basic YTpj\r\n\r\n")
	p.get("/healthz")
	p.end()
	all := lines(t, file)
	require.Len(t, all, 5, "what is asked of the proxy itself is no request")
	for i, want := range []struct {
		decision, reason string
		status           float64
	}{{"passed", "", 200}, {"blocked", "", 403}, {"rejected", "body_too_long", 413}, {"rejected", "headers", 431}, {"rejected", "header", 400}} {
		require.Equal(t, want.decision, all[i]["waf_decision"])
		require.Equal(t, want.status, all[i]["status"])
		if want.reason != "" {
			require.Equal(t, want.reason, all[i]["waf_reason"])
		}
	}
	require.Equal(t, "203.0.113.9", all[0]["remote_addr"])
	require.Equal(t, 2.0, all[0]["body_bytes_sent"])
	require.Equal(t, "/ok?password=[redacted]", all[0]["request_uri"])
	require.Contains(t, page, all[1]["waf_alert_id"])
	require.Contains(t, p.alerts.String(), all[1]["waf_alert_id"])
	require.Equal(t, []any{942360.0}, all[1]["waf_rules"])
}

func TestTheAccessLogShowsWhatPassedWithAnAlert(t *testing.T) {
	b := record(t)
	file := filepath.Join(t.TempDir(), "access.log")
	p := run(t, b.URL, setting.Map{"access_log": file, "engine": "detect"})
	p.get(attack)
	p.end()
	all := lines(t, file)
	require.Equal(t, "alerted", all[0]["waf_decision"])
	require.Equal(t, 200.0, all[0]["status"])
	require.Contains(t, p.alerts.String(), all[0]["waf_alert_id"])
}

// Responses that are no pages go through the writer of the log, too: tunnels, streams, and what is cut short.
func TestTheAccessLogIsInNobodysWay(t *testing.T) {
	answers := map[string]string{
		"/tunnel": "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
		"/cut":    "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 100\r\n\r\nhalf",
		"/none":   "HTTP/1.1 204 No Content\r\n\r\n",
	}
	backend := rawBackend(t, func(conn net.Conn) {
		head := make([]byte, 4096)
		n, _ := conn.Read(head)
		fields := strings.Fields(string(head[:n]))
		send(conn, answers[fields[1]])
	})
	file := filepath.Join(t.TempDir(), "access.log")
	p := run(t, backend, setting.Map{"access_log": file})
	status, _ := p.raw("GET /tunnel HTTP/1.1\r\n" + common + "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	require.Equal(t, 101, status)
	p.raw("GET /cut HTTP/1.1\r\n" + common + "\r\n")
	status, _ = p.raw("GET /none HTTP/1.1\r\n" + common + "\r\n")
	require.Equal(t, 204, status)
	require.Eventually(t, func() bool { return p.InFlight() == 0 }, 10*time.Second, time.Millisecond)
	p.end()
	got := map[string]float64{}
	for _, line := range lines(t, file) {
		got[line["request_uri"].(string)] = line["status"].(float64)
	}
	require.Equal(t, map[string]float64{"/tunnel": http.StatusSwitchingProtocols, "/cut": 200, "/none": 204}, got)
}
