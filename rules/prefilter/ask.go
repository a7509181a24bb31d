package prefilter

import (
	corazavariables "github.com/corazawaf/coraza/v3/types/variables"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter/literalset"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter/regex"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter/transform"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter/variables"
)

// scratch is the memory for one transaction.
type scratch struct {
	prefilter  *Prefilter
	exempt     *Exempt // rules that do not count for this transaction
	variables  variables.Values
	run        run
	scanned    transform.Results   // of the value that is being scanned
	chained    transform.Results   // of the values that a chain looks at
	found      literalset.Bitset   // tests that have a literal in a text
	looking    []literalset.Bitset // tests that look at a text, and at those of which it was made
	candidates literalset.Bitset   // fast patterns whose test the value can match
	counted    combination
	reporting  [maxCounted]countedChain // those of counted, in the order in which they were found
	fired      literalset.Bitset        // fast patterns whose test a value matches

	// A large transaction is not reported without the engine: callers share out the time of the engine, which keeps a flood of large
	// attacks from filling their buffers with copies of records.
	isLarge     bool
	isCandidate bool   // the engine has to evaluate
	candidate   *chain // the first chain because of which it has to, nil when there is none
	diverted    bool   // a chain can match that changes which rules run or how bodies are read
	scannedAll  bool   // fired is complete
}

const largeArena = 64 << 10 // bytes from which a scratch is not kept

func newScratch(g *Prefilter) *scratch {
	s := &scratch{prefilter: g, run: run{state: g.state, steps: len(g.steps.All)}}
	s.run.results = &s.chained
	return s
}

// Answer is what the prefilter knows of a transaction.
type Answer struct {
	Clean  bool // it is certain that no rule that can alert matches
	Passes bool // it is certain that no rule that blocks matches; rules that only count may match
	// Idle are the ids of rules that are certain not to match, and that leave nothing behind when they do not. The engine need
	// not run them for this transaction. It is empty when the engine has nothing to evaluate.
	Idle   []int
	Unread model.Partial // what was beyond the engine's limits, when the answer is Clean or Passes
	// Findings are the matches of all counting rules as the engine would report them, nil when that is not certain. Outline is the
	// rest of the verdict, nil when the engine has to find it.
	Findings []Finding
	Outline  *model.Verdict
	counted  combination
}

// Query says what is asked of a transaction.
type Query struct {
	Exempt  *Exempt // rules that the engine omits, nil for none
	Matches bool    // the engine evaluates the transaction also when it passes
}

// Ask asks what is certain of a transaction. It allocates nothing when that is much and the request has no body, or that of a
// form.
func (g *Prefilter) Ask(in *model.Transaction, q Query) Answer {
	s := g.scratch.Get().(*scratch)
	a := s.ask(in, q)
	if max(cap(s.variables.Arena.Buf), cap(s.scanned.Arena.Buf), cap(s.chained.Arena.Buf)) < largeArena {
		g.scratch.Put(s)
	}
	return a
}

func (s *scratch) ask(in *model.Transaction, q Query) Answer {
	s.exempt = q.Exempt
	s.isLarge = in.Size() > model.LargeTransaction
	s.counted, s.isCandidate, s.candidate, s.diverted, s.scannedAll = combination{exempt: q.Exempt, response: in.HasResponse}, false, nil, false, false
	s.evaluate(in)
	a := Answer{Clean: !s.isCandidate && s.counted.n == 0, Unread: s.variables.Unread()}
	a.Passes = a.Clean
	if !a.Clean {
		s.askCombination(&a, q)
	}
	s.variables.Release()
	return a
}

// fewCounted is how many rules of a larger transaction are counted. What is beyond them makes it a candidate, so that no more rules look at it.
const fewCounted = 4

