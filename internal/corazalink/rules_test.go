package corazalink

import (
	"regexp"
	"testing"

	"github.com/corazawaf/coraza/v3"
	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"
	"github.com/corazawaf/coraza/v3/types"
	"github.com/corazawaf/coraza/v3/types/variables"
	"github.com/stretchr/testify/require"
)

func compile(t *testing.T, text string) *WAF {
	t.Helper()
	waf, err := coraza.NewWAF(coraza.NewWAFConfig().WithDirectives(text))
	require.NoError(t, err)
	compiled, err := Compiled(waf)
	require.NoError(t, err)
	return compiled
}

func TestCompiledRulesAreWhatTheDirectivesSay(t *testing.T) {
	w := compile(t, `SecRuleEngine DetectionOnly
SecDefaultAction "phase:2,log,auditlog,deny,status:403"
SecRule &ARGS:Foo|REQUEST_HEADERS:/^X-(a|b)$/|!REQUEST_HEADERS:X-A|!REQUEST_HEADERS:/B$/ "!@within a %{tx.b}" \
  "id:7,phase:2,t:none,t:lowercase,t:urlDecodeUni,capture,multiMatch,severity:'CRITICAL',tag:'one',msg:'m %{MATCHED_VAR}',logdata:'%{tx.0}',\
  setvar:'tx.a_%{MATCHED_VAR_NAME}=+%{tx.b}',setvar:'!tx.c=1',ctl:ruleRemoveTargetById=942100;ARGS:/^a$/,skipAfter:END,chain"
SecRule TX:1 "@rx x" "ctl:requestBodyProcessor=JSON"
SecAction "id:8,phase:1,pass,skip:3"
SecMarker END
SecRuleUpdateTargetById 8 "ARGS:added"
SecRuleUpdateActionById 7 "tag:'two',setvar:'tx.late=1',pass"`)
	require.Equal(t, types.RuleEngineDetectionOnly, w.Engine)
	require.Len(t, w.Rules, 3)
	r := w.Rules[0]
	require.Equal(t, []any{7, 2, types.RuleSeverityCritical, []string{"one", "two"}, "pass"}, []any{r.ID, r.Phase, r.Severity, r.Tags, r.Disruptive()})
	require.Len(t, r.Links, 2)
	first := r.Links[0]
	require.True(t, first.Capture && first.MultiMatch)
	require.Equal(t, "m %{MATCHED_VAR}", first.Message)
	require.Equal(t, "%{tx.0}", first.LogData)
	require.Equal(t, []Target{
		{Variable: variables.Args, Key: "Foo", Count: true, Except: nil},
		{Variable: variables.RequestHeaders, KeyRx: regexp.MustCompile("^x-(a|b)$"), Except: []Exception{{Key: "X-A"}, {Key: "/B$/", KeyRx: regexp.MustCompile("b$")}}},
	}, first.Targets)
	require.Equal(t, []any{"within", "a %{tx.b}", true}, []any{first.Operator.Name, first.Operator.Argument, first.Operator.Negated})
	require.Equal(t, []string{"lowercase", "urldecodeuni"}, []string{first.Transformations[0].Name, first.Transformations[1].Name})
	require.Equal(t, []*Assignment{{Name: "a_%{MATCHED_VAR_NAME}", Value: "+%{tx.b}"}, {Name: "c", Value: "1", Remove: true}, {Name: "late", Value: "1"}},
		assignmentsOf(first.Actions))
	require.Equal(t, &Control{Name: "ruleRemoveTargetById", Value: "942100", Variable: variables.Args, KeyRx: regexp.MustCompile("^a$")}, controlOf(first.Actions))
	require.Equal(t, "requestBodyProcessor", controlOf(r.Links[1].Actions).Name)
	require.Contains(t, first.Actions, Action{Name: "skipafter", Type: plugintypes.ActionTypeFlow, SkipAfter: "END"})
	require.Nil(t, w.Rules[1].Links[0].Operator)
	require.Equal(t, variables.Args, w.Rules[1].Links[0].Targets[0].Variable)
	require.Contains(t, w.Rules[1].Links[0].Actions, Action{Name: "skip", Type: plugintypes.ActionTypeFlow, Skip: 3})
	require.Equal(t, "END", w.Rules[2].Marker)
}

func assignmentsOf(actions []Action) (all []*Assignment) {
	for i := range actions {
		if a := actions[i].Assignment; a != nil {
			all = append(all, a)
		}
	}
	return all
}

func controlOf(actions []Action) *Control {
	for i := range actions {
		if actions[i].Control != nil {
			return actions[i].Control
		}
	}
	return nil
}

func TestSettingsAreThoseOfTheDirectives(t *testing.T) {
	w := compile(t, `SecRequestBodyAccess On
SecResponseBodyAccess On
SecRequestBodyLimit 1000
SecResponseBodyLimit 2000
SecRequestBodyLimitAction ProcessPartial
SecResponseBodyMimeType text/css text/html
SecArgumentsLimit 7
SecRequestBodyJsonDepthLimit 9`)
	require.Equal(t, Settings{
		RequestBodyAccess: true, ResponseBodyAccess: true, RequestBodyLimit: 1000, ResponseBodyLimit: 2000, RequestPartial: true,
		ResponsePartial: w.Settings.ResponsePartial, ResponseMIMETypes: []string{"text/css", "text/html"}, Arguments: 7, RequestJSONDepth: 9,
	}, w.Settings)
}

// Every name must be known: a transformation or ctl action without one is taken for unsupported.
func TestAllNamesAreKnown(t *testing.T) {
	require.Len(t, transformationNames(), len(transformations))
	require.Len(t, controlNames(), len(controls))
}

func TestAFieldThatIsMissingIsNamed(t *testing.T) {
	_, err := Compiled(other{&struct{ RuleEngine string }{}})
	require.ErrorContains(t, err, "field RuleEngine of struct { RuleEngine string } is of type string, not types.RuleEngineStatus")
	_, err = Compiled(nothing{})
	require.ErrorContains(t, err, "has no field waf")
}

type other struct {
	waf *struct{ RuleEngine string }
}

func (other) NewTransaction() types.Transaction             { return nil }
func (other) NewTransactionWithID(string) types.Transaction { return nil }

type nothing struct{}

func (nothing) NewTransaction() types.Transaction             { return nil }
func (nothing) NewTransactionWithID(string) types.Transaction { return nil }
