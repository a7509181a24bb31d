//go:build e2e

package e2e

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/loopback"
)

// checked builds the plugin with Go's own checks of every pointer that is written or given to C, once.
var checked = built("cgocheck2", "cgocheck2", "waf_fault")

func TestGoFindsNoPointerOfItsOwnInFluentBit(t *testing.T) {
	if !longForm() {
		t.Skip("the plugin and all of Go are compiled for it: make survive")
	}
	object, err := checked()
	require.NoError(t, err)
	onEach(t, func(t *testing.T, f fluentBit) {
		dir, port := t.TempDir(), loopback.Port(t)
		t.Setenv("GODEBUG", "cgocheck=1")
		p := f.launch(t, dir, withUDP(port, `
    - name: waf
      match: nano.*
      emit_tag: alert
      inspect_budget: off
`, fmt.Sprintf(`
    - name: waf
      match: nano.*
      alert_to: file://%s
`, filepath.Join(dir, "delivered"))+toFile("nano.*", "all")+toFile("alert", "alerts")), "-e", object)
		p.waitReady(1)
		for n := range 20 {
			sendUDP(t, port, clean(t, n), attackNumber(t, n))
		}
		p.records("all", 40)
		p.records("alerts", 20)
		p.records("delivered", 20)
		p.stop()
		require.NotContains(t, p.log(), "cgo")
	})
}
