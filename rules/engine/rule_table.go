package engine

import (
	"path"

	"github.com/corazawaf/coraza/v3/types"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corazalink"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/load"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/seclang"
)

// ruleTable holds what the text of a program says of its rules, by id.
type ruleTable struct {
	infos    map[int]*model.RuleInfo
	blocking map[int]bool // rules that a WAF in the request path would block on
	quiet    map[int]bool // rules whose text keeps them from logging
}

// newRuleTable reads what the text says of the rules, and from the compiled rules what directives that update rules can change.
func newRuleTable(p *load.Program, compiled *corazalink.WAF) *ruleTable {
	t := &ruleTable{infos: map[int]*model.RuleInfo{}, blocking: map[int]bool{}, quiet: map[int]bool{}}
	quiet := map[int]bool{}     // whether rules of a phase log nothing unless they say so
	var starter *model.RuleInfo // of the chain that the next rule continues
	for _, d := range p.Directives {
		if !d.IsRule() {
			t.readLogging(&d, quiet)
			continue
		}
		r, err := seclang.ParseRule(d)
		if err != nil {
			continue // the compiler has accepted it, so only the wording of its matches suffers
		}
		if starter == nil {
			starter = t.add(&r)
			t.quiet[starter.ID] = isQuiet(r.Actions, quiet[seclang.PhaseOf(r.Actions)])
		}
		starter.Chain = append(starter.Chain, model.Link{Name: r.Operator.Name, Argument: load.WrittenArgument(&r.Operator)})
		if !r.Chained() {
			starter = nil
		}
	}
	for i := range compiled.Rules {
		t.update(&compiled.Rules[i])
	}
	return t
}

// readLogging takes over what a directive other than a rule says of logging: that of the rules of a phase, or of rules by their ids.
func (t *ruleTable) readLogging(d *seclang.Directive, quiet map[int]bool) {
	words := d.Words()
	switch {
	case len(words) == 0:
	case d.Is("SecDefaultAction"):
		actions := seclang.ParseActions(words[0])
		quiet[seclang.PhaseOf(actions)] = isQuiet(actions, false)
	case d.Is("SecRuleUpdateActionById"):
		low, high, err := seclang.ParseIDs(words[0])
		if err != nil {
			return
		}
		for id := range t.infos {
			if low <= id && id <= high {
				t.quiet[id] = isQuiet(seclang.ParseActions(words[len(words)-1]), t.quiet[id])
			}
		}
	}
}

// isQuiet reports whether actions keep a rule from logging; without any that says so, what held before does.
func isQuiet(actions []seclang.Action, before bool) bool {
	for _, a := range actions {
		if a.Name == "log" || a.Name == "nolog" {
			before = a.Name == "nolog"
		}
	}
	return before
}

// update takes over what a compiled rule is.
func (t *ruleTable) update(r *corazalink.Rule) {
	info := t.infos[r.ID]
	if info == nil {
		return // a marker
	}
	info.Phase, info.Severity, info.Tags = r.Phase, model.Severity(r.Severity), r.Tags
	t.blocking[r.ID] = blocks(r.Disruptive())
	if len(r.Links) > 0 {
		info.Message = r.Links[0].Message
	}
	hasSeverity := r.Severity != types.RuleSeverityUnset
	info.Logs = r.Log || !t.quiet[r.ID] // a rule that says nothing of it logs, as in ModSecurity; Coraza wants the action
	tells := info.Logs && info.Message != ""
	info.Detects = !isOfCRS(r.ID) && (hasSeverity || t.blocking[r.ID] || tells)
	switch {
	case hasSeverity:
	case t.blocking[r.ID]:
		info.Severity = model.SeverityCritical
	case info.Detects:
		info.Severity = model.SeverityNotice
	}
}

func (t *ruleTable) add(r *seclang.Rule) *model.RuleInfo {
	version, _ := r.Action("ver")
	revision, _ := r.Action("rev")
	maturity, _ := r.Action("maturity")
	accuracy, _ := r.Action("accuracy")
	info := &model.RuleInfo{
		ID: r.ID(), File: path.Base(r.File), Line: r.Line, Severity: model.SeverityUnset,
		Version: version, Revision: revision, Maturity: maturity, Accuracy: accuracy,
	}
	t.infos[info.ID] = info
	return info
}

// isOfCRS reports whether a rule is one with which the Core Rule Set sets things up or sums up.
func isOfCRS(id int) bool {
	return id >= 901000 && id < 902000 || id >= 949000 && id < 950000 || id >= 959000 && id < 960000 || id >= 980000 && id < 981000
}

func blocks(action string) bool {
	return action == "deny" || action == "drop" || action == "redirect" || action == "proxy"
}
