package prefilter

import (
	"fmt"
	"slices"

	corazavariables "github.com/corazawaf/coraza/v3/types/variables"
)

// lane is a kind of values that the same rules look at: one variable, the names of a collection, the values of a collection,
// or its values under one key.
type lane struct {
	number  uint32
	tests   []trigger
	set     bitset   // numbers of the tests
	each    bitset   // of those that every value is a candidate for
	digits  []digits // that some need
	forms   *form    // the value as it came, and what tests make of it
	scanner *scanner // literals of the tests, and maybe of others
}

// trigger is the test of a chain whose literals decide whether the chain is looked at.
type trigger struct {
	chain     *chain
	test      *test
	number    uint32 // among the triggers of a rule set
	removable bool   // when it does not fire, the chain need not run
}

// digits are tests that can only match a value as it came, and only one with so many digits in a row.
type digits struct {
	inARow int
	tests  bitset
}

// form is what some tests make of a value before they look for something in it, and what others make of that. Forms are a tree, a part
// of that of the steps.
type form struct {
	step   *step
	tests  bitset // their numbers
	all    bitset // those of the forms below, too
	below  traits // that a value needs for this step, or one below, to change it in more than the case of its letters
	deeper []*form
}

// lanes finds the lane of each value.
type lanes struct {
	single [256]*lane
	values [collections]*lane       // of all keys
	keyed  [collections][]keyedLane // of keys that a rule names, instead of that of all keys
	names  [collections]*lane
	used   []corazavariables.RuleVariable // variables that have a lane, apart from twins
	twins  []twins
}

// twins are two variables that mostly have the same text.
type twins struct {
	a, b corazavariables.RuleVariable
	both *lane // of both
}

// likelyTwins are the variables that become twins when both have a lane.
var likelyTwins = [...]twins{
	{a: corazavariables.RequestURI, b: corazavariables.RequestURIRaw},
	{a: corazavariables.RequestBody, b: rawRequest},
	{a: corazavariables.ResponseBody, b: rawResponse},
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
	l.findTwins(triggers)
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
	for i, at := range l.all() {
		at.number = uint32(i)
		at.build(all, len(triggers))
	}
	l.shareScanners(triggers)
	return l
}

// findTwins finds the variables that have lanes, and of them the twins.
func (l *lanes) findTwins(triggers []trigger) {
	var used [256]bool
	for i := range triggers {
		for k := range triggers[i].test.targets {
			if g := &triggers[i].test.targets[k]; g.kind == ofSingle {
				used[g.variable] = true
			}
		}
	}
	for _, t := range likelyTwins {
		if used[t.a] && used[t.b] {
			l.twins = append(l.twins, twins{t.a, t.b, &lane{}})
			used[t.a], used[t.b] = false, false
		}
	}
	for variable, is := range used {
		if is {
			l.used = append(l.used, corazavariables.RuleVariable(variable))
		}
	}
}

// shareScanners gives each lane a scanner for its literals. Lanes that have most literals of all share one, and so do lanes with the
// same tests: the others would only find what does not concern them.
func (l *lanes) shareScanners(triggers []trigger) {
	const most = 4 // from one in so many of all literals on
	total := 0
	for i := range triggers {
		total += len(triggers[i].test.literals)
	}
	var large []trigger
	known := map[string]*scanner{}
	for _, at := range l.all() {
		if at.literals()*most >= total {
			large = append(large, at.tests...)
			continue
		}
		key := fmt.Sprint(at.set.words)
		if known[key] == nil {
			known[key] = scannerOf(at.tests)
		}
		at.scanner = known[key]
	}
	shared := scannerOf(large)
	for _, at := range l.all() {
		if at.scanner == nil {
			at.scanner = shared
		}
	}
}

func (at *lane) literals() (n int) {
	for i := range at.tests {
		n += len(at.tests[i].test.literals)
	}
	return n
}

func scannerOf(tests []trigger) *scanner {
	sets := map[uint32]literals{}
	for i := range tests {
		sets[tests[i].number] = tests[i].test.literals
	}
	return newScanner(sets)
}

// valueLane returns the lane of a value of a collection, nil when no rule looks at it.
func (l *lanes) valueLane(c collection, key string) *lane {
	if at := l.keyedLane(c, key); at != nil {
		return at
	}
	return l.values[c]
}

func (l *lanes) keyedLane(c collection, key string) *lane {
	for i := range l.keyed[c] {
		if k := &l.keyed[c][i]; k.key == key {
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
	var found []*lane
	if g.kind == ofSingle {
		for i := range l.twins {
			if t := &l.twins[i]; t.a == g.variable || t.b == g.variable {
				found = append(found, t.both)
			}
		}
		return append(found, made(&l.single[g.variable]))
	}
	for _, c := range g.collections {
		switch {
		case g.kind == ofNames:
			found = append(found, made(&l.names[c]))
		case g.key != "" && byKey(c):
			found = append(found, l.keyedLane(c, g.key))
		default:
			found = append(found, made(&l.values[c]))
			for i := range l.keyed[c] {
				if k := &l.keyed[c][i]; g.selects(k.key) {
					found = append(found, k.lane)
				}
			}
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
	for i := range l.twins {
		found = append(found, l.twins[i].both)
	}
	kept := found[:0]
	for _, at := range found {
		if at != nil {
			kept = append(kept, at)
		}
	}
	return kept
}

// build sorts the tests of a lane by what they look at.
func (at *lane) build(all *steps, triggers int) {
	at.set.reset(triggers)
	at.each.reset(triggers)
	known := map[*step]*form{}
	at.forms = formOf(all.root, known, triggers)
	for _, tr := range at.tests {
		at.set.set(tr.number)
		if tr.test.digits > 0 && tr.test.last == all.root && !tr.test.negated {
			at.needDigits(tr, triggers)
		}
		if tr.test.literals == nil {
			at.each.set(tr.number)
			continue
		}
		steps := []*step{tr.test.last}
		if tr.test.multi {
			steps = tr.test.path
		}
		for _, s := range steps {
			formOf(s, known, triggers).tests.set(tr.number)
		}
	}
	at.forms.sum(triggers)
}

// needDigits notes that a test needs digits.
func (at *lane) needDigits(tr trigger, triggers int) {
	i := slices.IndexFunc(at.digits, func(d digits) bool { return d.inARow == tr.test.digits })
	if i < 0 {
		i = len(at.digits)
		at.digits = append(at.digits, digits{inARow: tr.test.digits})
		at.digits[i].tests.reset(triggers)
	}
	at.digits[i].tests.set(tr.number)
}

// formOf returns the form of a step, made with those before it where they are missing.
func formOf(s *step, known map[*step]*form, triggers int) *form {
	f := known[s]
	if f == nil {
		f = &form{step: s}
		f.tests.reset(triggers)
		known[s] = f
		if s.parent != nil {
			before := formOf(s.parent, known, triggers)
			before.deeper = append(before.deeper, f)
		}
	}
	return f
}

// sum finds out what is below a form.
func (f *form) sum(triggers int) {
	f.all.reset(triggers)
	f.all.add(&f.tests)
	f.below = f.step.trigger
	for _, d := range f.deeper {
		d.sum(triggers)
		f.all.add(&d.all)
		f.below |= d.below
	}
}
