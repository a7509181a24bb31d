package rules

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
func (p *program) yieldToOwnRules(all []unit) {
	base, own := map[int]*unit{}, map[int]bool{}
	for i := range all {
		u := &all[i]
		id := u.id()
		if len(u.directives) == 0 || id == 0 {
			continue
		}
		switch earlier, found := base[id]; {
		case u.directives[0].File == engineFile:
			base[id] = u
		case u.directives[0].File == setupFile && own[id]:
			u.directives = nil
		case !found:
			own[id] = true
		case sameTest(earlier, u):
			u.directives = nil
		default:
			earlier.directives = nil
			delete(base, id)
		}
	}
}

// sameTest reports whether two rules look at the same variables with the same operator.
func sameTest(a, b *unit) bool {
	return slices.EqualFunc(a.rules, b.rules, func(x, y seclang.Rule) bool {
		return x.Operator == y.Operator && slices.Equal(x.Targets, y.Targets)
	})
}

// settleDefaults lets one SecDefaultAction count for each phase, as ModSecurity 3 does. Those of the embedded crs-setup.conf yield to others.
func (p *program) settleDefaults(all []unit) {
	first := map[int]*seclang.Directive{}
	for i := range all {
		u := &all[i]
		if len(u.directives) == 0 || !u.directives[0].Is("SecDefaultAction") {
			continue
		}
		r := seclang.Rule{Directive: u.directives[0], Actions: seclang.ParseActions(unquoted(u.directives[0].Args))}
		r.Directive = r.WithoutActions(func(a seclang.Action) bool { return a.Name == "t" && a.Value == "none" })
		u.directives[0] = r.WithCompleteSetvars()
		phase := seclang.PhaseOf(r.Actions)
		earlier, found := first[phase]
		switch {
		case !found:
			d := u.directives[0]
			first[phase] = &d
		case earlier.Args == u.directives[0].Args, u.directives[0].File == setupFile:
			u.directives = nil
		default:
			p.reject(u, fmt.Errorf("phase %d has another one at %s", phase, earlier.Place()))
		}
	}
}

// settleRule brings the operators and actions of a rule into what Coraza has, or takes the rule out.
func (p *program) settleRule(u *unit) {
	for i := range u.rules {
		if len(u.directives) == 0 {
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
func (p *program) settleTargets(u *unit, i int) {
	for _, t := range u.rules[i].Targets {
		switch _, known := p.vocabulary.Variable(t.Variable); {
		case slices.Contains(collections, strings.ToLower(t.Variable)):
			p.leave(u, t.Variable+": "+noCollections)
			return
		case !known:
			p.reject(u, fmt.Errorf("unknown variable %s", t.Variable))
			return
		}
	}
}

func (p *program) settleOperator(u *unit, i int) {
	if len(u.directives) == 0 || !u.rules[i].Is("SecRule") {
		return
	}
	r := &u.rules[i]
	name := strings.ToLower(r.Operator.Name)
	spelled, known := p.vocabulary.Operators[name]
	switch {
	case known && spelled != r.Operator.Name:
		u.rewrite(i, r.WithOperator(spelled))
	case known:
	case pointless[name] != "":
		p.leave(u, "@"+r.Operator.Name+": "+pointless[name])
	case unusable[name] != "":
		p.reject(u, fmt.Errorf("operator @%s: %s", r.Operator.Name, unusable[name]))
	default:
		p.reject(u, fmt.Errorf("unknown operator @%s", r.Operator.Name))
	}
}

func (p *program) settleActions(u *unit, i int) {
	if len(u.directives) == 0 {
		return
	}
	r := &u.rules[i]
	if value, found := r.Action("exec"); found {
		p.reject(u, fmt.Errorf("action exec:%s: programs are never started", value))
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
		p.warnings = append(p.warnings, fmt.Sprintf("%s: %s: action %s left out: %s", r.Place(), u.name(), name, dropped[name]))
	}
	if len(dropped) > 0 {
		u.rewrite(i, edited)
	}
	if complete := u.rules[i].WithCompleteSetvars(); complete.Args != u.rules[i].Args {
		u.rewrite(i, complete)
	}
}

// rewrite puts another text in the place of one rule of the unit.
func (u *unit) rewrite(i int, d seclang.Directive) {
	u.directives = slices.Clone(u.directives)
	u.directives[i] = d
	if r, err := seclang.ParseRule(d); err == nil {
		u.rules[i] = r
	}
}

// settleIDs rejects rules without an id and those whose id is taken.
func (p *program) settleIDs(all []unit) {
	first := map[int]string{}
	for i := range all {
		u := &all[i]
		if len(u.directives) == 0 || !u.isRule() || len(u.rules) == 0 {
			continue
		}
		id := u.id()
		if id == 0 {
			p.reject(u, fmt.Errorf("rule without an id"))
			continue
		}
		if earlier, taken := first[id]; taken {
			p.reject(u, fmt.Errorf("the id is taken by the rule at %s", earlier))
			continue
		}
		first[id] = u.place()
	}
}
