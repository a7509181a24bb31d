package load

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/seclang"
)

// Unit is what stands or falls together: a rule with those chained to it, or one other directive.
type Unit struct {
	Directives []seclang.Directive
	Rules      []seclang.Rule // none when the unit is no rule or cannot be read
}

func (u *Unit) place() string { return u.Directives[0].Place() }

// IsRule reports whether the unit is a rule, with those chained to it.
func (u *Unit) IsRule() bool { return u.Directives[0].IsRule() }

// ID returns the rule's id, 0 when it has none.
func (u *Unit) ID() int {
	if len(u.Rules) == 0 {
		return 0
	}
	return u.Rules[0].ID()
}

// name says what the unit is: "rule 942100", or the directive's name.
func (u *Unit) name() string {
	if id := u.ID(); id != 0 {
		return fmt.Sprintf("rule %d", id)
	}
	return u.Directives[0].Name
}

// Units cuts the program into what stands or falls together.
func (p *Program) Units() (all []Unit) {
	for i := 0; i < len(p.Directives); {
		u := Unit{}
		for open := true; open && i < len(p.Directives); i++ {
			d := p.Directives[i]
			if len(u.Directives) > 0 && !d.IsRule() {
				break
			}
			u.Directives = append(u.Directives, d)
			open = false
			if !d.IsRule() {
				continue
			}
			if r, err := seclang.ParseRule(d); err == nil {
				u.Rules = append(u.Rules, r)
				open = r.Chained()
			}
		}
		all = append(all, u)
	}
	return all
}

// Replace takes units as the program's text, without those that have no directives.
func (p *Program) Replace(all []Unit) {
	p.Directives = p.Directives[:0:0]
	for i := range all {
		p.Directives = append(p.Directives, all[i].Directives...)
	}
}

// rejection is a rule, or another directive, that cannot be used.
type rejection struct {
	at  seclang.Directive
	err error
}

// Reject removes a unit from the program: it prevents startup or, without rules_strict, is omitted.
func (p *Program) Reject(u *Unit, why error) {
	p.Rejected = append(p.Rejected, rejection{u.Directives[0], fmt.Errorf("%s: %s: %w", u.place(), u.name(), why)})
	p.drop(u)
}

// Rejections returns why rules cannot be used, in the order in which the rules were read.
func (p *Program) Rejections() (all []error) {
	slices.SortStableFunc(p.Rejected, func(a, b rejection) int {
		return cmp.Or(cmp.Compare(p.read[a.at.File].order, p.read[b.at.File].order), cmp.Compare(a.at.Line, b.at.Line))
	})
	for _, r := range p.Rejected {
		all = append(all, r.err)
	}
	return all
}

// SettleRejected has rejected rules prevent startup or, when it is not strict, omits them with a warning.
func (p *Program) SettleRejected(strict bool) {
	if strict {
		p.Problems = append(p.Problems, p.Rejections()...)
	} else {
		for _, err := range p.Rejections() {
			p.Warnings = append(p.Warnings, err.Error()+"; skipped")
		}
	}
	p.Rejected = nil
}

// leave takes a unit out of the program with a warning.
func (p *Program) leave(u *Unit, consequence string) {
	p.Warnings = append(p.Warnings, fmt.Sprintf("%s: %s skipped: %s", u.place(), u.name(), consequence))
	p.drop(u)
}

func (p *Program) drop(u *Unit) {
	if u.IsRule() {
		p.Skipped++
	}
	u.Directives = nil
}

// Places returns a function that returns file and line of a rule.
func (p *Program) Places() func(id int) string {
	byID := map[int]string{}
	for _, u := range p.Units() {
		if id := u.ID(); id != 0 {
			byID[id] = u.place()
		}
	}
	return func(id int) string { return byID[id] }
}
