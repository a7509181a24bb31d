package prefilter

import (
	"fmt"
	"slices"

	corazavariables "github.com/corazawaf/coraza/v3/types/variables"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter/literalset"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter/transform"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter/variables"
)

// buffer is a kind of values that the same rules look at: one variable, the names of a collection, the values of a collection,
// or its values under one key.
type buffer struct {
	number   uint32
	tests    []fastPattern
	set      literalset.Bitset // numbers of the tests
	each     literalset.Bitset // of those that every value is a candidate for
	digits   []digits          // that some need
	unions   []*union          // of which it has several tests
	united   literalset.Bitset // all tests of unions
	stages   *stage            // the value as it came, and what tests make of it
	matchers *matchers         // literals of the tests, and maybe of others
}

// matchers find the literals of tests.
type matchers struct {
	all, prose *literalset.Matcher // prose has the literals of tests that can match prose, as far as they are prose
	size       int                 // literals in all
}

// newMatchers makes matchers for the literals of tests.
func newMatchers(tests []fastPattern) *matchers {
	all, prose, n := map[uint32]literalset.Set{}, map[uint32]literalset.Set{}, 0
	for i := range tests {
		t := tests[i].test
		all[tests[i].number] = t.literals
		n += len(t.literals)
		if !t.needsSign {
			prose[tests[i].number] = slices.DeleteFunc(slices.Clone(t.literals), func(text string) bool { return !transform.IsProse(text) })
		}
	}
	return &matchers{literalset.NewMatcher(all), literalset.NewMatcher(prose), n}
}

// fastPattern is the test of a chain whose literals decide whether the chain is looked at.
type fastPattern struct {
	chain     *chain
	test      *test
	number    uint32 // among the fast patterns of a rule set
	removable bool   // when it does not fire, the chain need not run
}

// digits are tests that can only match a value as it came, and only one with so many digits in a row.
type digits struct {
	inARow int
	tests  literalset.Bitset
}

// stage is a step of transformation pipelines in one inspection buffer, with the tests that look for something in its result. Stages are a
// tree, a part of that of the steps.
type stage struct {
	step     *transform.Step
	tests    literalset.Bitset // their numbers
	all      literalset.Bitset // those of the stages below, too
	below    transform.Traits  // that a value needs for this step, or one below, to change it in more than the case of its letters
	next     []*stage
	prose    bool      // of a text that is prose, this step or one below makes something that a test can match
	matchers *matchers // for the text: what the tests here and below look for, and maybe others
}

// buffers finds the inspection buffer of each value.
type buffers struct {
	single     [256]*buffer
	values     [variables.NumCollections]*buffer       // of all keys
	keyed      [variables.NumCollections][]keyedBuffer // of keys that a rule names, instead of that of all keys
	names      [variables.NumCollections]*buffer
	used       []corazavariables.RuleVariable // variables that have an inspection buffer, apart from duplicates
	duplicates []duplicates
}

// duplicates are two variables that mostly have the same text, which then is scanned once for both.
type duplicates struct {
	a, b corazavariables.RuleVariable
	both *buffer // of both
}

// likelyDuplicates are the variables that become duplicates when both have an inspection buffer.
var likelyDuplicates = [...]duplicates{
	{a: corazavariables.RequestURI, b: corazavariables.RequestURIRaw},
	{a: corazavariables.RequestBody, b: variables.RawRequest},
	{a: corazavariables.ResponseBody, b: variables.RawResponse},
}

type keyedBuffer struct {
	key    string // lower case
	buffer *buffer
}

// byKey are the collections whose keys get separate inspection buffers: header names are few, and rules name them.
func byKey(c variables.Collection) bool {
	return c == variables.RequestHeaders || c == variables.ResponseHeaders
}

