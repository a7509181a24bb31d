package prefilter

import (
	corazavariables "github.com/corazawaf/coraza/v3/types/variables"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
)

// scratch is the memory for one transaction.
type scratch struct {
	prefilter  *Prefilter
	exempt     *Exempt // rules that do not count for this transaction
	view       view
	run        run
	scanned    forms // of the value that is being scanned
	chained    forms // of the values that a chain looks at
	texts      []scannedText
	looking    []bitset // tests that look at a text, and at those of which it was made
	candidates bitset   // triggers whose test the value can match
	marks      marks
	fired      bitset // triggers whose test a value matches

	judged     bool     // the engine has to judge
	culprit    *chain   // the first chain because of which it has to, nil when there is none
	diverted   bool     // a chain can match that changes which rules run or how bodies are read
	scannedAll bool     // fired is complete
	names      question // hash of the request's header names, zero until it is needed
}

const largeArena = 64 << 10 // bytes from which a scratch is not kept

func newScratch(g *Prefilter) *scratch {
	s := &scratch{prefilter: g, run: run{state: g.state, steps: len(g.steps.all)}}
	s.run.forms = &s.chained
	return s
}

// Answer is what the prefilter knows of a transaction.
type Answer struct {
	Clean  bool // it is certain that no rule that can alert matches
	Passes bool // it is certain that no rule that blocks matches; rules that only count may match
	// Idle are the ids of rules that are certain not to match, and that leave nothing behind when they do not. The engine need
	// not run them for this transaction. It is empty when the engine has nothing to judge.
	Idle  []int
	Cut   Cut // what was beyond the engine's limits, when the answer is Clean or Passes
	marks marks
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
	if max(cap(s.view.arena.buf), cap(s.scanned.arena.buf), cap(s.chained.arena.buf)) < largeArena {
		g.scratch.Put(s)
	}
	return a
}

func (s *scratch) ask(in *model.Transaction, q Query) Answer {
	s.exempt = q.Exempt
	s.marks, s.judged, s.culprit, s.diverted, s.scannedAll = marks{exempt: q.Exempt, response: in.HasResponse}, false, nil, false, false
	s.judge(in)
	judge := s.judged
	s.view.release()
	a := Answer{Clean: !judge && s.marks.n == 0, Cut: s.view.cut(), marks: s.marks}
	if judge {
		a.marks = marks{}
	}
	a.Passes = a.Clean || !judge && s.prefilter.learned.knows(s.marks)
	if !a.Clean && (!a.Passes || q.Matches) {
		a.Idle = s.idle()
	}
	return a
}

// judge finds out whether the engine has to judge. Rules that only count go to the marks instead.
func (s *scratch) judge(in *model.Transaction) {
	g, v := s.prefilter, &s.view
	s.judged, s.run.gaveUp = true, false
	v.reset(&g.defaults)
	if s.exempt != nil && s.exempt.relied {
		return
	}
	v.request(in, &g.limits)
	if !v.requestBody(in, &g.limits, s.applyEffects(), &g.bodies) || !v.response(in, &g.limits) {
		return
	}
	s.judged = false
	s.names = question{}
	for place, c := range g.direct {
		if !s.exempt.hasDirect(place) && (!s.judged || c.changes()) && s.matchesDirectly(c, in) {
			s.suspect(c)
		}
	}
	s.fired.reset(len(g.triggers))
	s.scanAll(in)
	s.scannedAll = true
}

// idle returns the ids of rules whose first test no value can match: such a rule does nothing at all.
func (s *scratch) idle() []int {
	if !s.scannedAll || s.diverted || !s.prefilter.steadyBodies {
		return nil
	}
	ids := make([]int, 0, len(s.prefilter.triggers))
	for i := range s.prefilter.triggers {
		if tr := &s.prefilter.triggers[i]; tr.removable && !s.fired.has(uint32(i)) {
			ids = append(ids, tr.chain.id)
		}
	}
	return ids
}

// suspect notes a chain that can match: one that only counts goes to the marks, others make the engine judge. What a chain
// that diverts does to the rules and bodies after it is not followed.
func (s *scratch) suspect(c *chain) {
	if !s.mark(c) {
		s.judged = true
		if s.culprit == nil {
			s.culprit = c
		}
	}
	s.diverted = s.diverted || c.changes()
}