// askCombination completes the answer on a transaction that matches rules.
func (s *scratch) askCombination(a *Answer, q Query) {
	if !s.isCandidate {
		known := s.prefilter.learned.consequence(&s.counted)
		a.counted, a.Passes = s.counted, known.passes
		if a.Passes && !q.Matches {
			return
		}
		if a.Unread == 0 && !s.run.gaveUp && !s.isLarge {
			a.Findings = s.findings()
		}
		if a.Findings != nil && known.verdict != nil {
			a.Outline = known.verdict
			return
		}
	}
	a.Idle = s.idle()
}

// evaluate finds out whether the engine has to evaluate. Rules that only count are counted instead.
func (s *scratch) evaluate(in *model.Transaction) {
	g, v := s.prefilter, &s.variables
	s.isCandidate, s.run.gaveUp = true, false
	v.Reset(&g.defaults)
	if s.exempt != nil && s.exempt.relied {
		return
	}
	v.ReadRequest(in, &g.limits)
	if !v.ReadBody(in, &g.limits, s.applyEffects(), &g.bodies) || !v.ReadResponse(in, &g.limits) {
		return
	}
	s.isCandidate = false
	for place, c := range g.direct {
		if !s.exempt.hasDirect(place) && (!s.isCandidate || c.changes()) && s.matchesDirectly(c, in) {
			s.noteCandidate(c)
		}
	}
	s.fired.Reset(len(g.fastPatterns))
	s.scanAll(in)
	s.scannedAll = true
}

// idle returns the ids of rules whose first test no value can match: such a rule does nothing at all.
func (s *scratch) idle() []int {
	if !s.scannedAll || s.diverted || !s.prefilter.canSkipRules {
		return nil
	}
	ids := make([]int, 0, len(s.prefilter.fastPatterns))
	for i := range s.prefilter.fastPatterns {
		if tr := &s.prefilter.fastPatterns[i]; tr.removable && !s.fired.Has(uint32(i)) {
			ids = append(ids, tr.chain.id)
		}
	}
	return ids
}

// noteCandidate notes a chain that can match: one that only counts is counted, others make the engine evaluate. What a chain
// that diverts does to the rules and bodies after it is not followed.
func (s *scratch) noteCandidate(c *chain) {
	if !s.count(c) {
		s.isCandidate = true
		if s.candidate == nil {
			s.candidate = c
		}
	}
	s.diverted = s.diverted || c.changes()
}

// count notes a rule that only counts, with the number of values that it has just matched. It reports false for other rules.
func (s *scratch) count(c *chain) bool {
	if !c.counts || s.run.uncertain || s.isLarge && (len(c.links) > 1 || c.surplus || s.counted.n == fewCounted) {
		return false
	}
	counted, adding := countedChain{chain: c, matched: len(s.run.matched)}, s.run.lastMatched
	if c.surplus {
		found, ok := s.finding(c)
		if !ok {
			return false
		}
		adding = len(found.Matched)
		counted = countedChain{c, adding, &found}
	}
	if !s.counted.add(c.id, counted.matched, adding) {
		return false
	}
	s.reporting[s.counted.n-1] = counted
	return true
}

// applyEffects runs the rules that select how the body is read, and reports whether the body is read in any case.
func (s *scratch) applyEffects() (forced bool) {
	for _, c := range s.prefilter.effects {
		s.run.reset(&s.variables)
		matched := 0
		for matched < len(c.tests) && s.run.test(&c.tests[matched]) {
			matched++
		}
		for _, e := range c.effects {
			switch {
			case e.at >= matched:
			case e.force:
				forced = true
			default:
				s.variables.Single[corazavariables.ReqbodyProcessor] = e.processor
			}
		}
	}
	return forced
}

// matches reports whether a chain can match.
func (s *scratch) matches(c *chain, in *model.Transaction) bool {
	if !in.HasResponse && (c.phase == 3 || c.phase == 4) {
		return false
	}
	s.run.reset(&s.variables)
	return s.run.chain(c)
}

