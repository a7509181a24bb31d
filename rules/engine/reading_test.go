package engine

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/corazawaf/coraza/v3"
	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"
	corazavariables "github.com/corazawaf/coraza/v3/types/variables"
	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corazalink"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/load"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/seclang"
)

// What lists, explanations and the coverage of sources know of rules is read from SecLang text; what runs is compiled by Coraza. Rules that
// no directive updates have to be the same in both.
func TestTextReadsAsCorazaCompilesIt(t *testing.T) {
	for name, settings := range map[string]setting.Map{
		"the Core Rule Set and the packs": {"blocking_paranoia": "4"},
		"an old style":                    {"rules": "../testdata/modsecurity.conf,crs", "rules_strict": "off"},
	} {
		t.Run(name, func(t *testing.T) {
			p := &compiler{Program: load.Read(config(t, settings), NewVocabulary())}
			defer p.probe().close() // takes out what Coraza does not compile
			require.Greater(t, compareReadings(t, p), 300)
		})
	}
}

func TestRandomTextReadsAsCorazaCompilesIt(t *testing.T) {
	compared := 0
	for seed := range uint64(400) {
		m := ruleMaker{rand.New(rand.NewPCG(seed, 18))}
		p := &compiler{Program: programOf(m.rules())}
		if len(p.Problems)+len(p.Rejected) == 0 {
			compared += compareReadings(t, p)
		}
	}
	require.Greater(t, compared, 800)
}

// compareReadings compares all rules of a program, and returns how many.
func compareReadings(t *testing.T, p *compiler) (compared int) {
	t.Helper()
	waf, err := p.assemble()
	if err != nil {
		return 0 // Coraza does not take these rules
	}
	defer closeWAF(waf)
	compiled, err := corazalink.Compiled(waf)
	require.NoError(t, err)
	nameOperators(compiled)
	texts := map[int][]seclang.Rule{}
	updated := map[int]bool{}
	for _, u := range p.Units() {
		if u.IsRule() && u.ID() != 0 {
			texts[u.ID()] = u.Rules
		}
		if d := &u.Directives[0]; d.Is("SecDefaultAction") && strings.Contains(d.Args, "setvar") {
			return 0
		} else if strings.HasPrefix(strings.ToLower(d.Name), "secruleupdate") {
			low, high, err := seclang.ParseIDs(d.Words()[0])
			require.NoError(t, err)
			for id := low; id <= high; id++ {
				updated[id] = true
			}
		}
	}
	for i := range compiled.Rules {
		rule := &compiled.Rules[i]
		if rule.Marker != "" || updated[rule.ID] {
			continue
		}
		links := texts[rule.ID]
		require.Len(t, links, len(rule.Links), "rule %d", rule.ID)
		for k := range links {
			require.Equal(t, describeLink(&rule.Links[k]), describeText(&links[k]), "rule %d, link %d: %s", rule.ID, k, links[k].Args)
		}
		compared++
	}
	return compared
}

// describeLink writes down a link as Coraza has compiled it.
func describeLink(l *corazalink.Link) (lines []string) {
	for i := range l.Targets {
		target := &l.Targets[i]
		lines = append(lines, describeTarget(target.Variable, target.Key, target.KeyRx, target.Count, "target"))
		for _, e := range target.Except {
			key := e.Key
			if e.KeyRx != nil {
				key = ""
			}
			lines = append(lines, describeTarget(target.Variable, strings.ToLower(key), e.KeyRx, false, "except"))
		}
	}
	if o := l.Operator; o != nil {
		lines = append(lines, fmt.Sprintf("operator %s %q %v", strings.ToLower(o.Name), o.Argument, o.Negated))
	}
	for _, step := range l.Transformations {
		lines = append(lines, "t:"+step.Name)
	}
	for i := range l.Actions {
		if s := l.Actions[i].Assignment; s != nil {
			lines = append(lines, fmt.Sprintf("setvar %s=%s %v", strings.ToLower(s.Name), s.Value, s.Remove))
		}
		if c := l.Actions[i].Control; c != nil {
			lines = append(lines, "ctl "+strings.ToLower(c.Name)+"="+c.Value)
		}
	}
	lines = append(lines, fmt.Sprintf("capture %v multiMatch %v msg %q logdata %q", l.Capture, l.MultiMatch, l.Message, l.LogData))
	slices.Sort(lines)
	return lines
}

