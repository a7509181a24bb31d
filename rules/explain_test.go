package rules

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/engine"
)

func TestExplanationAgreesWithTheVerdict(t *testing.T) {
	set := open(t, nil)
	want, err := set.Inspect(sample())
	require.NoError(t, err)
	x, err := set.Explain(sample())
	require.NoError(t, err)
	require.Equal(t, want, x.Verdict)
	require.Len(t, x.Reasons, len(want.Matches))
	require.Equal(t, []engine.Threshold{{Name: "inbound", Score: want.Inbound, Limit: 5, Alerts: true}, {Name: "outbound", Score: 0, Limit: 4, Alerts: false}}, x.Sums)
	for i, r := range x.Reasons {
		require.Contains(t, r.Text, "SecRule ", want.Matches[i].Rule.ID)
		require.NotEmpty(t, r.Values)
	}
}

func TestExplanationHasWhatRulesSee(t *testing.T) {
	x, err := open(t, nil).Explain(sample())
	require.NoError(t, err)
	seen := map[string]string{}
	for _, v := range x.Variables {
		seen[v.Label()] = v.Value
	}
	for label, value := range map[string]string{
		"ARGS:t": "../../etc/passwd", "ARGS_GET:t": "../../etc/passwd", "REQUEST_METHOD": "GET", "REQUEST_HEADERS:User-Agent": "curl/7.81.0",
		"REMOTE_ADDR": "192.168.1.105", "SERVER_PORT": "80", "TX:blocking_inbound_anomaly_score": "33",
	} {
		require.Equal(t, value, seen[label], label)
	}
}

func TestStepsOfTransformationsAreShown(t *testing.T) {
	set := open(t, setting.Map{"rules": "testdata/steps.conf"})
	tx := sample()
	tx.URI = "/?q=%2541BC&q=x"
	x, err := set.Explain(tx)
	require.NoError(t, err)
	r := &x.Reasons[0]
	require.Equal(t, []engine.MatchedValue{{Variable: engine.Variable{Name: "ARGS", Key: "q", Value: "abc"}, Link: 0}, {Variable: engine.Variable{Name: "ARGS", Key: "q", Value: "%41BC"}, Link: 1}}, r.Values)
	require.Equal(t, []engine.Step{{Transformation: "", Value: "%41BC"}, {Transformation: "urlDecodeUni", Value: "ABC"}, {Transformation: "lowercase", Value: "abc"}}, x.Steps(r, &r.Values[0]))
	require.Empty(t, x.Steps(r, &r.Values[1]))
}
