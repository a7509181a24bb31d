//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/loopback"
)

// secretive is the sample with credentials in its head.
func secretive(t *testing.T) []byte {
	return []byte(strings.Replace(string(sample(t)), `curl/7.81.0\r\n`, `curl/7.81.0\r\nAuthorization: Bearer 0c7e5d2f81\r\nCookie: sid=5dd0a7c1b9\r\n`, 1))
}

func TestAlertsOfEveryFormatLeaveWithoutSecrets(t *testing.T) {
	onEach(t, func(t *testing.T, f fluentBit) {
		port := loopback.Port(t)
		var filters, outputs strings.Builder
		for _, format := range alert.Formats() {
			fmt.Fprintf(&filters, `
    - name: waf
      match: nano.*
      alert_key: off
      inspect_budget: off
      emit_tag: alert.%s
      emit_format: %s
`, format, format)
			outputs.WriteString(toFile("alert."+format, format))
		}
		p := f.start(t, withUDP(port, filters.String(), outputs.String()+toFile("nano.*", "all")))
		sendUDP(t, port, secretive(t))
		for _, format := range alert.Formats() {
			p.records(format, 1)
			text := p.read(format)
			require.Contains(t, text, "932160", format)
			require.Equal(t, format != string(alert.CEF), strings.Contains(text, "redacted"), "%s: lines of CEF have no heads", format)
			for _, secret := range []string{"0c7e5d2f81", "5dd0a7c1b9"} {
				require.NotContains(t, text, secret, format)
			}
		}
		p.records("all", 1)
		p.stop()
		require.Contains(t, p.read("all"), "0c7e5d2f81", "the record itself is the operator's")
		require.NotContains(t, p.log(), "0c7e5d2f81")
	})
}

func TestRepeatsAreSummedUpWithoutMoreRecords(t *testing.T) {
	onEach(t, func(t *testing.T, f fluentBit) {
		port := loopback.Port(t)
		p := f.start(t, withUDP(port, `
    - name: waf
      match: nano.*
      emit_tag: alert
      inspect_budget: off
      flood_window: 10s
      alert_limit: 100
`, toFile("alert", "alerts")+toFile("nano.*", "all")))
		sendUDP(t, port, sample(t), sample(t), sample(t), sample(t), sample(t))
		got := p.records("alerts", 2)
		sendUDP(t, port, sample(t))
		p.records("all", 6)
		p.stop()

		require.NotContains(t, got[0], "count")
		require.Equal(t, "4", got[1]["count"])
		require.Contains(t, got[1], "first_seen")
		require.NotContains(t, got[1], "req_header", "the first alert has the payload")
		require.Regexp(t, `alerts 6, .*alerts emitted 1, failed 0, suppressed 5, summaries 1`, p.log())
		require.Contains(t, p.log(), "1 suppressed alerts are in no summary")
	})
}
