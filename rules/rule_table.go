package rules

import (
	"path"
	"strconv"
	"strings"

	"github.com/corazawaf/coraza/v3/types"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/seclang"
)

// ruleTable holds what the text of a program says of its rules, by id.
type ruleTable struct {
	infos    map[int]*RuleInfo
	blocking map[int]bool // rules that a WAF in the request path would block on
}

const defaultPhase = 2

func newRuleTable(p *program) *ruleTable {
	t := &ruleTable{infos: map[int]*RuleInfo{}, blocking: map[int]bool{}}
	defaults := map[int]string{} // disruptive action of SecDefaultAction by phase
	var starter *RuleInfo        // of the chain that the next rule continues
	for _, d := range p.directives {
		switch {
		case d.Is("SecDefaultAction"):
			actions := seclang.ParseActions(strings.Trim(d.Args, `"`))
			defaults[phaseOf(actions)] = disruptive(actions)
		case d.Is("SecRuleUpdateActionById"):
			t.updateAction(d)
		case d.Is("SecRule"), d.Is("SecAction"):
			r, err := seclang.ParseRule(d)
			if err != nil {
				continue // the compiler has accepted it, so only the wording of its matches suffers
			}
			if starter == nil {
				starter = t.add(&r, defaults)
			}
			starter.chain = append(starter.chain, test{r.Operator.Name, r.Operator.Argument})
			if !r.Chained() {
				starter = nil
			}
		}
	}
	return t
}

func (t *ruleTable) add(r *seclang.Rule, defaults map[int]string) *RuleInfo {
	severity, _ := r.Action("severity")
	version, _ := r.Action("ver")
	revision, _ := r.Action("rev")
	maturity, _ := r.Action("maturity")
	accuracy, _ := r.Action("accuracy")
	info := &RuleInfo{
		ID: r.ID(), File: path.Base(r.File), Line: r.Line, Phase: phaseOf(r.Actions), Severity: types.RuleSeverityUnset,
		Version: version, Revision: revision, Maturity: maturity, Accuracy: accuracy, Tags: r.All("tag"),
	}
	if parsed, err := types.ParseRuleSeverity(severity); err == nil {
		info.Severity = parsed
	}
	action := disruptive(r.Actions)
	if action == "" || action == "block" {
		action = defaults[info.Phase]
	}
	t.infos[info.ID] = info
	t.blocking[info.ID] = blocks(action)
	return info
}

func (t *ruleTable) updateAction(d seclang.Directive) {
	id, actions, _ := strings.Cut(d.Args, " ")
	number, err := strconv.Atoi(strings.Trim(id, `"`))
	if action := disruptive(seclang.ParseActions(strings.Trim(actions, ` "`))); err == nil && action != "" {
		t.blocking[number] = blocks(action)
	}
}

// isDetection reports whether a rule says something of the traffic: it has a severity, and does not only set things up or sum up.
func (t *RuleInfo) isDetection() bool {
	switch {
	case t.Severity == types.RuleSeverityUnset:
		return false
	case t.ID >= 901000 && t.ID < 902000, t.ID >= 949000 && t.ID < 950000, t.ID >= 959000 && t.ID < 960000, t.ID >= 980000 && t.ID < 981000:
		return false
	}
	return true
}

func blocks(action string) bool {
	return action == "deny" || action == "drop" || action == "redirect" || action == "proxy"
}

// disruptive returns the disruptive action that counts, which is the last.
func disruptive(actions []seclang.Action) (action string) {
	for _, a := range actions {
		switch a.Name {
		case "allow", "block", "deny", "drop", "pass", "proxy", "redirect":
			action = a.Name
		}
	}
	return action
}

func phaseOf(actions []seclang.Action) int {
	phase := defaultPhase
	for _, a := range actions {
		if a.Name != "phase" {
			continue
		}
		switch value := strings.ToLower(a.Value); value {
		case "request":
			phase = 2
		case "response":
			phase = 4
		case "logging":
			phase = 5
		default:
			if n, err := strconv.Atoi(value); err == nil {
				phase = n
			}
		}
	}
	return phase
}
