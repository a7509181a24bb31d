package coverage

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/seclang"
)

func needsOf(t *testing.T, text string, alerting func(id int) *model.RuleInfo) []Need {
	t.Helper()
	directives, err := seclang.Split("test.conf", text)
	require.NoError(t, err)
	return NeedsOf(directives, alerting)
}

func everyRule(id int) *model.RuleInfo { return &model.RuleInfo{ID: id} }

func TestNeedsFollowFromTheTextOfARule(t *testing.T) {
	for name, c := range map[string]struct {
		rule  string
		needs model.Parts
		idle  model.Parts // absent parts with which the rule never matches, 0 for none
	}{
		"a count that is 0 without the header": {`SecRule &REQUEST_HEADERS:Accept "@eq 0" "id:1,phase:1,deny"`, model.PartAccept, model.PartAccept},
		"a pattern in a header":                {`SecRule REQUEST_HEADERS:Referer "@rx evil" "id:1,phase:1,deny"`, 0, model.PartReferer},
		"a pattern that an empty text matches": {`SecRule REQUEST_BODY "!@rx ok" "id:1,phase:2,deny"`, model.PartBody, model.PartBody},
		"a comparison with the host":           {`SecRule ARGS "@streq %{request_headers.host}" "id:1,phase:2,deny"`, model.PartHostName, 0},
		"escapes of the request target":        {`SecRule REQUEST_URI_RAW "@validateUrlEncoding" "id:1,phase:1,deny"`, model.PartEscapes, 0},
		"a variable that is no part":           {`SecRule TX:score "@gt 4" "id:1,phase:2,deny"`, 0, 0},
		"a chain with a link that needs a cookie": {`SecRule ARGS "@rx a" "id:1,phase:2,deny,chain"
SecRule &REQUEST_COOKIES "@eq 0" ""`, model.PartCookie, model.PartCookie},
	} {
		t.Run(name, func(t *testing.T) {
			needs := needsOf(t, c.rule, everyRule)
			require.Len(t, needs, 1)
			require.Equal(t, c.needs, needs[0].Parts)
			require.Equal(t, c.needs != 0, needs[0].Why(model.AllParts) != "")
			if c.idle != 0 {
				require.True(t, needs[0].Idle(c.idle))
			}
			require.False(t, needs[0].Idle(0))
		})
	}
}

func TestRulesThatCannotAlertNeedNothing(t *testing.T) {
	require.Empty(t, needsOf(t, `SecRule &REQUEST_HEADERS:Accept "@eq 0" "id:1,phase:1,pass,nolog"`, func(int) *model.RuleInfo { return nil }))
}

func TestRulesAreLeftOutByWhatIsUnknown(t *testing.T) {
	needs := needsOf(t, `SecRule &REQUEST_HEADERS:Accept "@eq 0" "id:2,phase:1,deny"
SecRule REQUEST_HEADERS:Referer "@rx evil" "id:1,phase:1,deny"
SecRule ARGS "@rx evil" "id:3,phase:2,deny"`, everyRule)
	require.Empty(t, LeftOut(needs, 0))
	require.Empty(t, LeftOut(needs, model.PartReferer))
	require.Equal(t, []int{2}, LeftOut(needs, model.PartAccept|model.PartReferer))
	require.Equal(t, []int{1, 2}, LeftOut(needs, model.AllParts), "values that a source logs apart from the request are never unknown")
	require.Same(t, &needs[0], ByID(needs)[2])
}
