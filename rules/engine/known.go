package engine

import (
	"slices"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter"
)

// Known returns the verdict that the engine would find, nil when it has to find it: the engine has seen the same combination of rules,
// and the prefilter knows what they matched.
func (e *Engine) Known(a *prefilter.Answer) *model.Verdict {
	if a.Outline == nil {
		return nil
	}
	v := *a.Outline
	v.Matches = slices.Clone(v.Matches)
	for i := range a.Findings {
		f := &a.Findings[i]
		at := matchAt(&v, f)
		v.Matches[at] = matchOf(v.Matches[at].Rule, f)
	}
	return &v
}

// matchAt returns the place of the match of a finding's rule, -1 when there is none.
func matchAt(v *model.Verdict, f *prefilter.Finding) int {
	return slices.IndexFunc(v.Matches, func(m model.Match) bool { return m.Rule.ID == f.Rule })
}

// matchOf makes the match of a finding.
func matchOf(info *model.RuleInfo, f *prefilter.Finding) model.Match {
	match := model.Match{Rule: info, Message: f.Message, Data: f.Data, Value: f.Value, Link: f.Link}
	nameValues(&match, len(f.Matched), func(i int) string { return shown(f.Matched[i].Variable, f.Matched[i].Key) })
	complete(&match)
	return match
}

// Learn gives the prefilter the verdict that the engine has found. Findings that differ from it are not used again.
func (e *Engine) Learn(a prefilter.Answer, v *model.Verdict) {
	if e.prefilter == nil {
		return
	}
	for i := range a.Findings {
		f := &a.Findings[i]
		at := matchAt(v, f)
		if at < 0 || !isSame(matchOf(v.Matches[at].Rule, f), v.Matches[at]) {
			e.prefilter.Mistrust(f.Rule)
			a.Findings = nil
			break
		}
	}
	e.prefilter.Learn(&a, v)
}

// isSame reports whether two matches of a rule are the same. Coraza reports the values of a collection in any order, so that of those of a
// rule that matched several the numbers are compared.
func isSame(a, b model.Match) bool {
	if a.Values > 1 {
		return a.Values == b.Values
	}
	return a.Message == b.Message && a.Data == b.Data && a.Variable == b.Variable && a.Value == b.Value && a.Link == b.Link && a.Values == b.Values
}
