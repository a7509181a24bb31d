package prefilter

import (
	"cmp"
	"slices"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter/literalset"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter/regex"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter/transform"
)

// union is tests that look at the same text for expressions whose literals are in much ordinary text. A value is mostly a candidate for
// several of them and matches none, which a lazy DFA for all of them finds out in one pass.
type union struct {
	step        *transform.Step // makes the text
	tests       literalset.Bitset
	expressions *regex.Union
}

// often is the likelihood of literals from which on a test belongs to a union. Others are seldom asked, and add states.
const often = 0.0005

// addUnions makes the unions, each of all such tests of an inspection buffer that are not in one yet, and gives each buffer those of which
// it has several tests. The buffers with the most tests come first: a test that only others have could match where nobody asks for it.
func (l *buffers) addUnions(budget *regex.Budget, fastPatterns int) {
	all := l.all()
	slices.SortStableFunc(all, func(a, b *buffer) int { return cmp.Compare(len(b.tests), len(a.tests)) })
	var united literalset.Bitset
	united.Reset(fastPatterns)
	for _, at := range all {
		at.united.Reset(fastPatterns)
	}
	for i, at := range all {
		for _, u := range at.newUnions(budget, &united, fastPatterns) {
			united.Add(&u.tests)
			for _, other := range all[i:] {
				other.addUnion(u)
			}
		}
	}
}

// newUnions returns unions of the tests that are in none yet.
func (at *buffer) newUnions(budget *regex.Budget, united *literalset.Bitset, fastPatterns int) (unions []*union) {
	var steps []*transform.Step
	tests := map[*transform.Step][]fastPattern{}
	for _, f := range at.tests {
		if s := f.test.last; f.test.unites() && !united.Has(f.number) {
			if tests[s] == nil {
				steps = append(steps, s)
			}
			tests[s] = append(tests[s], f)
		}
	}
	for _, s := range steps {
		if len(tests[s]) > 1 {
			unions = append(unions, newUnion(s, tests[s], budget, fastPatterns))
		}
	}
	return unions
}

// unites reports whether the test belongs to a union: it looks at one text, and matches when its expression does. One that is negated has no
// literals.
func (t *test) unites() bool {
	return t.rx != nil && !t.multi && t.literals != nil && t.literals.Likelihood() >= often
}

func newUnion(s *transform.Step, tests []fastPattern, budget *regex.Budget, fastPatterns int) *union {
	u := &union{step: s}
	u.tests.Reset(fastPatterns)
	expressions := make([]*regex.LazyDFA, len(tests))
	for i, f := range tests {
		u.tests.Set(f.number)
		expressions[i] = f.test.rx
	}
	u.expressions = budget.Union(expressions)
	return u
}

func (at *buffer) addUnion(u *union) {
	if at.set.HasSeveral(&u.tests) {
		at.unions = append(at.unions, u)
		at.united.Add(&u.tests)
	}
}

// ruleOut removes from the candidates the tests of unions that have no match in the value that is being scanned. A union is not asked for
// a single candidate.
func (s *scratch) ruleOut(at *buffer) {
	if len(at.unions) == 0 || !s.candidates.HasSeveral(&at.united) {
		return
	}
	for _, u := range at.unions {
		if s.candidates.HasSeveral(&u.tests) && !u.expressions.CanMatch(s.scanned.After(u.step)) {
			s.candidates.Remove(&u.tests)
		}
	}
}
