//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Any thread may take a signal, also one that runs Go. Fluent Bit sets its handlers again on each signal, in a way that has them run
// on the stack of whatever the thread was doing; see plugin/signals.c. Many threads and collections make it likely.
func TestSurvivesSignalsWhileGoIsBusy(t *testing.T) {
	const signals = 300
	t.Setenv("GOGC", "1")
	t.Setenv("GOMAXPROCS", "16")
	onEach(t, func(t *testing.T, f fluentBit) {
		port := freePort(t)
		p := f.start(t, strings.Replace(withUDP(port, `
    - name: waf
      match: nano.*
      inspect_budget: off
`, toFile("nano.*", "all")), "name: udp", "name: tcp", 1))
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		require.NoError(t, err)
		defer c.Close()
		sent := 0
		for n := range signals {
			if n%10 == 0 {
				var many []byte
				for range 20 {
					many = append(append(many, bytes.TrimSpace(attackNumber(t, sent))...), '\n')
					sent++
				}
				_, err := c.Write(many)
				require.NoError(t, err)
			}
			require.NoError(t, p.command.Process.Signal(syscall.SIGHUP), "signal %d", n)
			time.Sleep(5 * time.Millisecond)
		}
		p.wait("all records", func() bool { return p.lines("all") == sent })
		p.stop()
		b := p.balance("filter")
		require.Equal(t, []int{sent, sent}, []int{b.records, b.alerts}, "records and alerts")
	})
}