func describeTarget(v corazavariables.RuleVariable, key string, rx *regexp.Regexp, count bool, what string) string {
	if rx != nil {
		key = "/" + rx.String() + "/"
	}
	return fmt.Sprintf("%s %s:%s count %v", what, v.Name(), key, count)
}

// describeText writes down a rule as its text reads, in the case in which Coraza keeps keys.
func describeText(r *seclang.Rule) (lines []string) {
	lowered := func(variable, key string, isRegex bool) string {
		if !strings.HasPrefix(variable, "ARGS") {
			key = strings.ToLower(key)
		}
		if isRegex {
			return "/" + key + "/"
		}
		return key
	}
	var targets []string // of the targets so far
	for i := range r.Targets {
		target := &r.Targets[i]
		if !target.Exclude {
			targets = append(targets, target.Variable)
			lines = append(lines, fmt.Sprintf("target %s:%s count %v", target.Variable, lowered(target.Variable, target.Key, target.IsRegex), target.Count))
			continue
		}
		key := lowered(target.Variable, target.Key, target.IsRegex)
		if !target.IsRegex {
			key = strings.ToLower(target.Key)
		}
		for _, variable := range targets {
			if variable == target.Variable {
				lines = append(lines, fmt.Sprintf("except %s:%s count false", variable, key))
			}
		}
	}
	if r.Is("SecRule") {
		lines = append(lines, fmt.Sprintf("operator %s %q %v", strings.ToLower(r.Operator.Name), r.Operator.Argument, r.Operator.Negated))
	}
	lines = append(lines, describeActions(r)...)
	slices.Sort(lines)
	return lines
}

func describeActions(r *seclang.Rule) (lines []string) {
	for _, name := range r.All("t") {
		name = strings.ToLower(strings.NewReplacer("ize", "ise").Replace(name))
		if lines = append(lines, "t:"+name); name == "none" {
			lines = nil
		}
	}
	for _, text := range r.All("setvar") {
		text, remove := strings.CutPrefix(text, "!")
		name, value, _ := strings.Cut(text, "=")
		_, name, _ = strings.Cut(name, ".")
		lines = append(lines, fmt.Sprintf("setvar %s=%s %v", strings.ToLower(name), value, remove))
	}
	for _, text := range r.All("ctl") {
		name, value, _ := strings.Cut(text, "=")
		value, _, _ = strings.Cut(value, ";")
		lines = append(lines, "ctl "+strings.ToLower(name)+"="+value)
	}
	_, capture := r.Action("capture")
	_, multi := r.Action("multimatch")
	message, _ := r.Action("msg")
	data, _ := r.Action("logdata")
	return append(lines, fmt.Sprintf("capture %v multiMatch %v msg %q logdata %q", capture, multi, message, data))
}

// Others in the process, an OpenTelemetry Collector for instance, may use Coraza, too: the operators and actions that it finds by its own
// names must be its own.
func TestCorazaIsTheSameForOthers(t *testing.T) {
	const internal = "github.com/corazawaf/coraza/v3/internal/"
	for _, name := range operatorNames {
		operator, err := corazalink.GetOperator(name, plugintypes.OperatorOptions{Arguments: map[string]string{
			"validateNid": "us x", "restpath": "/a", "validateByteRange": "1-2", "ipMatch": "192.0.2.1"}[name] + "1", Datasets: map[string][]string{"1": {"192.0.2.1"}}, Root: fstest.MapFS{}})
		if err == nil {
			require.NotNil(t, operator, name)
			require.True(t, strings.HasPrefix(typeOf(operator).PkgPath(), internal), "@%s is of type %s", name, typeOf(operator))
		}
	}
	waf, err := coraza.NewWAF(coraza.NewWAFConfig().WithDirectives(`SecRule ARGS "@rx a" "id:1,setvar:tx.a=1"`))
	require.NoError(t, err)
	compiled, err := corazalink.Compiled(waf)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(typeOf(compiled.Rules[0].Links[0].Operator.Implementation).PkgPath(), internal))
	require.True(t, slices.ContainsFunc(compiled.Rules[0].Links[0].Actions, func(a corazalink.Action) bool {
		return a.Assignment != nil && a.Assignment.Name == "a"
	}), "the action setvar is Coraza's own")
}

func typeOf(value any) reflect.Type {
	of := reflect.TypeOf(value)
	if of.Kind() == reflect.Pointer {
		return of.Elem()
	}
	return of
}
