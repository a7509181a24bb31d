//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/loopback"
)

func TestMetricsOfAllInstancesAreOnOnePageAndInARecord(t *testing.T) {
	onEach(t, func(t *testing.T, f fluentBit) {
		port, page := loopback.Port(t), loopback.Port(t)
		p := f.start(t, withUDP(port, fmt.Sprintf(`
    - name: waf
      match: nano.*
      emit_tag: alert
      inspect_budget: off
      metrics_listen: 127.0.0.1:%d
      metrics_tag: metrics.waf
      metrics_interval: 200ms
`, page), fmt.Sprintf(`
    - name: waf
      match: nano.*
      alert_to: file://DIR/delivered
      metrics_listen: 127.0.0.1:%d
`, page)+toFile("nano.*", "all")+toFile("alert", "alerts")+toFile("metrics.waf", "metrics")))
		sent := 0
		send := func() {
			sendUDP(t, port, clean(t, sent), sample(t))
			sent++
		}
		send()
		text := func() string {
			answer, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/metrics", page))
			require.NoError(t, err)
			defer answer.Body.Close()
			body, err := io.ReadAll(answer.Body)
			require.NoError(t, err)
			return string(body)
		}
		for _, line := range []string{
			`waf_records_total{kind="filter",name="waf.0",result="clean"} 1`,
			`waf_records_total{kind="filter",name="waf.0",result="alert"} 1`,
			`waf_emits_total{kind="filter",name="waf.0",result="taken"} 1`,
			`waf_records_total{kind="output",name="waf.0",result="alert"} 1`,
			`waf_delivered_total{destination="file://` + p.dir + `/delivered",kind="output",name="waf.0"} 1`,
			`waf_flushes_waiting{kind="output",name="waf.0"} 0`,
			`waf_alert_rules_total{kind="filter",message="Remote Command Execution: Unix Shell Code Found",name="waf.0",rule_id="932160"} 1`,
		} {
			p.wait(line, func() bool { return strings.Contains(text(), line+"\n") })
		}
		p.wait("a record with metrics", func() bool {
			send()
			return strings.Contains(p.read("metrics"), `"waf_records_total":{`)
		})
		p.stop()
	})
}
