package engine

import (
	"fmt"
	"strings"

	"github.com/corazawaf/coraza/v3"
)

// transform returns a value and what becomes of it with each transformation, one after the other. Coraza's transformations
// cannot be called from outside, so a rule for each step matches whatever they make of an argument.
func transform(value string, chain []string) ([]Step, error) {
	var text strings.Builder
	text.WriteString("SecRuleEngine DetectionOnly\nSecArgumentsLimit 10\n")
	for i := range chain {
		fmt.Fprintf(&text, "SecRule ARGS_GET:v \"@unconditionalMatch\" \"id:%d,phase:1,pass,log,t:none,t:%s\"\n",
			i+1, strings.Join(chain[:i+1], ",t:"))
	}
	waf, err := newWAF(coraza.NewWAFConfig().WithDirectives(text.String()))
	if err != nil {
		return nil, err
	}
	tx := waf.NewTransaction()
	defer tx.Close()
	tx.AddGetRequestArgument("v", value)
	tx.ProcessRequestHeaders()
	steps := []Step{{Value: value}}
	for _, m := range tx.MatchedRules() {
		if i := m.Rule().ID(); i == len(steps) && len(m.MatchedDatas()) > 0 {
			steps = append(steps, Step{chain[i-1], strings.Clone(m.MatchedDatas()[0].Value())})
		}
	}
	return steps, nil
}
