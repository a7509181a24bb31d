//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/loopback"
)

// Any thread may take a signal, also one that runs Go. Fluent Bit sets its handlers again on each signal, in a way that has them run
// on the stack of whatever the thread was doing; see plugin/signals.c. Many threads and collections make it likely.
func TestSurvivesSignalsWhileGoIsBusy(t *testing.T) {
	const signals = 300
	t.Setenv("GOGC", "1")
	t.Setenv("GOMAXPROCS", "16")
	onEach(t, func(t *testing.T, f fluentBit) {
		port := loopback.Port(t)
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
		require.ElementsMatch(t, []string{"fluent-bit", "flb-logger"}, p.threadsThatTake(t, syscall.SIGHUP), "the first thread, and one that never runs Go")
		p.stop()
		b := p.balance("filter")
		require.Equal(t, []int{sent, sent}, []int{b.records, b.alerts}, "records and alerts")
	})
}

// threadsThatTake returns the names of the threads that do not block a signal. Go's threads are named as the first one is.
func (p *pipeline) threadsThatTake(t *testing.T, signal syscall.Signal) (names []string) {
	t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", p.command.Process.Pid))
	require.NoError(t, err)
	for _, thread := range threads {
		name, err := os.ReadFile(filepath.Join(thread, "comm"))
		require.NoError(t, err)
		status, err := os.ReadFile(filepath.Join(thread, "status"))
		require.NoError(t, err)
		_, mask, found := strings.Cut(string(status), "SigBlk:\t")
		require.True(t, found)
		blocked, err := strconv.ParseUint(mask[:16], 16, 64)
		require.NoError(t, err)
		if blocked>>(signal-1)&1 == 0 {
			names = append(names, strings.TrimSpace(string(name)))
		}
	}
	require.NotEmpty(t, names)
	return names
}
