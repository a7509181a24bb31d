package load

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/seclang"
)

// Assignment is what a property makes of a variable of CRS, for every transaction.
type Assignment struct {
	ID       int    // of the rule that assigns
	Variable string // in TX
	Value    string
}

// action returns the rule that assigns.
func (a *Assignment) action() string {
	return fmt.Sprintf(`SecAction "id:%d,phase:1,pass,t:none,nolog,setvar:'tx.%s=%s'"`, a.ID, a.Variable, a.Value)
}

// addSetup gives variables of CRS the values of properties. They are assigned in front of the user's files and take the place of what these
// assign for every transaction, so that what they assign for some alone, such as a path or an address, still holds.
func (p *Program) addSetup(setup []Assignment) {
	if len(setup) == 0 {
		return
	}
	rows := make([]string, len(setup))
	for i := range setup {
		rows[i] = setup[i].action()
	}
	p.overruleFiles(setup)
	p.insert(p.engineDirectives(), "settings", strings.Join(rows, "\n"))
}

// overruleFiles writes the values of properties into the rules of files that match every transaction.
func (p *Program) overruleFiles(setup []Assignment) {
	all := p.Units()
	conditional := skippable(all)
	for i := range all {
		u := &all[i]
		if conditional[i] || len(u.Rules) != 1 || !matchesAlways(&u.Rules[0]) {
			continue
		}
		for _, a := range setup {
			u.rewrite(0, u.Rules[0].WithVariable("tx."+a.Variable, a.Value))
		}
	}
	p.Replace(all)
}

func matchesAlways(r *seclang.Rule) bool {
	return r.Is("SecAction") || strings.EqualFold(r.Operator.Name, "unconditionalMatch") && !r.Operator.Negated
}

// skippable reports for each unit whether a rule before it can skip it: of the rules with skipAfter, those up to the marker; of those with
// skip, as many as it says. Both hold for rules of the same phase.
func skippable(all []Unit) []bool {
	found := make([]bool, len(all))
	for i := range all {
		for j := range all[i].Rules {
			r := &all[i].Rules[j]
			phase := seclang.PhaseOf(all[i].Rules[0].Actions)
			if marker, skips := r.Action("skipafter"); skips {
				end := slices.IndexFunc(all[i+1:], func(u Unit) bool { return u.isMarker(marker) })
				markSkipped(all[i+1:], found[i+1:], phase, end)
			}
			if text, skips := r.Action("skip"); skips {
				n, _ := strconv.Atoi(text) // 0 skips none, as for the engine
				markSkipped(all[i+1:], found[i+1:], phase, nthRule(all[i+1:], phase, n))
			}
		}
	}
	return found
}

// markSkipped marks the rules of a phase before an end, which is negative when there is none.
func markSkipped(all []Unit, found []bool, phase, end int) {
	if end < 0 {
		end = len(all)
	}
	for i := range all[:end] {
		if all[i].ID() != 0 && seclang.PhaseOf(all[i].Rules[0].Actions) == phase {
			found[i] = true
		}
	}
}

// nthRule returns the place behind the nth rule of a phase, the end when there are fewer.
func nthRule(all []Unit, phase, n int) int {
	for i := range all {
		if n <= 0 {
			return i
		}
		if all[i].ID() != 0 && seclang.PhaseOf(all[i].Rules[0].Actions) == phase {
			n--
		}
	}
	return len(all)
}

// isMarker reports whether the unit is the marker with a name.
func (u *Unit) isMarker(name string) bool {
	return u.Directives[0].Is("SecMarker") && unquoted(u.Directives[0].Args) == name
}
