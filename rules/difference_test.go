package rules

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

func TestDifferenceOfRuleSets(t *testing.T) {
	before, after := t.TempDir(), t.TempDir()
	write(t, before, map[string]string{
		"a.conf": `SecRequestBodyLimit 1000
SecRule ARGS "@rx a" "id:1,phase:2,deny,severity:2"
SecRule ARGS "@rx b" "id:2,phase:2,deny,severity:2"
SecRule ARGS "@rx c" "id:3,phase:2,deny,severity:2,chain"
  SecRule ARGS "@pmFromFile words.data"
SecRule ARGS "@rx d" "id:4,phase:2,deny,severity:2,chain"
  SecRule ARGS "@rx e"
SecRule ARGS "@rx same" "id:5,phase:2,deny,severity:2"
SecRuleUpdateTargetById 5 "!ARGS:old"
SecRule ARGS "@pmFromFile words.data" "id:7,phase:2,deny,severity:2"
SecRuleRemoveById 7
`, "words.data": "one\n"})
	write(t, after, map[string]string{
		"a.conf": `SecRequestBodyLimit 2000
SecArgumentsLimit 100
SecRule ARGS "@rx same" "id:5,phase:2,deny,severity:2"
SecRule ARGS "@rx b+" "id:2,phase:2,deny,severity:2"
SecRule ARGS "@rx c" "id:3,phase:2,deny,severity:2,chain"
  SecRule ARGS "@pmFromFile words.data"
SecRule ARGS "@rx d" "id:4,phase:2,deny,severity:2,chain"
  SecRule ARGS "@rx e+"
SecRule ARGS "@rx f" "id:6,phase:2,deny,severity:2"
`, "words.data": "one\ntwo\n"})
	old, changed := open(t, setting.Map{"rules": before}), open(t, setting.Map{"rules": after})
	d := Compare(old, changed)
	ids := func(list []Loaded) []string { return collect(list, func(l Loaded) string { return l.Text }) }
	require.Equal(t, []string{`SecRule ARGS "@rx f" "id:6,phase:2,deny,severity:2"`}, ids(d.Added))
	require.Equal(t, []string{`SecRule ARGS "@rx a" "id:1,phase:2,deny,severity:2"`}, ids(d.Removed))
	require.Len(t, d.Changed, 3)
	for i, want := range []struct {
		id   int
		data bool
	}{{2, false}, {3, true}, {4, false}} {
		require.Equal(t, want.id, d.Changed[i].After.ID)
		require.Equal(t, want.data, d.Changed[i].Data)
	}
	require.Equal(t, []Setting{
		{"SecArgumentsLimit", "", "100"},
		{"SecRequestBodyLimit", "1000", "2000"},
		{"SecRuleUpdateTargetById", `5 "!ARGS:old"`, ""},
	}, d.Settings)
	require.Equal(t, "1 added (6), 1 removed (1), 3 changed (2, 3, 4), "+
		"other settings: SecArgumentsLimit, SecRequestBodyLimit, SecRuleUpdateTargetById", d.String())

	none := Compare(old, old)
	require.True(t, none.Empty())
	require.Equal(t, "no rule differs", none.String())
}
