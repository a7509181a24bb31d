package rules

import (
	"path"
	"strconv"
	"strings"

	"github.com/corazawaf/coraza/v3/types"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corazalink"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/seclang"
)

// ruleTable holds what the text of a program says of its rules, by id.
type ruleTable struct {
	infos    map[int]*RuleInfo
	blocking map[int]bool // rules that a WAF in the request path would block on
}

const defaultPhase = 2

// newRuleTable reads what the text says of the rules, and from the compiled rules what directives that update rules can change.
func newRuleTable(p *program, compiled *corazalink.WAF) *ruleTable {
	t := &ruleTable{infos: map[int]*RuleInfo{}, blocking: map[int]bool{}}
	var starter *RuleInfo // of the chain that the next rule continues
	for _, d := range p.directives {
		if !isRule(&d) {
			continue
		}
		r, err := seclang.ParseRule(d)
		if err != nil {
			continue // the compiler has accepted it, so only the wording of its matches suffers
		}
		if starter == nil {
			starter = t.add(&r)
		}
		starter.chain = append(starter.chain, test{r.Operator.Name, r.Operator.Argument})
		if !r.Chained() {
			starter = nil
		}
	}
	for i := range compiled.Rules {
		t.update(&compiled.Rules[i])
	}
	return t
}

// update takes over what a compiled rule is.
func (t *ruleTable) update(r *corazalink.Rule) {
	info := t.infos[r.ID]
	if info == nil {
		return // a marker
	}
	info.Phase, info.Severity, info.Tags = r.Phase, r.Severity, r.Tags
	t.blocking[r.ID] = blocks(r.Disruptive())
}

func (t *ruleTable) add(r *seclang.Rule) *RuleInfo {
	version, _ := r.Action("ver")
	revision, _ := r.Action("rev")
	maturity, _ := r.Action("maturity")
	accuracy, _ := r.Action("accuracy")
	info := &RuleInfo{
		ID: r.ID(), File: path.Base(r.File), Line: r.Line, Severity: types.RuleSeverityUnset,
		Version: version, Revision: revision, Maturity: maturity, Accuracy: accuracy,
	}
	t.infos[info.ID] = info
	return info
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