// matchesDirectly reports whether a chain can match that is evaluated for every transaction. What a chain, and its first test, make of
// headers and the like is cached, because these repeat when the rest of the request does not.
func (s *scratch) matchesDirectly(c *chain, in *model.Transaction) bool {
	m := s.prefilter.cache
	if c.first.repeats {
		q := s.dependencies(c, &c.first, in)
		a, known := m.lookup(q)
		if !known {
			a = isMatch
			if s.run.reset(&s.variables); !s.run.test(&c.tests[0]) {
				a = noMatch
			}
			m.store(q, a)
		}
		if a == noMatch {
			return false
		}
	}
	if !c.whole.repeats || len(c.tests) == 1 {
		return s.matches(c, in)
	}
	q := s.dependencies(c, &c.whole, in)
	if _, known := m.lookup(q); known {
		return false
	}
	if s.matches(c, in) {
		return true
	}
	m.store(q, noMatch)
	return false
}

// dependencies returns the key of what the tests of a chain make of a transaction: a hash of all values that their targets select, as the tests
// read them, and of nothing else.
func (s *scratch) dependencies(c *chain, all *inputs, in *model.Transaction) cacheKey {
	q := cacheKey{}.with(uint64(c.number)<<32 | 1<<31)
	if in.HasResponse {
		q = q.with(1)
	}
	if all == &c.first {
		q = q.with(2)
	}
	for i, g := range all.of {
		switch {
		case g.counts:
			q = q.with(uint64(count(&s.variables, g)))
		case g.Kind == variables.OfSingle:
			q = q.and(s.prefilter.cache.key(uint32(g.Variable), s.variables.Single[g.Variable]))
		case g.Kind == variables.OfNames && g.key == "" && g.keyRx == nil && len(g.except) == 0 && len(g.Collections) == 1:
			q = q.and(s.allNames(g.Collections[0]))
		default:
			q = q.and(s.selected(g))
		}
		q = q.with(uint64(i))
	}
	return q
}

// selected returns a hash of the values that a target selects, in order.
func (s *scratch) selected(g *target) (q cacheKey) {
	for _, c := range g.Collections {
		for k := range s.variables.Pairs[c] {
			p := &s.variables.Pairs[c][k]
			switch {
			case !g.selects(p.Key):
			case g.Kind == variables.OfNames:
				q = q.and(s.prefilter.cache.key(uint32(k), p.Name))
			default:
				q = q.and(s.prefilter.cache.key(uint32(k), p.Value))
			}
		}
	}
	return q
}

// allNames returns what selected does where a target selects all names of a collection, which most do, without asking it for each.
func (s *scratch) allNames(c variables.Collection) (q cacheKey) {
	for k := range s.variables.Pairs[c] {
		q = q.and(s.prefilter.cache.key(uint32(k), s.variables.Pairs[c][k].Name))
	}
	return q
}

// scanAll looks at all values for rules that match.
func (s *scratch) scanAll(in *model.Transaction) {
	l, v := s.prefilter.buffers, &s.variables
	for _, variable := range l.used {
		s.inspect(l.single[variable], v.Single[variable], in)
	}
	for i := range l.duplicates {
		t := &l.duplicates[i]
		if text := v.Single[t.a]; text == v.Single[t.b] {
			s.inspect(t.both, text, in)
			continue
		}
		s.inspect(l.single[t.a], v.Single[t.a], in)
		s.inspect(l.single[t.b], v.Single[t.b], in)
	}
	for c := range v.Pairs {
		names := l.names[c]
		for i := range v.Pairs[c] {
			p := &v.Pairs[c][i]
			s.inspect(l.valueBuffer(variables.Collection(c), p.Key), p.Value, in)
			s.inspect(names, p.Name, in)
		}
	}
}

