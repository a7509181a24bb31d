package top

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// samplePage is a page as an instance serves it, of two instances, with outcomes and the texts of rules.
const samplePage = `# TYPE process_start_time_seconds gauge
process_start_time_seconds 1.7958852e+09
# TYPE waf_records_total counter
waf_records_total{kind="filter",name="waf.0",result="alert"} 30
waf_records_total{kind="filter",name="waf.0",result="clean"} 2970
waf_records_total{kind="filter",name="waf.0",result="skipped"} 5
waf_records_total{kind="output",name="waf.1",result="not_http"} 400
waf_records_total{kind="output",name="waf.1",result="broken"} 2
waf_records_total{kind="output",name="waf.1",result="alert"} 10
# TYPE waf_late_records_total counter
waf_late_records_total{kind="filter",name="waf.0"} 5
# TYPE waf_intake_lost_total counter
waf_intake_lost_total{kind="input",name="nano.0",reason="kernel"} 77
# TYPE waf_alerts_total counter
waf_alerts_total{kind="filter",name="waf.0",outcome="blocked",severity="critical"} 12
waf_alerts_total{kind="filter",name="waf.0",outcome="attempted",severity="critical"} 17
waf_alerts_total{kind="filter",name="waf.0",outcome="attempted",severity="warning"} 1
waf_alerts_total{kind="output",name="waf.1",outcome="likely succeeded",severity="critical"} 10
# TYPE waf_alert_categories_total counter
waf_alert_categories_total{category="lfi",kind="filter",name="waf.0",outcome="blocked"} 12
waf_alert_categories_total{category="lfi",kind="filter",name="waf.0",outcome="attempted"} 18
waf_alert_categories_total{category="sqli",kind="output",name="waf.1",outcome="likely succeeded"} 10
# TYPE waf_alert_rules_total counter
waf_alert_rules_total{kind="filter",message="Remote Command Execution: Unix Shell Code Found",name="waf.0",rule_id="932160"} 30
waf_alert_rules_total{kind="output",message="SQL Injection\x1b[31m",name="waf.1",rule_id="942100"} 10
# TYPE waf_inspections_total counter
waf_inspections_total{kind="filter",name="waf.0",path="cache"} 2000
waf_inspections_total{kind="filter",name="waf.0",path="full"} 2
# TYPE waf_delivered_total counter
waf_delivered_total{destination="syslog+udp://siem:514",kind="output",name="waf.1"} 8
# TYPE waf_delivery_waiting gauge
waf_delivery_waiting{destination="syslog+udp://siem:514",kind="output",name="waf.1"} 2
# TYPE waf_delivery_failures_total counter
waf_delivery_failures_total{destination="syslog+udp://siem:514",kind="output",name="waf.1"} 1200
`

// serve answers with a page under /metrics.
func serve(t *testing.T, page string) *Metrics {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/metrics" {
			http.NotFound(w, r)
			return
		}
		io.WriteString(w, page) //nolint:errcheck // the test sees what is missing
	}))
	t.Cleanup(server.Close)
	m, err := NewMetrics(server.URL)
	require.NoError(t, err)
	m.now = func() time.Time { return start }
	return m
}

func TestMetricsAreSummedOverInstances(t *testing.T) {
	r, err := serve(t, strings.ReplaceAll(samplePage, `\x1b`, "\x1b")).Read(context.Background())
	require.NoError(t, err)
	require.Equal(t, &Reading{
		At: start, Since: time.Unix(1795885200, 0),
		Records: []Count{{"clean", 2970}, {"not HTTP", 400}, {"alert", 40}, {"skipped", 5}, {"broken", 2}},
		Alerts:  40, Levels: []Count{{"critical", 39}, {"warning", 1}},
		Ends:   []Count{{"attempted", 18}, {"blocked", 12}, {"likely succeeded", 10}},
		Ways:   []Count{{"cache", 2000}, {"full", 2}},
		Missed: []Count{{"lost: kernel", 77}, {"late", 5}, {"broken", 2}},
		Lists: []List{
			{Title: "Rules", Rows: []Row{{"932160", "Remote Command Execution: Unix Shell Code Found", 30}, {"942100", `SQL Injection\x1b[31m`, 10}}},
			{Title: "Categories", Rows: []Row{{Name: "lfi", N: 30}, {Name: "sqli", N: 10}}},
			{Title: "Instances", Rows: []Row{{"filter waf.0", "of 3,005 records", 30}, {"output waf.1", "of 412 records", 10}}},
			{Title: "Destinations", Rows: []Row{{"syslog+udp://siem:514", "2 waiting, 1,200 failed attempts", 8}}},
		},
		Note: "Metrics have no clients and targets; wafctl top FILE reads them from the log.",
	}, r)
}

func TestAPageWithoutOutcomesHasNone(t *testing.T) {
	r, err := serve(t, `waf_records_total{result="alert"} 1
waf_alerts_total{severity="critical"} 1
`).Read(context.Background())
	require.NoError(t, err)
	require.Nil(t, r.Ends)
	require.EqualValues(t, 1, r.Alerts)
	require.Len(t, r.Lists, 3, "a list of destinations only where there are any")
}

func TestWrongPagesAreExplained(t *testing.T) {
	for name, c := range map[string]struct{ path, page, want string }{
		"Fluent Bit's own": {"", "fluentbit_uptime 7\n", "no waf_ metrics: want the address of the property metrics_listen"},
		"another path":     {"/api/v2/metrics/prometheus", "", "404 Not Found (no waf_ metrics"},
		"no metrics":       {"", "<html>", "read metrics: http://127.0.0.1:"},
	} {
		t.Run(name, func(t *testing.T) {
			m := serve(t, c.page)
			if c.path != "" {
				m.url = strings.TrimSuffix(m.url, "/metrics") + c.path
			}
			_, err := m.Read(context.Background())
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestAddresses(t *testing.T) {
	for text, want := range map[string]string{
		"127.0.0.1:2021": "http://127.0.0.1:2021/metrics", "http://node7:2021": "http://node7:2021/metrics",
		"https://node7/waf/metrics?x=1": "https://node7/waf/metrics?x=1", "[::1]:2021": "http://[::1]:2021/metrics",
	} {
		require.True(t, IsAddress(text), text)
		m, err := NewMetrics(text)
		require.NoError(t, err)
		require.Equal(t, want, m.Title())
	}
	for _, text := range []string{"access.log", "/var/log/a:1", "-", "host:port", "logs/x:80"} {
		require.False(t, IsAddress(text), text)
	}
	_, err := NewMetrics("http://")
	require.ErrorContains(t, err, "malformed address")
}
