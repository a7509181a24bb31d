package rules

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/seclang"
)

// unit is what stands or falls together: a rule with those chained to it, or one other directive.
type unit struct {
	directives []seclang.Directive
	rules      []seclang.Rule // none when the unit is no rule or cannot be read
}

func (u *unit) place() string { return u.directives[0].Place() }

func (u *unit) isRule() bool { return u.directives[0].IsRule() }

// id returns the rule's id, 0 when it has none.
func (u *unit) id() int {
	if len(u.rules) == 0 {
		return 0
	}
	return u.rules[0].ID()
}

// name says what the unit is: "rule 942100", or the directive's name.
func (u *unit) name() string {
	if id := u.id(); id != 0 {
		return fmt.Sprintf("rule %d", id)
	}
	return u.directives[0].Name
}

// units cuts the program into what stands or falls together.
func (p *program) units() (all []unit) {
	for i := 0; i < len(p.directives); {
		u := unit{}
		for open := true; open && i < len(p.directives); i++ {
			d := p.directives[i]
			if len(u.directives) > 0 && !d.IsRule() {
				break
			}
			u.directives = append(u.directives, d)
			open = false
			if !d.IsRule() {
				continue
			}
			if r, err := seclang.ParseRule(d); err == nil {
				u.rules = append(u.rules, r)
				open = r.Chained()
			}
		}
		all = append(all, u)
	}
	return all
}

// replace takes units as the program's text, without those that have no directives.
func (p *program) replace(all []unit) {
	p.directives = p.directives[:0:0]
	for i := range all {
		p.directives = append(p.directives, all[i].directives...)
	}
}

// rejection is a rule, or another directive, that cannot be used.
type rejection struct {
	at  seclang.Directive
	err error
}

// reject takes a unit out of the program: it refuses the rule set or, without rules_strict, is left out.
func (p *program) reject(u *unit, why error) {
	p.rejected = append(p.rejected, rejection{u.directives[0], fmt.Errorf("%s: %s: %w", u.place(), u.name(), why)})
	p.drop(u)
}

// rejections returns why rules cannot be used, in the order in which the rules were read.
func (p *program) rejections() (all []error) {
	slices.SortStableFunc(p.rejected, func(a, b rejection) int {
		return cmp.Or(cmp.Compare(p.read[a.at.File].order, p.read[b.at.File].order), cmp.Compare(a.at.Line, b.at.Line))
	})
	for _, r := range p.rejected {
		all = append(all, r.err)
	}
	return all
}

// settleRejected has rejected rules refuse the rule set or, when it is not strict, leaves them out with a warning.
func (p *program) settleRejected(strict bool) {
	if strict {
		p.problems = append(p.problems, p.rejections()...)
	} else {
		for _, err := range p.rejections() {
			p.warnings = append(p.warnings, err.Error()+"; left out")
		}
	}
	p.rejected = nil
}

// leave takes a unit out of the program with a warning.
func (p *program) leave(u *unit, consequence string) {
	p.warnings = append(p.warnings, fmt.Sprintf("%s: %s left out: %s", u.place(), u.name(), consequence))
	p.drop(u)
}

func (p *program) drop(u *unit) {
	if u.isRule() {
		p.skipped++
	}
	u.directives = nil
}

// places returns a function that tells file and line of a rule.
func (p *program) places() func(id int) string {
	byID := map[int]string{}
	for _, u := range p.units() {
		if id := u.id(); id != 0 {
			byID[id] = u.place()
		}
	}
	return func(id int) string { return byID[id] }
}
