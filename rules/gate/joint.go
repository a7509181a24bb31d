package gate

import (
	"strings"
	"sync/atomic"
)

// joint is an automaton for several expressions whose literals are in many values: when it does not match, none of them does.
type joint struct {
	step  *step
	tests bitset // their numbers
	rx    *automaton
}

// common is the likelihood from which on literals are in many values.
const common = 0.01

// newJoints makes a joint automaton for each form of values that several such expressions look at.
func newJoints(triggers []trigger, all *steps, total *atomic.Int64) []joint {
	var joints []joint
	for _, s := range all.all {
		u := joint{step: s}
		u.tests.reset(len(triggers))
		var patterns []string
		for i := range triggers {
			t := triggers[i].test
			if t.rx != nil && t.last == s && !t.multi && !t.negated && t.literals.likelihood() >= common {
				u.tests.set(triggers[i].number)
				patterns = append(patterns, "(?:"+t.rx.pattern+")")
			}
		}
		if len(patterns) < 2 {
			continue
		}
		if u.rx = newAutomaton(strings.Join(patterns, "|"), total); u.rx != nil {
			u.rx.careful = true
			joints = append(joints, u)
		}
	}
	return joints
}

// dropAll removes the candidates of which none matches, as one look at the value tells.
func (s *scratch) dropAll(at *lane) {
	for _, u := range at.joints {
		if s.candidates.countCommon(&u.tests) > 1 && !u.rx.match(s.scanned.after(u.step)) {
			s.candidates.remove(&u.tests)
		}
	}
}
