//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/loopback"
)

func TestTwoCopiesOfThePluginDoTheWorkOnceAndSaySo(t *testing.T) {
	second := t.TempDir()
	for _, name := range []string{"out_waf.so", "in_nano.so"} {
		object, err := os.ReadFile(filepath.Join(filepath.Dir(plugin()), name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(second, name), object, 0o755))
	}
	require.NoError(t, os.Symlink("out_waf.so", filepath.Join(second, "flb-filter_waf.so")))
	onEach(t, func(t *testing.T, f fluentBit) {
		dir, port := t.TempDir(), loopback.Port(t)
		writeRules(t, dir, "?n=")
		const rules = `
      match: nano
      rules: own.conf
      alert_on: match
`
		config := strings.Replace(fromNano(nanoInput(port), "\n    - name: waf"+rules+"      alert_to: file://"+filepath.Join(dir, "alerts")+toFile("nano", "all")),
			"\n  outputs:", "\n  filters:\n    - name: waf"+rules+"  outputs:", 1)
		p := f.launch(t, dir, config, "-e", plugin(), "-e", filepath.Join(second, "out_waf.so"))
		p.waitReady(1)
		sendUDP(t, port, attackNumber(t, 0))
		require.Contains(t, p.records("all", 1)[0], "waf")
		p.records("alerts", 1)
		p.stop()
		require.Equal(t, 1, strings.Count(p.log(), plugin()+" is already loaded: this copy, "+second+"/out_waf.so, only uses memory"), p.log())
		require.NotContains(t, p.log(), "nano.1")
		require.Contains(t, p.log(), "datagrams 1,")
	})
}
