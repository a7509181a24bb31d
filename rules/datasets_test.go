package rules

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

func TestDatasetsAreNotTakenFromAnotherRuleSet(t *testing.T) {
	const rules = `SecRule ARGS "@pmFromDataset words" "id:1,phase:2,deny"
SecRule REMOTE_ADDR "@ipMatchFromDataset nets" "id:2,phase:1,deny"
SecRule ARGS "@pm words" "id:3,phase:2,deny"
`
	sets := []struct {
		text string
		want map[string][]int
	}{
		{"SecDataset words `\none\n`\nSecDataset nets `\n10.0.0.0/8\n`\n" + rules, map[string][]int{"one": {1}, "two": nil, "words": {3}}},
		{"SecDataset words `\ntwo\n`\nSecDataset nets `\n192.168.0.0/16\n`\n" + rules, map[string][]int{"one": {2}, "two": {2, 1}, "words": {2, 3}}},
		{"SecDataset words `\none\n`\nSecDataset words `\ntwo\n`\nSecDataset nets `\n10.0.0.0/8\n`\n" + rules, map[string][]int{"one": nil, "two": {1}}},
	}
	for _, prefilter := range []string{"on", "off"} {
		var open []*Set // a reload has both at the same time
		for _, s := range sets {
			set, err := library.Open(config(t, setting.Map{"rules": ownFile(t, s.text), "rule_packs": "off", "prefilter": prefilter}))
			require.NoError(t, err)
			open = append(open, set)
		}
		for i, s := range sets {
			for value, want := range s.want {
				request := sample()
				request.URI = "/?q=" + value
				v, err := open[i].Inspect(request)
				require.NoError(t, err)
				require.ElementsMatch(t, want, ids(v), "set %d, %s, prefilter %s", i, value, prefilter)
				for _, m := range v.Matches {
					require.NotContains(t, m.Wording(), "#")
				}
			}
		}
		for _, set := range open {
			require.NoError(t, set.Close())
		}
	}
	_, err := library.Open(config(t, setting.Map{"directives": `SecRule ARGS "@pmFromDataset none" "id:1,phase:2,deny"`}))
	require.ErrorContains(t, err, `directives:1: rule 1: `)
}
