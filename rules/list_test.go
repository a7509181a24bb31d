package rules

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/seclang"
)

func TestListHasEveryRuleThatTheEngineHas(t *testing.T) {
	for name, settings := range map[string]setting.Map{
		"all of CRS": nil,
		"with exclusions": {
			"exclude_rules": "942100,920000-920999,tag:attack-xss", "directives": "SecRuleRemoveByMsg \"PHP Injection Attack: PHP Open Tag Found\"\n" +
				`SecRuleRemoveByMsg "no rule says this"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			set := open(t, settings)
			list := set.List()
			require.Len(t, list, set.Rules())
			seen := map[int]bool{}
			for _, r := range list {
				require.NotZero(t, r.ID)
				require.False(t, seen[r.ID], r.ID)
				seen[r.ID] = true
			}
			require.Equal(t, settings == nil, seen[942100])
			require.Equal(t, settings == nil, seen[933100])
		})
	}
}

func TestListSaysWhatARuleIs(t *testing.T) {
	for _, r := range open(t, nil).List() {
		if r.ID != 920171 {
			continue
		}
		require.Equal(t, "GET or HEAD Request with Transfer-Encoding", r.Message)
		require.Equal(t, 1, r.Paranoia())
		require.True(t, r.Detection)
		require.Contains(t, r.Text, "SecRule REQUEST_METHOD")
		require.Contains(t, r.Text, "\nSecRule &REQUEST_HEADERS:Transfer-Encoding")
		directives, err := seclang.Split("", r.Text)
		require.NoError(t, err)
		require.Len(t, directives, 2)
		return
	}
	t.Fatal("rule 920171 is not listed")
}
