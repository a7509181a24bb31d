//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/loopback"
)

// swap makes a directory with own.conf and leads the link ..data to it, as Kubernetes does with a ConfigMap.
func swap(t *testing.T, dir string, number int, rules string) {
	t.Helper()
	name := fmt.Sprintf("..%d", number)
	require.NoError(t, os.Mkdir(filepath.Join(dir, name), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, name, "own.conf"), []byte(rules), 0o644))
	require.NoError(t, os.Symlink(name, filepath.Join(dir, "..new")))
	require.NoError(t, os.Rename(filepath.Join(dir, "..new"), filepath.Join(dir, "..data")))
}

func TestRulesChangeWhileRecordsFlow(t *testing.T) {
	onEach(t, func(t *testing.T, f fluentBit) {
		const pace = 2 * time.Millisecond
		port := loopback.Port(t)
		dir := t.TempDir()
		rule := func(n int) string {
			return fmt.Sprintf("SecRule REQUEST_URI \"@contains /rule%d\" \"id:1,phase:1,deny,severity:CRITICAL,msg:'rule %[1]d'\"\n", n)
		}
		swap(t, dir, 1, rule(1))
		require.NoError(t, os.Symlink("..data/own.conf", filepath.Join(dir, "own.conf")))
		yaml := strings.Replace(withUDP(port, `
    - name: waf
      match: nano.*
      rules: crs,`+dir+`/own.conf
      reload_interval: 100ms
      inspect_budget: off
`, toFile("nano.*", "all")), "name: udp", "name: tcp", 1)
		p := f.launch(t, dir, strings.Replace(yaml, "chunk_size: 64", "chunk_size: 64\n      buffer_size: 64", 1), "-e", plugin())
		p.waitReady(1)

		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		require.NoError(t, err)
		defer c.Close()
		sent := 0
		send := func(record []byte) {
			_, err := c.Write(append(bytes.TrimSpace(record), '\n'))
			require.NoError(t, err)
			sent++
			time.Sleep(pace)
		}
		flowUntil := func(text string) {
			for end := time.Now().Add(patience); !strings.Contains(p.log(), text); {
				require.Less(t, time.Now(), end, "waited for %q", text)
				send(clean(t, sent))
			}
		}
		flowUntil("checking ")
		swap(t, dir, 2, rule(2))
		flowUntil("rules were reloaded in")
		send(withURL(t, "/rule2"))
		swap(t, dir, 3, "SecRule broken")
		flowUntil("THE PREVIOUS RULES STAY IN USE")
		send(withURL(t, "/rule2"))
		swap(t, dir, 4, rule(4))
		flowUntil("compared with the previous rules: 1 changed (1)")
		p.wait("the second reload", func() bool { return strings.Count(p.log(), "rules were reloaded in") == 2 })
		send(withURL(t, "/rule4"))
		send(withURL(t, "/rule2"))

		found := map[string]int{}
		for _, r := range p.records("all", sent) {
			if waf, alerts := r["waf"].(map[string]any); alerts {
				found[waf["msg"].(string)]++
			}
		}
		require.Equal(t, map[string]int{"rule 2": 2, "rule 4": 1}, found)
		p.stop()
		b := p.balance("filter")
		require.Equal(t, []int{sent, 3}, []int{b.records, b.alerts}, "records and alerts")
	})
}
