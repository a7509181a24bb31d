//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/loopback"
)

// node is a pipeline from UDP that sends digests to an aggregator.
func node(t *testing.T, port, aggregator int) string {
	return withUDP(port, fmt.Sprintf(`
    - name: waf
      match: nano.*
      inspect_budget: off
      emit_tag: alert
      incidents: on
      incident_digest_tag: digest
      incident_rules: %s
      incident_state: DIR/unsent
`, rules(t, "digest_every: 3s\n")), fmt.Sprintf(`
    - name: forward
      match: digest
      host: 127.0.0.1
      port: %d
`, aggregator)+toFile("digest", "digests")+toFile("alert", "alerts"))
}

// The records of docs/incidents.md come to two nodes, so that none of them sees both hops. One of the nodes is ended before it could send what
// it has seen, and starts again.
func TestAnAggregatorFindsAPivotAcrossNodes(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs", "examples", "pivot.ndjson"))
	require.NoError(t, err)
	records := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	onEach(t, func(t *testing.T, f fluentBit) {
		forward, shop, orders := loopback.Port(t), loopback.Port(t), loopback.Port(t)
		aggregator := f.start(t, fmt.Sprintf(`
service:
  flush: 0.2
pipeline:
  inputs:
    - name: forward
      listen: 127.0.0.1
      port: %d
  filters:
    - name: waf
      match: '*'
      incidents: on
      incident_tag: incident
      incident_rules: %s
      emit_format: ecs
  outputs:
    - name: "null" # Fluent Bit gives filters only records that an output takes
      match: digest%s
`, forward, rules(t, "digest_wait: 20s\n"), toFile("incident", "incidents")))
		first, second := f.start(t, node(t, shop, forward)), f.start(t, node(t, orders, forward))
		sendUDP(t, shop, records[:4]...)
		first.records("alerts", 3) // what comes next is later, also by the clock of events
		sendUDP(t, orders, records[4:]...)
		second.records("alerts", 2)
		second.stop()
		require.Empty(t, second.read("digests"), "it has not sent what it has seen")
		third := f.launch(t, second.dir, strings.ReplaceAll(node(t, orders, forward), "DIR", second.dir), "-e", plugin())
		third.wait("the digest of before", func() bool {
			sendUDP(t, orders, records[0])
			return strings.Contains(third.read("digests"), "waf_digest")
		})
		third.wait("a digest of its own", func() bool { return strings.Count(third.read("digests"), "waf_digest") > 1 })
		first.wait("a digest", func() bool { return strings.Contains(first.read("digests"), "waf_digest") })
		aggregator.wait("a pivot", func() bool { return strings.Contains(aggregator.read("incidents"), "pivot") })
		require.Contains(t, aggregator.read("incidents"), `203.0.113.9 \u2192 10.2.0.80:8080 \u2192 10.2.0.9`)
		first.stop()
		third.stop()
		aggregator.stop()
	})
}

func rules(t *testing.T, text string) string {
	path := filepath.Join(t.TempDir(), "rules.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}
