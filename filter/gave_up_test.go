package filter

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

// A record on which a rule's expression gave up is counted and says so, each time anew.
func TestRecordsOnWhichAnExpressionGaveUpArePartial(t *testing.T) {
	f := newFilter(t, setting.Map{"keep": "alerts", "directives": `SecRule ARGS "@rx ^(?:a|aa)*(?!a)[bc]" "id:1,phase:2,deny,severity:2"
SecRule ARGS "@contains evil" "id:2,phase:2,deny,severity:2"`})
	slow := "/?q=" + strings.Repeat("a", 80) + "-c"
	record := pairs("METHOD", "GET", "URL", slow, "DOMAIN", "www.example.com", "RETCODE", "200")
	for range 2 {
		out := process(f, record, "nano")
		require.Equal(t, map[string]any{"partial": []any{"rules"}}, body(t, out.Data)["waf"])
	}
	out := process(f, pairs("METHOD", "GET", "URL", slow+"&b=evil", "DOMAIN", "www.example.com", "RETCODE", "200"), "nano")
	require.Equal(t, []any{"rules"}, body(t, out.Data)["waf"].(map[string]any)["partial"])
	c := f.Counts()
	require.Equal(t, []uint64{3, 2, 1, 3}, []uint64{c.Records, c.Clean, c.Alerts, c.Partial})
	require.Zero(t, f.rules.Set().Speed().Cached)
}
