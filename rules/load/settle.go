package load

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/seclang"
)

// yieldToOwnRules settles which rule counts where a file brings one that the base configuration has too: modsecurity.conf
// usually brings the rules that choose body processors. The same rule counts once; another under the same id takes its
// place. The embedded crs-setup.conf yields to one in front of it.
func (p *Program) yieldToOwnRules(all []Unit) {
	base, own := map[int]*Unit{}, map[int]bool{}
	for i := range all {
		u := &all[i]
		id := u.ID()
		if len(u.Directives) == 0 || id == 0 {
			continue
		}
		switch earlier, found := base[id]; {
		case u.Directives[0].File == baseFile:
			base[id] = u
		case u.Directives[0].File == setupFile && own[id]:
			u.Directives = nil
		case !found:
			own[id] = true
		case sameTest(earlier, u):
			u.Directives = nil
		default:
			earlier.Directives = nil
			delete(base, id)
		}
	}
}

// sameTest reports whether two rules look at the same variables with the same operator.
func sameTest(a, b *Unit) bool {
	return slices.EqualFunc(a.Rules, b.Rules, func(x, y seclang.Rule) bool {
		return x.Operator == y.Operator && slices.Equal(x.Targets, y.Targets)
	})
}

// settleDefaults lets one SecDefaultAction count for each phase, as ModSecurity 3 does. Those of the embedded crs-setup.conf yield to others.
func (p *Program) settleDefaults(all []Unit) {
	first := map[int]*seclang.Directive{}
	for i := range all {
		u := &all[i]
		if len(u.Directives) == 0 || !u.Directives[0].Is("SecDefaultAction") {
			continue
		}
		r := seclang.Rule{Directive: u.Directives[0], Actions: seclang.ParseActions(unquoted(u.Directives[0].Args))}
		r.Directive = r.WithoutActions(func(a seclang.Action) bool { return a.Name == "t" && a.Value == "none" })
		u.Directives[0] = r.WithCompleteSetvars()
		phase := seclang.PhaseOf(r.Actions)
		earlier, found := first[phase]
		switch {
		case !found:
			d := u.Directives[0]
			first[phase] = &d
		case earlier.Args == u.Directives[0].Args, u.Directives[0].File == setupFile:
			u.Directives = nil
		default:
			p.Reject(u, fmt.Errorf("phase %d already has one at %s", phase, earlier.Place()))
		}
	}
}

// settleRule brings the operators and actions of a rule into what Coraza has, or takes the rule out.
func (p *Program) settleRule(u *Unit) {
	for i := range u.Rules {
		if len(u.Directives) == 0 {
			return
		}
		p.settleTargets(u, i)
		p.settleOperator(u, i)
		p.settleActions(u, i)
		p.settleControls(u, i)
	}
}

// settleTargets leaves a rule out that asks what was kept of earlier transactions, and rejects one that asks for what does
// not exist.
func (p *Program) settleTargets(u *Unit, i int) {
	for _, t := range u.Rules[i].Targets {
		switch _, known := p.vocabulary.Variable(t.Variable); {
		case slices.Contains(collections, strings.ToLower(t.Variable)):
			p.leave(u, t.Variable+": "+noCollections)
			return
		case !known:
			p.Reject(u, fmt.Errorf("unknown variable %s", t.Variable))
			return
		}
	}
}

func (p *Program) settleOperator(u *Unit, i int) {
	if len(u.Directives) == 0 || !u.Rules[i].Is("SecRule") {
		return
	}
	r := &u.Rules[i]
	name := strings.ToLower(r.Operator.Name)
	spelled, known := p.vocabulary.Operators[name]
	switch {
	case known && spelled != r.Operator.Name:
		u.rewrite(i, r.WithOperator(spelled))
	case known:
	case pointless[name] != "":
		p.leave(u, "@"+r.Operator.Name+": "+pointless[name])
	case unusable[name] != "":
		p.Reject(u, fmt.Errorf("operator @%s: %s", r.Operator.Name, unusable[name]))
	default:
		p.Reject(u, fmt.Errorf("unknown operator @%s", r.Operator.Name))
	}
}

func (p *Program) settleActions(u *Unit, i int) {
	if len(u.Directives) == 0 {
		return
	}
	r := &u.Rules[i]
	if value, found := r.Action("exec"); found {
		p.Reject(u, fmt.Errorf("action exec:%s: programs are never executed", value))
		return
	}
	dropped := map[string]string{}
	edited := r.WithoutActions(func(a seclang.Action) bool {
		name, why := a.Name, idle[a.Name]
		if collection := collectionOf(&a); collection != "" {
			name, why = a.Name+":"+collection, noCollections
		}
		if why != "" {
			dropped[name] = why
		}
		return why != ""
	})
	for _, name := range slices.Sorted(maps.Keys(dropped)) {
		p.Warnings = append(p.Warnings, fmt.Sprintf("%s: %s: action %s skipped: %s", r.Place(), u.name(), name, dropped[name]))
	}
	if len(dropped) > 0 {
		u.rewrite(i, edited)
	}
	if complete := u.Rules[i].WithCompleteSetvars(); complete.Args != u.Rules[i].Args {
		u.rewrite(i, complete)
	}
}

// rewrite puts another text in the place of one rule of the unit.
func (u *Unit) rewrite(i int, d seclang.Directive) {
	u.Directives = slices.Clone(u.Directives)
	u.Directives[i] = d
	if r, err := seclang.ParseRule(d); err == nil {
		u.Rules[i] = r
	}
}

// settleIDs rejects rules without an id and those whose id is taken.
func (p *Program) settleIDs(all []Unit) {
	first := map[int]string{}
	for i := range all {
		u := &all[i]
		if len(u.Directives) == 0 || !u.IsRule() || len(u.Rules) == 0 {
			continue
		}
		id := u.ID()
		if id == 0 {
			p.Reject(u, fmt.Errorf("rule has no id"))
			continue
		}
		if earlier, taken := first[id]; taken {
			p.Reject(u, fmt.Errorf("the id is already used by the rule at %s", earlier))
			continue
		}
		first[id] = u.place()
	}
}