// newBuffers sorts fast patterns by what they look at.
func newBuffers(fastPatterns []fastPattern, all *transform.Tree) *buffers {
	l := &buffers{}
	for _, tr := range fastPatterns {
		for i := range tr.test.targets {
			g := &tr.test.targets[i]
			for _, c := range g.Collections {
				if g.Kind == variables.OfPairs && g.key != "" && byKey(c) && l.keyedBuffer(c, g.key) == nil {
					l.keyed[c] = append(l.keyed[c], keyedBuffer{g.key, &buffer{}})
				}
			}
		}
	}
	l.findDuplicates(fastPatterns)
	for _, tr := range fastPatterns {
		seen := map[*buffer]bool{}
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
		at.build(all, len(fastPatterns))
	}
	l.shareMatchers(fastPatterns)
	return l
}

// findDuplicates finds the variables that have inspection buffers, and of them the duplicates.
func (l *buffers) findDuplicates(fastPatterns []fastPattern) {
	var used [256]bool
	for i := range fastPatterns {
		for k := range fastPatterns[i].test.targets {
			if g := &fastPatterns[i].test.targets[k]; g.Kind == variables.OfSingle {
				used[g.Variable] = true
			}
		}
	}
	for _, t := range likelyDuplicates {
		if used[t.a] && used[t.b] {
			l.duplicates = append(l.duplicates, duplicates{t.a, t.b, &buffer{}})
			used[t.a], used[t.b] = false, false
		}
	}
	for variable, is := range used {
		if is {
			l.used = append(l.used, corazavariables.RuleVariable(variable))
		}
	}
}

// shareMatchers gives each inspection buffer matchers for its literals. Buffers that have most literals of all share some, and so do
// inspection buffers with the same tests: the others would only find what does not concern them.
func (l *buffers) shareMatchers(fastPatterns []fastPattern) {
	const most = 2 // from one in so many of all literals on
	total := 0
	for i := range fastPatterns {
		total += len(fastPatterns[i].test.literals)
	}
	var large []fastPattern
	known := map[string]*matchers{}
	for _, at := range l.all() {
		if at.literals()*most >= total {
			large = append(large, at.tests...)
			continue
		}
		key := fmt.Sprint(at.set.Words)
		if known[key] == nil {
			known[key] = newMatchers(at.tests)
		}
		at.matchers = known[key]
	}
	shared := newMatchers(large)
	behind := matchersByStep(fastPatterns)
	for _, at := range l.all() {
		if at.matchers == nil {
			at.matchers = shared
		}
		at.stages.narrow(at.matchers, at.matchers, behind)
	}
}

func (at *buffer) literals() (n int) {
	for i := range at.tests {
		n += len(at.tests[i].test.literals)
	}
	return n
}

// matchersByStep returns matchers for the literals that are looked for behind a transformation, by its name. Behind most of them few are.
func matchersByStep(fastPatterns []fastPattern) map[string]*matchers {
	behind := map[string][]fastPattern{}
	for _, f := range fastPatterns {
		var names []string
		for s := f.test.last; s != nil && s.Parent != nil; s = s.Parent {
			if !slices.Contains(names, s.Name) {
				names = append(names, s.Name)
				behind[s.Name] = append(behind[s.Name], f)
			}
		}
	}
	found := map[string]*matchers{}
	for name, tests := range behind {
		found[name] = newMatchers(tests)
	}
	return found
}

// narrow gives a stage its matchers, and the stages below those of their steps where they have fewer literals than all of the inspection
// buffer.
func (f *stage) narrow(own, all *matchers, behind map[string]*matchers) {
	f.matchers = own
	for _, d := range f.next {
		own = all
		if m := behind[d.step.Name]; m != nil && m.size < all.size {
			own = m
		}
		d.narrow(own, all, behind)
	}
}

// valueBuffer returns the inspection buffer of a value of a collection, nil when no rule looks at it.
func (l *buffers) valueBuffer(c variables.Collection, key string) *buffer {
	if at := l.keyedBuffer(c, key); at != nil {
		return at
	}
	return l.values[c]
}

func (l *buffers) keyedBuffer(c variables.Collection, key string) *buffer {
	for i := range l.keyed[c] {
		if k := &l.keyed[c][i]; k.key == key {
			return k.buffer
		}
	}
	return nil
}

