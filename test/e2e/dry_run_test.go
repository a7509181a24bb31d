//go:build e2e

package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/loopback"
)

func TestADryRunWithAllPluginsSucceeds(t *testing.T) {
	onEach(t, func(t *testing.T, f fluentBit) {
		p := f.launch(t, t.TempDir(), withUDP(loopback.Port(t), `
    - name: waf
      match: '*'
      emit_tag: alert
`, `
    - name: waf
      match: '*'
      alert_to: stdout
`), "-e", plugin(), "--dry-run")
		require.NoError(t, p.end())
		require.Contains(t, p.log(), "configuration test is successful")
	})
}
