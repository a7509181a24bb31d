package rules

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

// A pattern that ignores case takes the long s for s and the sign of Kelvin for k, also where a transformation makes them.
func TestThePrefilterFollowsLettersThatFoldToASCII(t *testing.T) {
	for transformation, uri := range map[string]string{
		"none": "/?q=%c5%bfelect", "urlDecodeUni": "/?q=%25c5%25bfelect", "base64Decode": "/?q=xb9lbGVjdA==", "htmlEntityDecode": "/?q=%26%23383;elect",
	} {
		for _, prefilter := range []string{"on", "off"} {
			rule := `SecRule ARGS "@rx (?i)select" "id:1,phase:2,deny,t:none,t:` + transformation + `"`
			set := open(t, setting.Map{"rules": ownFile(t, rule), "prefilter": prefilter, "rule_packs": "off"})
			attack := sample()
			attack.URI = uri
			v, err := set.Inspect(attack)
			require.NoError(t, err)
			require.True(t, v.Blocked, "%s, prefilter %s", transformation, prefilter)
		}
	}
}