// of returns the inspection buffers of a target, made where they are missing.
func (l *buffers) of(g *target) []*buffer {
	made := func(at **buffer) *buffer {
		if *at == nil {
			*at = &buffer{}
		}
		return *at
	}
	var found []*buffer
	if g.Kind == variables.OfSingle {
		for i := range l.duplicates {
			if t := &l.duplicates[i]; t.a == g.Variable || t.b == g.Variable {
				found = append(found, t.both)
			}
		}
		return append(found, made(&l.single[g.Variable]))
	}
	for _, c := range g.Collections {
		switch {
		case g.Kind == variables.OfNames:
			found = append(found, made(&l.names[c]))
		case g.key != "" && byKey(c):
			found = append(found, l.keyedBuffer(c, g.key))
		default:
			found = append(found, made(&l.values[c]))
			for i := range l.keyed[c] {
				if k := &l.keyed[c][i]; g.selects(k.key) {
					found = append(found, k.buffer)
				}
			}
		}
	}
	return found
}

func (l *buffers) all() []*buffer {
	var found []*buffer
	for c := range l.values {
		found = append(found, l.values[c], l.names[c])
		for _, k := range l.keyed[c] {
			found = append(found, k.buffer)
		}
	}
	found = append(found, l.single[:]...)
	for i := range l.duplicates {
		found = append(found, l.duplicates[i].both)
	}
	kept := found[:0]
	for _, at := range found {
		if at != nil {
			kept = append(kept, at)
		}
	}
	return kept
}

// build sorts the tests of an inspection buffer by what they look at.
func (at *buffer) build(all *transform.Tree, fastPatterns int) {
	at.set.Reset(fastPatterns)
	at.each.Reset(fastPatterns)
	known := map[*transform.Step]*stage{}
	at.stages = stageOf(all.Root, known, fastPatterns)
	for _, tr := range at.tests {
		at.set.Set(tr.number)
		if tr.test.digits > 0 && tr.test.last == all.Root && !tr.test.negated {
			at.requireDigits(tr, fastPatterns)
		}
		if tr.test.literals == nil {
			at.each.Set(tr.number)
			continue
		}
		steps := []*transform.Step{tr.test.last}
		if tr.test.multi {
			steps = tr.test.path
		}
		for _, s := range steps {
			stageOf(s, known, fastPatterns).tests.Set(tr.number)
		}
	}
	at.stages.sum(at.tests, fastPatterns)
}

// requireDigits notes that a test needs digits.
func (at *buffer) requireDigits(tr fastPattern, fastPatterns int) {
	i := slices.IndexFunc(at.digits, func(d digits) bool { return d.inARow == tr.test.digits })
	if i < 0 {
		i = len(at.digits)
		at.digits = append(at.digits, digits{inARow: tr.test.digits})
		at.digits[i].tests.Reset(fastPatterns)
	}
	at.digits[i].tests.Set(tr.number)
}

// stageOf returns the stage of a step, made with those before it where they are missing.
func stageOf(s *transform.Step, known map[*transform.Step]*stage, fastPatterns int) *stage {
	f := known[s]
	if f == nil {
		f = &stage{step: s}
		f.tests.Reset(fastPatterns)
		known[s] = f
		if s.Parent != nil {
			before := stageOf(s.Parent, known, fastPatterns)
			before.next = append(before.next, f)
		}
	}
	return f
}

// sum finds out what is below a stage.
func (f *stage) sum(tests []fastPattern, fastPatterns int) {
	f.all.Reset(fastPatterns)
	f.all.Add(&f.tests)
	f.below, f.prose = f.step.Changing, !f.step.KeepsProse
	for _, d := range f.next {
		d.sum(tests, fastPatterns)
		f.all.Add(&d.all)
		f.below |= d.below
		f.prose = f.prose || d.prose
	}
	for i := range tests {
		f.prose = f.prose || f.tests.Has(tests[i].number) && !tests[i].test.needsSign
	}
}
