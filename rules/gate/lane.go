package gate

import (
	"fmt"
	"strings"

	"github.com/corazawaf/coraza/v3/types/variables"
)

// lane is a kind of values that the same rules look at: one variable, the names of a collection, the values of a collection,
// or its values under one key.
type lane struct {
	number   uint32
	tests    []trigger
	combined *scanner      // literals of all tests, for the value as it came
	stepped  []steppedScan // for values that transformations change
	each     []uint16      // tests that every value is a candidate for
}

// trigger is the test of a chain whose literals decide whether the chain is looked at.
type trigger struct {
	chain     *chain
	test      *test
	number    uint16 // among the triggers of the gate
	removable bool   // when it does not fire, the chain need not run
}

type steppedScan struct {
	step    *step
	trigger traits // that a value needs for the step, or one before it, to change it
	scanner *scanner
}

// lanes finds the lane of each value.
type lanes struct {
	single [256]*lane
	values [collections]*lane       // of all keys
	keyed  [collections][]keyedLane // of keys that a rule names, for these rules only
	names  [collections]*lane
	used   []variables.RuleVariable // variables that have a lane
}

type keyedLane struct {
	key  string // lower case
	lane *lane
}

// byKey are the collections whose keys get lanes of their own: header names are few, and rules name them.
func byKey(c collection) bool { return c == requestHeaders || c == responseHeaders }

// newLanes sorts triggers by what they look at.
func newLanes(triggers []trigger, all *steps) *lanes {
	l := &lanes{}
	for _, tr := range triggers {
		for i := range tr.test.targets {
			g := &tr.test.targets[i]
			for _, c := range g.collections {
				if g.kind == ofPairs && g.key != "" && byKey(c) && l.keyedLane(c, g.key) == nil {
					l.keyed[c] = append(l.keyed[c], keyedLane{g.key, &lane{}})
				}
			}
		}
	}
	for _, tr := range triggers {
		seen := map[*lane]bool{}
		for i := range tr.test.targets {
			for _, at := range l.of(&tr.test.targets[i]) {
				if !seen[at] {
					seen[at] = true
					at.tests = append(at.tests, tr)
				}
			}
		}
	}
	made := scanners{}
	for i, at := range l.all() {
		at.number = uint32(i)
		at.build(all, made)
	}
	return l
}

// scanners are those of all lanes, by their tests: lanes that the same rules look at share them.
type scanners map[string]*scanner

// of returns the scanner for the literals of a lane's tests.
func (m scanners) of(tests []trigger, numbers []uint16) *scanner {
	var key []byte
	for _, n := range numbers {
		key = fmt.Appendf(key, "%d %p,", n, tests[n].test)
	}
	if m[string(key)] == nil {
		sets := make(map[uint16]literals, len(numbers))
		for _, n := range numbers {
			sets[n] = tests[n].test.literals
		}
		m[string(key)] = newScanner(sets)
	}
	return m[string(key)]
}

func (l *lanes) keyedLane(c collection, key string) *lane {
	for i := range l.keyed[c] {
		if k := &l.keyed[c][i]; len(k.key) == len(key) && strings.EqualFold(k.key, key) {
			return k.lane
		}
	}
	return nil
}

// of returns the lanes of a target, made where they are missing.
func (l *lanes) of(g *target) []*lane {
	made := func(at **lane) *lane {
		if *at == nil {
			*at = &lane{}
		}
		return *at
	}
	if g.kind == ofSingle {
		if l.single[g.variable] == nil {
			l.used = append(l.used, g.variable)
		}
		return []*lane{made(&l.single[g.variable])}
	}
	var found []*lane
	for _, c := range g.collections {
		switch {
		case g.kind == ofNames:
			found = append(found, made(&l.names[c]))
		case g.key != "" && byKey(c):
			found = append(found, l.keyedLane(c, g.key))
		default:
			found = append(found, made(&l.values[c]))
		}
	}
	return found
}

func (l *lanes) all() []*lane {
	var found []*lane
	for c := range l.values {
		found = append(found, l.values[c], l.names[c])
		for _, k := range l.keyed[c] {
			found = append(found, k.lane)
		}
	}
	found = append(found, l.single[:]...)
	kept := found[:0]
	for _, at := range found {
		if at != nil {
			kept = append(kept, at)
		}
	}
	return kept
}

// build makes the scanners of a lane once its tests are known.
func (at *lane) build(all *steps, made scanners) {
	var combined []uint16
	byStep := map[*step][]uint16{}
	for i, tr := range at.tests {
		number := uint16(i)
		if tr.test.literals == nil {
			at.each = append(at.each, number)
			continue
		}
		combined = append(combined, number)
		steps := []*step{tr.test.last}
		if tr.test.multi {
			steps = tr.test.path
		}
		for _, s := range steps {
			if s.parent != nil {
				byStep[s] = append(byStep[s], number)
			}
		}
	}
	at.combined = made.of(at.tests, combined)
	for _, s := range all.all {
		if numbers := byStep[s]; numbers != nil {
			at.stepped = append(at.stepped, steppedScan{s, s.triggers(), made.of(at.tests, numbers)})
		}
	}
}
