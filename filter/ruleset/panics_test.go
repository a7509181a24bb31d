package ruleset

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/telemetry"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

// ruleFor is a rule that alerts on a path.
func ruleFor(path string) string {
	return fmt.Sprintf("SecRule REQUEST_URI \"@contains /%s\" \"id:1,phase:1,deny,severity:CRITICAL\"\n", path)
}

// use has rules of a new file in use, and returns the file.
func use(t *testing.T, log telemetry.Logger) (c *Current, counts *telemetry.Counters, file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "own.conf")
	require.NoError(t, os.WriteFile(file, []byte(ruleFor("one")), 0o600))
	reader := setting.NewReader(setting.Map{"rules": file}, rules.Properties())
	opened, err := Open("", nil, rules.ReadConfig(reader))
	require.NoError(t, err)
	require.NoError(t, reader.Err())
	counts = telemetry.NewCounters(nil, log)
	return opened.Use(log, telemetry.NewPanics(counts, log, nil)), counts, file
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	require.Eventually(t, done, 30*time.Second, time.Millisecond, what)
}

// The log panics in the middle of a reload; rules that are in use go on to be so, and later changes are seen.
func TestPanicInAReloadLetsLaterOnesCome(t *testing.T) {
	var mu sync.Mutex
	var lines []string
	var panicked atomic.Int32
	c, counts, file := use(t, func(_ telemetry.Level, line string) {
		for _, where := range []string{"compared with", "were reloaded in"} {
			if strings.Contains(line, where) && panicked.Add(1) <= 2 {
				panic("log")
			}
		}
		mu.Lock()
		defer mu.Unlock()
		lines = append(lines, line)
	})
	before := c.rules.Load()
	c.Start(10 * time.Millisecond)
	for n, path := range []string{"two", "three", "four"} {
		id := c.Set().ID()
		require.NoError(t, os.WriteFile(file, []byte(ruleFor(path)), 0o600))
		eventually(t, path, func() bool { return c.Set().ID() != id })
		eventually(t, "its end", func() bool { return c.Reloads().Done+c.Reloads().Failed > uint64(n) })
	}
	require.Zero(t, before.users.Load(), "the rules of before are released")
	require.EqualValues(t, 2, counts.Read().Panics)
	closed := make(chan error)
	go func() {
		c.Stop()
		closed <- c.Release()
	}()
	select {
	case err := <-closed:
		require.NoError(t, err)
	case <-time.After(30 * time.Second):
		require.Fail(t, "the end waits for the goroutine that panicked")
	}
	require.Equal(t, 1, strings.Count(strings.Join(lines, "\n"), "reload of rules: recovered from a panic"))
}

// A watch that panics with each look, as long as there is none.
func TestPanicOfTheWatchLetsItGoOn(t *testing.T) {
	c, counts, _ := use(t, func(telemetry.Level, string) {})
	r := &c.reloads
	r.watch, r.interval, r.stop, r.ended = nil, time.Millisecond, make(chan struct{}), make(chan struct{})
	go c.runReloads()
	eventually(t, "it looks again and again", func() bool { return counts.Read().Panics >= 3 })
	c.Stop()
	require.NoError(t, c.Release())
}