// inspect notes the chains of an inspection buffer that fire on a value, and whether one of them matches that makes the engine evaluate.
// Which tests match a value does not depend on what else the transaction has, and is cached.
func (s *scratch) inspect(at *buffer, value string, in *model.Transaction) {
	if at == nil {
		return
	}
	memorable := len(value) <= maxCached
	var q cacheKey
	if memorable {
		q = s.prefilter.cache.key(at.number, value)
		if matching, known := s.prefilter.cache.lookup(q); known {
			for number := range matching.all {
				s.fire(number, in)
			}
			return
		}
	}
	s.scanned.Arena.Reset()
	s.scanned.Start(value, len(s.prefilter.steps.All))
	s.findCandidates(at)
	matching := noMatch
	for number := range s.candidates.All {
		if !s.hits(s.prefilter.fastPatterns[number].test) {
			continue
		}
		if memorable {
			matching, memorable = matching.with(number)
		}
		s.fire(number, in)
	}
	if memorable {
		s.prefilter.cache.store(q, matching)
	}
}

// hits reports whether a test matches the value that is being scanned.
func (s *scratch) hits(t *test) bool {
	s.run.reset(&s.variables)
	s.run.results = &s.scanned
	hit := s.run.transformed(t)
	s.run.results = &s.chained
	return hit
}

// fire notes that the test of a fast pattern matches a value, and whether its chain makes the engine evaluate.
func (s *scratch) fire(number uint32, in *model.Transaction) {
	s.fired.Set(number)
	c := s.prefilter.fastPatterns[number].chain
	if (!s.isCandidate || c.changes()) && !s.exempt.Has(c.id) && !s.counted.has(c.id) && s.matches(c, in) {
		s.noteCandidate(c)
	}
}

// maxCached is the length in bytes up to which a value is cached; longer ones hardly repeat.
const maxCached = 512

// findCandidates finds the tests of an inspection buffer that can match the value that is being scanned: those of which a literal is in what
// their pipelines make of it. Tests that need more digits than it has are removed again, and those of unions that do not match.
func (s *scratch) findCandidates(at *buffer) {
	s.candidates.Copy(&at.each)
	s.findIn(at, at.stages, 0)
	for i := range at.digits {
		if d := &at.digits[i]; s.scanned.DigitsIn(s.scanned.Value) < d.inARow {
			s.candidates.Remove(&d.tests)
		}
	}
	s.ruleOut(at)
}

// findIn finds the tests that look at the text of a stage or of those below it. depth counts the texts from which this one was made.
func (s *scratch) findIn(at *buffer, f *stage, depth int) {
	if depth == len(s.looking) {
		s.looking = append(s.looking, literalset.Bitset{})
	}
	s.looking[depth].Reset(len(s.prefilter.fastPatterns))
	text, traits := s.scanned.Texts[f.step.Index], s.scanned.Traits[f.step.Index]
	s.gather(at, f, traits, depth)
	s.candidates.AddCommon(s.literalsIn(text, traits, at, f.matchers), &s.looking[depth])
}

// gather collects the tests that look at the same text as those of a stage, but for the case of its letters, and has those below searched
// that look at others. traits are those of the text. What stages make of prose that no test can match is not made.
func (s *scratch) gather(at *buffer, f *stage, traits transform.Traits, depth int) {
	s.looking[depth].Add(&f.tests)
	for _, d := range f.next {
		switch {
		case !d.prose && traits.IsProse():
		case traits&d.below == 0:
			s.looking[depth].Add(&d.all)
		case traits&d.step.Changing == 0 || !s.scanned.Changed(d.step):
			s.gather(at, d, traits, depth)
		default:
			s.findIn(at, d, depth+1)
		}
	}
}

// literalsIn returns the tests that have a literal in a text made from the value, by the matchers of its stage, or can have one that these do
// not see. traits belong to the text. The result is good until the next call.
func (s *scratch) literalsIn(text string, traits transform.Traits, at *buffer, by *matchers) *literalset.Bitset {
	if traits&transform.HasHigh != 0 && regex.FoldsToASCII(text) {
		return &at.set
	}
	s.found.Reset(len(s.prefilter.fastPatterns))
	if traits.IsProse() {
		by.prose.Scan(text, &s.found)
	} else {
		by.all.Scan(text, &s.found)
	}
	return &s.found
}