// mark notes a rule that only counts, with the number of values that it has just matched. It reports false for other rules.
func (s *scratch) mark(c *chain) bool {
	return c.counts && !s.run.unsure && s.marks.add(c.id, len(s.run.matched))
}

// applyEffects runs the rules that select how the body is read, and reports whether the body is read in any case.
func (s *scratch) applyEffects() (forced bool) {
	for _, c := range s.prefilter.effects {
		s.run.reset(&s.view)
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
				s.view.single[corazavariables.ReqbodyProcessor] = e.processor
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
	s.run.reset(&s.view)
	return s.run.chain(c)
}

// matchesDirectly reports whether a chain can match that is evaluated for every transaction. What a chain, and its first test, make of
// headers and the like is remembered, because these repeat when the rest of the request does not.
func (s *scratch) matchesDirectly(c *chain, in *model.Transaction) bool {
	m := s.prefilter.memo
	if c.first.repeats {
		q := s.dependencies(c, &c.first, in)
		a, known := m.answered(q)
		if !known {
			a = yes
			if s.run.reset(&s.view); !s.run.test(&c.tests[0]) {
				a = no
			}
			m.answer(q, a)
		}
		if a == no {
			return false
		}
	}
	if !c.whole.repeats || len(c.tests) == 1 {
		return s.matches(c, in)
	}
	q := s.dependencies(c, &c.whole, in)
	if _, known := m.answered(q); known {
		return false
	}
	if s.matches(c, in) {
		return true
	}
	m.answer(q, no)
	return false
}

// dependencies returns the question whether the tests of a chain match, made of all values that their targets select: of those, and in the
// way in which the tests read them.
func (s *scratch) dependencies(c *chain, all *needs, in *model.Transaction) question {
	q := question{}.with(uint64(c.number)<<32 | 1<<31)
	if in.HasResponse {
		q = q.with(1)
	}
	if all == &c.first {
		q = q.with(2)
	}
	for i, g := range all.of {
		switch {
		case g.counts:
			q = q.with(uint64(count(&s.view, g)))
		case g.kind == ofSingle:
			q = q.and(s.prefilter.memo.ask(uint32(g.variable), s.view.single[g.variable]))
		case g.kind == ofNames && g.key == "" && g.keyRx == nil && len(g.except) == 0 && len(g.collections) == 1:
			q = q.and(s.headerNames(g.collections[0]))
		default:
			q = q.and(s.selected(g))
		}
		q = q.with(uint64(i))
	}
	return q
}

// selected returns a hash of the values that a target selects, in order.
func (s *scratch) selected(g *target) (q question) {
	for _, c := range g.collections {
		for k := range s.view.pairs[c] {
			p := &s.view.pairs[c][k]
			switch {
			case !g.selects(p.key):
			case g.kind == ofNames:
				q = q.and(s.prefilter.memo.ask(uint32(k), p.name))
			default:
				q = q.and(s.prefilter.memo.ask(uint32(k), p.value))
			}
		}
	}
	return q
}

// headerNames returns a hash of all names of a collection in order.
func (s *scratch) headerNames(c collection) question {
	if c == requestHeaders && s.names != (question{}) {
		return s.names
	}
	q := question{}.with(uint64(c) + 1)
	for k := range s.view.pairs[c] {
		q = q.and(s.prefilter.memo.ask(uint32(k), s.view.pairs[c][k].name))
	}
	if c == requestHeaders {
		s.names = q
	}
	return q
}

// scanAll looks at all values for rules that match.
func (s *scratch) scanAll(in *model.Transaction) {
	l, v := s.prefilter.lanes, &s.view
	for _, variable := range l.used {
		s.look(l.single[variable], v.single[variable], in)
	}
	for i := range l.twins {
		t := &l.twins[i]
		if text := v.single[t.a]; text == v.single[t.b] {
			s.look(t.both, text, in)
			continue
		}
		s.look(l.single[t.a], v.single[t.a], in)
		s.look(l.single[t.b], v.single[t.b], in)
	}
	for c := range v.pairs {
		names := l.names[c]
		for i := range v.pairs[c] {
			p := &v.pairs[c][i]
			s.look(l.valueLane(collection(c), p.key), p.value, in)
			s.look(names, p.name, in)
		}
	}
}

// look notes the chains of a lane that fire on a value, and whether one of them matches that makes the engine judge. Which tests match
// a value does not depend on what else the transaction has, and is remembered.
func (s *scratch) look(at *lane, value string, in *model.Transaction) {
	if at == nil {
		return
	}
	memorable := len(value) <= maxMemorable
	var q question
	if memorable {
		q = s.prefilter.memo.ask(at.number, value)
		if matching, known := s.prefilter.memo.answered(q); known {
			for number := range matching.all {
				s.fire(number, in)
			}
			return
		}
	}
	s.scanned.arena.reset()
	s.scanned.start(value, len(s.prefilter.steps.all))
	s.findCandidates(at)
	matching := no
	for number := range s.candidates.all {
		if !s.hits(s.prefilter.triggers[number].test) {
			continue
		}
		if memorable {
			matching, memorable = matching.with(number)
		}
		s.fire(number, in)
	}
	if memorable {
		s.prefilter.memo.answer(q, matching)
	}
}

// hits reports whether a test matches the value that is being scanned.
func (s *scratch) hits(t *test) bool {
	s.run.reset(&s.view)
	s.run.forms = &s.scanned
	hit := s.run.formed(t)
	s.run.forms = &s.chained
	return hit
}

// fire notes that the test of a trigger matches a value, and whether its chain makes the engine judge.
func (s *scratch) fire(number uint32, in *model.Transaction) {
	s.fired.set(number)
	c := s.prefilter.triggers[number].chain
	if (!s.judged || c.changes()) && !s.exempt.Has(c.id) && !s.marks.has(c.id) && s.matches(c, in) {
		s.suspect(c)
	}
}

// maxMemorable is the length in bytes up to which a value is remembered; longer ones hardly repeat.
const maxMemorable = 512

// findCandidates finds the tests of a lane that can match the value that is being scanned: those of which a literal is in the form of
// the value that they look at. Tests for which it has too few digits go again.
func (s *scratch) findCandidates(at *lane) {
	s.candidates.copy(&at.each)
	s.texts = s.texts[:0]
	s.findIn(at, at.forms, 0)
	for i := range at.digits {
		if d := &at.digits[i]; s.scanned.digitsIn(s.scanned.value) < d.inARow {
			s.candidates.remove(&d.tests)
		}
	}
}

// findIn finds the tests that look at a form, and at what forms below make of it. The depth tells in how many texts of which this one was
// made the search is.
func (s *scratch) findIn(at *lane, f *form, depth int) {
	if depth == len(s.looking) {
		s.looking = append(s.looking, bitset{})
	}
	s.looking[depth].reset(len(s.prefilter.triggers))
	text, mark := s.scanned.texts[f.step.index], s.scanned.marks[f.step.index]
	s.gather(at, f, mark, depth)
	s.candidates.addCommon(s.literalsIn(text, mark, at), &s.looking[depth])
}

// gather collects the tests that look at the same text as those of a form, but for the case of its letters, and has those below searched
// that look at others. The mark tells the text's traits.
func (s *scratch) gather(at *lane, f *form, mark traits, depth int) {
	s.looking[depth].add(&f.tests)
	for _, d := range f.deeper {
		switch {
		case mark&d.below == 0:
			s.looking[depth].add(&d.all)
		case mark&d.step.trigger == 0 || !s.scanned.changed(d.step):
			s.gather(at, d, mark, depth)
		default:
			s.findIn(at, d, depth+1)
		}
	}
}

// scannedText is a form of a value and the tests that have a literal in it. Many forms of most values are the same.
type scannedText struct {
	text string
	hits bitset
}

// literalsIn returns the tests of a lane that have a literal in a form of the value that is looked at, or can have one that the
// scanner does not see. The mark tells the form's traits.
func (s *scratch) literalsIn(text string, mark traits, at *lane) *bitset {
	for i := range s.texts {
		if s.texts[i].text == text {
			return &s.texts[i].hits
		}
	}
	n := len(s.texts)
	if n == cap(s.texts) {
		s.texts = append(s.texts, scannedText{})
	}
	s.texts = s.texts[:n+1]
	t := &s.texts[n]
	t.text = text
	if mark&hasHigh != 0 && foldsToASCII(text) {
		t.hits.copy(&at.set)
		return &t.hits
	}
	t.hits.reset(len(s.prefilter.triggers))
	at.scanner.scan(text, &t.hits)
	return &t.hits
}
