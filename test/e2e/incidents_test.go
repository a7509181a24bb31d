//go:build e2e

package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/loopback"
)

// The records of docs/incidents.md: a shop that was attacked attacks the services behind it.
func TestAPivotIsEmittedWithItsSecondHop(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs", "examples", "pivot.ndjson"))
	require.NoError(t, err)
	records := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	onEach(t, func(t *testing.T, f fluentBit) {
		port := loopback.Port(t)
		p := f.start(t, withUDP(port, `
    - name: waf
      match: nano.*
      inspect_budget: off
      emit_tag: alert
      emit_format: ecs
      incidents: on
      incident_tag: incident
      incident_state: DIR/state
`, toFile("alert", "alerts")+toFile("incident", "incidents")))
		sendUDP(t, port, records[:4]...)
		p.records("alerts", 3)
		require.Empty(t, p.read("incidents"), "nothing but the shop was attacked")
		sendUDP(t, port, records[4])
		p.wait("an incident", func() bool { return strings.Contains(p.read("incidents"), "\n") })
		first := p.records("incidents", 1)[0]
		require.Contains(t, first["message"], "203.0.113.9 → 10.2.0.80:8080 → 10.2.0.91:8080", "%v", first)
		alerts := p.records("alerts", 4)
		p.stop()
		require.NotEmpty(t, at(alerts[3], "waf", "incident", "id"), "%v", alerts[3])
		require.FileExists(t, filepath.Join(p.dir, "state"))
	})
}
