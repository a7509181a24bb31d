package rules

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

func TestMatchesTellWhatTheirRulesSayOfThemselves(t *testing.T) {
	reader := setting.NewReader(setting.Map{"directives": `
SecRule REQUEST_HEADERS:X-One "@streq a" "id:100,phase:1,pass,log,severity:CRITICAL,ver:'own/2',rev:'3',maturity:'7',accuracy:'8',chain,tag:'attack-sqli',tag:'paranoia-level/3'"
  SecRule REQUEST_HEADERS:X-Two|ARGS "@streq b" "t:none"`, "rules": "crs"}, Properties())
	s, err := library.Open(ReadConfig(reader))
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	require.NoError(t, reader.Err())
	v, err := s.Inspect(&model.Transaction{
		Method: "GET", URI: "/?a=b&c=b", Protocol: "HTTP/1.1",
		RequestHeaders: []model.Header{{Name: "Host", Value: "shop.example"}, {Name: "X-One", Value: "a"}, {Name: "X-Two", Value: "b"}},
	})
	require.NoError(t, err)
	var own *model.Match
	for i := range v.Matches {
		if v.Matches[i].Rule.ID == 100 {
			own = &v.Matches[i]
		}
	}
	require.NotNil(t, own)
	r := own.Rule
	require.Equal(t, []string{"own/2", "3", "7", "8"}, []string{r.Version, r.Revision, r.Maturity, r.Accuracy})
	require.Equal(t, "sqli", r.Category())
	require.Equal(t, 3, r.Paranoia())
	require.False(t, r.Response())
	all := append([]string{own.Variable}, own.Others...)
	require.ElementsMatch(t, []string{"REQUEST_HEADERS:X-One", "REQUEST_HEADERS:X-Two", "ARGS:a", "ARGS:c"}, all)
}

func TestRulesOfTheResponseAreKnownByPhaseOrTag(t *testing.T) {
	require.True(t, (&model.RuleInfo{Phase: 4}).Response())
	require.True(t, (&model.RuleInfo{Phase: 2, Tags: []string{"attack-disclosure"}}).Response())
	require.False(t, (&model.RuleInfo{Phase: 2, Tags: []string{"OWASP_CRS"}}).Response())
	require.Equal(t, "lateral-movement", (&model.RuleInfo{Tags: []string{"own", "lateral-movement", "attack.T1610"}}).Category())
}
