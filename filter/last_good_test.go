package filter

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

func TestBrokenRulesLeaveANamedFilterWithItsLastGoodOnes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "own.conf")
	write := func(text string) { require.NoError(t, os.WriteFile(file, []byte(text), 0o644)) }
	settings := setting.Map{"rules": file, "alert_on": "match"}
	alerts := func(f *Filter, path string) bool { return process(f, clean(path), "nano").Changed }
	last := keeping(t)

	write(`SecRule REQUEST_URI "@contains /one" "id:1,phase:1,pass,severity:CRITICAL"`)
	f, err := NewNamed("waf.0", last, settings, discard)
	require.NoError(t, err)
	require.True(t, alerts(f, "/one"))
	require.NoError(t, f.Close(), "the host ends the old filter first")

	write(`SecRule REQUEST_URI "@contains /two" "phase:1`)
	var log []string
	f, err = NewNamed("waf.0", last, settings, func(level Level, line string) {
		if level == LevelError {
			log = append(log, line)
		}
	})
	require.NoError(t, err)
	require.True(t, alerts(f, "/one"))
	require.Contains(t, strings.Join(log, "\n"), file)
	require.Contains(t, strings.Join(log, "\n"), "STAY IN USE")
	require.NoError(t, f.Close())

	_, err = NewNamed("waf.1", last, settings, discard)
	require.ErrorContains(t, err, file, "another filter has no previous rules")
	_, err = NewNamed("waf.0", last, setting.Map{"rules": file, "alert_on": "never"}, discard)
	require.ErrorContains(t, err, "alert_on")
	require.ErrorContains(t, err, file, "all problems are told")

	write(`SecRule REQUEST_URI "@contains /two" "id:2,phase:1,pass,severity:CRITICAL"`)
	f, err = NewNamed("waf.0", last, settings, discard)
	require.NoError(t, err)
	require.False(t, alerts(f, "/one"))
	require.True(t, alerts(f, "/two"))
	require.NoError(t, f.Close())
}

func discard(Level, string) {}

// keeping returns what keeps rules for filters of a test, until it ends.
func keeping(t *testing.T) *LastGood {
	var last LastGood
	t.Cleanup(func() { require.NoError(t, last.Close()) })
	return &last
}
