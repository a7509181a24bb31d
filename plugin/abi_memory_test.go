package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/testtool"
)

// Every call that the host makes, and what goes wrong in it, under memcheck. It stands in for the Core Rule Set with one rule:
// everything takes fifty times as long.
func TestMemoryUnderValgrind(t *testing.T) {
	if !longForm() {
		t.Skip("the plugin and all of Go are compiled for it: make hosts")
	}
	testtool.Program(t, "valgrind", "valgrind")
	dir := t.TempDir()
	rules := filepath.Join(dir, "own.conf")
	require.NoError(t, os.WriteFile(rules, []byte(`SecRule REQUEST_URI "@contains /etc/passwd" "id:1,phase:1,pass,severity:CRITICAL,msg:'one'"`), 0o644))
	properties := func(more ...string) []string {
		return append([]string{"rules", rules, "rule_packs", "off", "alert_on", "match"}, more...)
	}
	attack, clean := sample(t, ""), sample(t, "/index.html")
	i := loadInput(t, valgrind)

	require.Equal(t, "-1", i.init(0, "waf.0", properties("emit_limit", "much")...))
	require.Equal(t, "0", i.init(0, "waf.0", properties("emit_tag", "alert.$TAG", "emit_limit", "2M")...))
	for range 3 {
		answer, out := i.filter(0, "nano", append(append([]byte{}, clean...), attack...), "input")
		require.Equal(t, "1", answer)
		require.NotEmpty(t, out)
		require.Len(t, i.emit, 1)
	}
	for _, untouched := range [][]byte{clean, attack[:len(attack)/2], {0xc1}, nil} {
		answer, _ := i.filter(0, "nano", untouched, "input")
		require.Equal(t, "2", answer)
	}
	for _, cause := range []string{"fault.panic", "fault.nil"} {
		answer, _ := i.filter(0, cause, attack, "input")
		require.Equal(t, "2", answer)
	}
	require.Equal(t, "0", i.init(1, "waf.1", properties("keep", "alerts")...))
	answer, out := i.filter(1, "nano", clean, "input")
	require.Equal(t, "1", answer)
	require.Empty(t, out)
	require.Equal(t, "answers 1 1 wrong 0 0", i.do("threads", "0", "1", "10", "nano", toHex(attack)))
	require.Equal(t, "0", i.do("exit", "0"))
	require.Equal(t, "0", i.do("exit", "1"))

	i.do("register", "0")
	require.Equal(t, "1", i.output(2, "waf.2", properties("alert_to", "file://"+filepath.Join(dir, "alerts"))...))
	require.Equal(t, "1", i.do("flush", "2", "nano", toHex(attack)))
	require.Equal(t, "2", i.do("flush", "2", "fault.panic", toHex(attack)))
	require.Equal(t, "1", i.do("output-exit", "2"))
	i.do("unregister")

	require.Equal(t, "1", i.open("3", "nano.3", "listen_on", "udp://127.0.0.1:0"))
	i.send(i.dial(), `{"n":1}{"n":2}`)
	require.Len(t, i.wait(2), 2)
	require.Equal(t, "1", i.do("input-exit", "3", "0"))
	require.Contains(t, strings.Join(i.log, "\n"), "records 2: handed over 2")
}
