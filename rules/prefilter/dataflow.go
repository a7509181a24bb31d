package prefilter

import (
	"fmt"
	"maps"
	"regexp/syntax"
	"slices"
	"strings"

	corazavariables "github.com/corazawaf/coraza/v3/types/variables"

	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corazalink"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter/variables"
)

// dataFlow knows which rules write which TX variables, and which of them come out the same for every transaction that is no candidate.
type dataFlow struct {
	entries []entry
	chains  []*chain       // of the entries, in the order of evaluation
	order   map[*chain]int // place in entries
	writes  []*write
	fixed   map[string][]*write                   // of these, by the name of their variable
	varying []*write                              // the others, whose names have macros
	initial map[string]string                     // TX variables after the baseline
	readers map[string][]reader                   // of TX variables, by name; "" is for links that read several; nil until it is needed
	groups  bool                                  // a rule writes TX:0 to TX:9 itself
	stale   map[corazavariables.RuleVariable]bool // a rule transforms how many values they have: see cached
	own     func(operator, argument string) (n Requirements, isOwn bool)
}

// macros returns the macros in a text in lower case, without their braces. One that begins within another, which Coraza reads as the
// inner one, comes out as the name of no variable.
func macros(text string) (all []string) {
	for {
		_, inside, has := strings.Cut(text, "%{")
		end := strings.IndexByte(inside, '}')
		if !has || end < 0 {
			return all
		}
		name := strings.ToLower(inside[:end])
		if strings.Contains(name, "%") {
			name = "nested macros"
		}
		all, text = append(all, name), inside[end+1:]
	}
}

func newDataFlow(entries []entry, initial map[string]string, own func(operator, argument string) (Requirements, bool)) *dataFlow {
	f := &dataFlow{entries: entries, order: map[*chain]int{}, fixed: map[string][]*write{}, initial: initial, own: own, stale: map[corazavariables.RuleVariable]bool{}}
	for place, e := range entries {
		if e.chain == nil {
			continue
		}
		f.order[e.chain] = place
		f.chains = append(f.chains, e.chain)
		for i := range e.chain.links {
			f.noteCounts(&e.chain.links[i])
			for _, a := range assignments(&e.chain.links[i]) {
				w := &write{e.chain, i, a}
				e.chain.writes = append(e.chain.writes, w)
				f.writes = append(f.writes, w)
				if a.isTemplate {
					f.varying = append(f.varying, w)
				} else {
					f.fixed[a.name] = append(f.fixed[a.name], w)
				}
				f.groups = f.groups || slices.ContainsFunc(groupNames, a.canWrite)
			}
		}
	}
	return f
}

// noteCounts notes the variables whose number of values a link transforms.
func (f *dataFlow) noteCounts(l *corazalink.Link) {
	for i := range l.Targets {
		if t := &l.Targets[i]; t.Count && len(l.Transformations) > 0 {
			f.stale[t.Variable] = true
		}
	}
}

// cached reports whether Coraza may give a link what its transformations made of another value. It keeps that through a phase, by the
// variable, the address of the key and the place among the values: values of a variable that change, and numbers of values, share a
// place with others.
func (f *dataFlow) cached(c *chain, l *corazalink.Link, t *corazalink.Target) bool {
	if len(l.Transformations) == 0 || l.MultiMatch || t.Variable == corazavariables.TX {
		return false
	}
	switch t.Variable {
	case corazavariables.MatchedVar, corazavariables.MatchedVars:
		return true
	case corazavariables.ReqbodyProcessor:
		return c.phase == 1
	}
	return t.Count || f.stale[t.Variable]
}

// analyze finds out which chains matter, which never run, and which change what others do.
func (f *dataFlow) analyze(b *Baseline) error {
	f.readActions()
	for again := true; again; again = f.demote() {
		if err := f.classify(b); err != nil {
			return err
		}
	}
	return f.guard()
}

// classify finds the chains that are static, and those that never run. What chains write that never run leaves others static, which may skip
// more, so this goes on until nothing changes.
func (f *dataFlow) classify(b *Baseline) error {
	for _, c := range f.chains {
		c.static, c.dead = false, false
	}
	for before := -1; before < f.countSettled(); {
		before = f.countSettled()
		f.findStatic()
		if err := f.readBaseline(b); err != nil {
			return err
		}
		f.guardRemovals()
		if err := f.findDead(); err != nil {
			return err
		}
	}
	return nil
}

// demote takes static chains for dynamic ones that did not match on the plain requests, if these may have skipped or removed them. It
// reports whether there are any.
func (f *dataFlow) demote() (found bool) {
	for _, c := range f.chains {
		if c.static && !c.dead && !c.matches && (c.removable || f.skippable(c)) {
			c.dynamic, found = true, true
		}
	}
	return found
}

// countSettled returns how many chains are static or never run.
func (f *dataFlow) countSettled() (n int) {
	for _, c := range f.chains {
		if c.static || c.dead {
			n++
		}
	}
	return n
}

// readBaseline notes which static chains match.
func (f *dataFlow) readBaseline(b *Baseline) error {
	for _, c := range f.chains {
		c.matches, c.differs = b.Matched[0][c.id], b.Matched[0][c.id] != b.Matched[1][c.id]
		switch {
		case c.alerts && (c.matches || b.Matched[1][c.id]):
			return fmt.Errorf("prefilter: rule %d at %s matches a plain request", c.id, c.place)
		case !c.static:
		case c.phase != 3 && c.phase != 4 && c.differs && (c.alerts || c.changes()):
			return fmt.Errorf("prefilter: whether rule %d at %s matches depends on whether there is a response", c.id, c.place)
		}
	}
	return nil
}

// findStatic finds the static chains: those that look at nothing but TX variables that are the same for every transaction. It
// starts with all that look at TX variables only and takes away until nothing changes. The baseline shows whether a chain matches as a
// whole, so chains that do more than set variables before that are evaluated like others.
func (f *dataFlow) findStatic() {
	for _, c := range f.chains {
		c.static = !c.dead && !c.dynamic && f.readsOnlyTX(c) && !c.controlsEarly()
	}
	for changed := true; changed; {
		changed = false
		for _, c := range f.chains {
			if c.static && !f.readsStatic(c) {
				c.static, changed = false, true
			}
		}
	}
}

func (f *dataFlow) readsOnlyTX(c *chain) bool {
	for i := range c.links {
		l := &c.links[i]
		if l.Operator != nil && !f.isPure(l.Operator) {
			return false
		}
		for k := range l.Targets {
			if t := &l.Targets[k]; t.Variable != corazavariables.TX || t.KeyRx != nil || t.Key == "" || len(t.Except) > 0 {
				return false
			}
		}
	}
	return true
}

func (f *dataFlow) readsStatic(c *chain) bool {
	for i := range c.links {
		l := &c.links[i]
		for k := range l.Targets {
			if !f.static(strings.ToLower(l.Targets[k].Key)) {
				return false
			}
		}
		if l.Operator != nil && !f.staticMacros(l.Operator.Argument) {
			return false
		}
	}
	return true
}

func (f *dataFlow) staticMacros(text string) bool { return f.macrosAreStatic(text, map[string]bool{}) }

func (f *dataFlow) macrosAreStatic(text string, seen map[string]bool) bool {
	return !slices.ContainsFunc(macros(text), func(macro string) bool {
		name, isTX := strings.CutPrefix(macro, "tx.")
		return !isTX || !f.isStatic(name, seen)
	})
}

// isWritten reports whether a write about which by is true can write a TX variable.
func (f *dataFlow) isWritten(name string, by func(*write) bool) bool {
	return slices.ContainsFunc(f.fixed[name], by) || slices.ContainsFunc(f.varying, func(w *write) bool { return w.canWrite(name) && by(w) })
}

// static reports whether a TX variable goes the same way for every transaction that is no candidate.
func (f *dataFlow) static(name string) bool { return f.isStatic(name, map[string]bool{}) }

// isStatic has seen the variables that must be static, too, for the one that is asked for to be.
func (f *dataFlow) isStatic(name string, seen map[string]bool) bool {
	if seen[name] {
		return true
	}
	seen[name] = true
	return !isEngines(name) && !f.isWritten(name, func(w *write) bool {
		return !w.chain.dead && !w.ignorable() && !(w.chain.static && f.macrosAreStatic(w.name+w.value, seen))
	})
}

// groupNames are the TX variables that hold captured groups.
var groupNames = []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10"}

func isGroup(name string) bool { return slices.Contains(groupNames, name) }

// enginesNames are the TX variables that something else than a setvar writes.
var enginesNames = slices.Concat(groupNames, slices.Collect(maps.Keys(variables.RawBodies)), []string{"json_request_body", "json_response_body"})

// isEngines reports whether something else than a setvar writes a TX variable: captures, body processors, and bodies as they were logged.
func isEngines(name string) bool {
	return slices.Contains(enginesNames, name)
}

// constant reports whether a TX variable has the value of the baseline whenever a chain runs, and returns it.
func (f *dataFlow) constant(name string, reader *chain) (value string, exists, ok bool) {
	if !f.static(name) {
		return "", false, false
	}
	if f.isWritten(name, func(w *write) bool {
		return !w.chain.dead && !w.ignorable() && (w.chain.phase != 1 || reader.phase == 1 && f.order[w.chain] >= f.order[reader])
	}) {
		return "", false, false
	}
	value, exists = f.initial[name]
	if f.isWritten(name, func(w *write) bool { return !w.chain.dead && w.ignorable() }) {
		derived, ok := f.derive(name)
		return value, exists, ok && derived == txValue{value, exists}
	}
	return value, exists, true
}

// derive returns the value that static rules give a TX variable, from their text alone. What the baseline has in the end is no proof where a
// candidate writes the variable, too: whether the baseline is clean is still to be seen.
func (f *dataFlow) derive(name string) (value txValue, ok bool) {
	for _, c := range f.chains {
		for _, w := range c.writes {
			switch {
			case !w.canWrite(name) || c.dead || w.ignorable() || len(c.links) == 1 && !c.matches:
			case len(c.links) > 1 || w.remove || strings.Contains(w.name+w.value, "%{") || strings.HasPrefix(w.value, "+") || strings.HasPrefix(w.value, "-"):
				return value, false
			default:
				value = txValue{w.value, true}
			}
		}
	}
	return value, true
}

func (f *dataFlow) constantMacros(text string, reader *chain) bool {
	for _, name := range macros(text) {
		if !strings.HasPrefix(name, "tx.") {
			return false
		}
		if _, _, ok := f.constant(name[3:], reader); !ok {
			return false
		}
	}
	return true
}

// producers returns the chains that can set variables that a target of a reader's test selects, besides the reader itself. It
// reports false when such a variable is there for every transaction, or the engine sets it: then its values are not those of the run.
func (f *dataFlow) producers(g *target, reader *chain) (found []producer, ok bool) {
	for name := range f.initial {
		if g.selects(name) && !f.isWritten(name, func(w *write) bool { return !w.chain.static }) {
			return nil, false
		}
	}
	if slices.ContainsFunc(enginesNames, g.selects) {
		return nil, false
	}
	for _, w := range f.writes {
		if w.chain == reader || w.chain.dead || w.ignorable() || !w.canProduce(g) {
			continue
		}
		if w.chain.static {
			return nil, false
		}
		if n := len(found); n > 0 && found[n-1].chain == w.chain {
			found[n-1].tests = w.link + 1
			continue
		}
		found = append(found, producer{w.chain, w.link + 1})
	}
	return found, true
}

// leftovers returns the links before a chain that can leave captured groups behind without making the transaction a candidate. It reports
// false when that is not known of one. Where none captures, TX:0 to TX:9 are empty.
func (f *dataFlow) leftovers(reader *chain) (found []producer, ok bool) {
	for _, c := range f.chains {
		if c.dead || c == reader || c.phase > reader.phase || c.phase == reader.phase && f.order[c] > f.order[reader] {
			continue
		}
		for i := range c.links {
			l := &c.links[i]
			if !l.Capture || l.Operator == nil || !f.capturing(l.Operator) {
				continue
			}
			if c.static || l.Operator.Negated {
				return nil, false
			}
			if c.counts || c.decisive == 0 || i+1 < c.decisive {
				found = append(found, producer{c, i + 1})
			}
		}
	}
	return found, true
}

// capturing reports whether an operator can capture.
func (f *dataFlow) capturing(o *corazalink.Operator) bool {
	known, is := operators[strings.ToLower(o.Name)]
	return !is || known.captures
}

// canProduce reports whether the written name can be one that a target selects.
func (w *write) canProduce(g *target) bool {
	switch {
	case g.keyRx == nil:
		return w.canWrite(g.key)
	case !w.isTemplate:
		return g.keyRx.MatchString(w.name)
	}
	literal := anchoredLiteral(g.keyRx.String())
	return strings.HasPrefix(literal, w.prefix) || strings.HasPrefix(w.prefix, literal)
}

// anchoredLiteral returns the text with which everything starts that an expression finds, "" when none is known.
func anchoredLiteral(pattern string) string {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil || re.Op != syntax.OpConcat || re.Sub[0].Op != syntax.OpBeginText ||
		re.Sub[1].Op != syntax.OpLiteral || re.Sub[1].Flags&syntax.FoldCase != 0 {
		return ""
	}
	return string(re.Sub[1].Rune)
}

// findDead marks the chains that static chains skip in every transaction.
func (f *dataFlow) findDead() error {
	for place, e := range f.entries {
		c := e.chain
		if c == nil || c.dead || !c.static || !c.matches || !c.skips() {
			continue
		}
		end := f.skipEnd(place)
		if end < 0 {
			return fmt.Errorf("prefilter: rule %d at %s skips to marker %s, which does not follow", c.id, c.place, c.skipAfter)
		}
		for _, skipped := range f.entries[place+1 : end] {
			if s := skipped.chain; s != nil && s.phase == c.phase {
				if c.skip > 0 && (s.removable || s.dead) {
					return fmt.Errorf("prefilter: rule %d at %s skips rule %d, which may not count", c.id, c.place, s.id)
				}
				s.dead = true
				s.why = fmt.Sprintf("never runs: skipped by rule %d", c.id)
			}
		}
	}
	return nil
}

// counted returns the ids of the rules that a skip counts. Coraza does not count rules that are removed from a transaction.
func (f *dataFlow) counted() map[int]bool {
	ids := map[int]bool{}
	for place, e := range f.entries {
		if e.chain == nil || e.chain.skip == 0 {
			continue
		}
		for _, skipped := range f.entries[place+1 : f.skipEnd(place)] {
			if skipped.chain != nil {
				ids[skipped.chain.id] = true
			}
		}
	}
	return ids
}

// writers returns the ids of the alerting rules that write variables in every transaction, without matching as a whole.
func (f *dataFlow) writers() map[int]bool {
	ids := map[int]bool{}
	for _, c := range f.chains {
		if c.alerts && c.static && slices.ContainsFunc(c.writes, func(w *write) bool { return !w.ignorable() }) {
			ids[c.id] = true
		}
	}
	return ids
}

// numberFastPatterns numbers fast patterns and finds those whose chain need not run when they do not fire: the first test of a chain
// decides then, and a chain of which the first test does not match does nothing. A negated operator captures without matching.
func (f *dataFlow) numberFastPatterns(counted map[int]bool, fastPatterns []fastPattern) []fastPattern {
	for i := range fastPatterns {
		tr := &fastPatterns[i]
		tr.number = uint32(i)
		first := tr.chain.links[:1]
		tr.removable = tr.test == &tr.chain.tests[0] && tr.chain.id != 0 && !counted[tr.chain.id] && f.readsUnchanged(&first[0]) &&
			!(first[0].Capture && first[0].Operator.Negated)
	}
	return fastPatterns
}

// readsUnchanged reports whether no rule can change what the first link of a fast pattern reads, whatever else matches: bodies as they were
// logged, which no rule writes where a fast pattern looks at them, and TX variables that are the same for all transactions.
func (f *dataFlow) readsUnchanged(l *corazalink.Link) bool {
	names, ok := txNames(l)
	return ok && !slices.ContainsFunc(names, func(name string) bool {
		_, isBody := variables.RawBodies[name]
		return !isBody && !f.isInvariantTX(name, map[string]bool{})
	})
}

// readsInvariant reports whether the TX variables that links read are the same for every transaction, candidates included.
func (f *dataFlow) readsInvariant(links []corazalink.Link) bool {
	return f.readInvariant(links, map[string]bool{})
}

// txNames returns the TX variables that a link reads, in its targets and its operator. It reports false when it reads others, too.
func txNames(l *corazalink.Link) (names []string, ok bool) {
	for i := range l.Targets {
		if t := &l.Targets[i]; t.Variable == corazavariables.TX {
			if t.KeyRx != nil || t.Key == "" {
				return nil, false
			}
			names = append(names, strings.ToLower(t.Key))
		}
	}
	if l.Operator != nil {
		for _, macro := range macros(l.Operator.Argument) {
			name, isTX := strings.CutPrefix(macro, "tx.")
			if !isTX {
				return nil, false
			}
			names = append(names, name)
		}
	}
	return names, true
}

// isInvariantTX reports whether only static rules write a TX variable, which read nothing that others write.
func (f *dataFlow) isInvariantTX(name string, seen map[string]bool) bool {
	if seen[name] {
		return true
	}
	seen[name] = true
	if isEngines(name) {
		return false
	}
	return !f.isWritten(name, func(w *write) bool {
		if w.chain.dead {
			return false
		}
		return !w.chain.static || !f.readInvariant(w.chain.links, seen) || slices.ContainsFunc(macros(w.name+w.value), func(macro string) bool {
			of, isTX := strings.CutPrefix(macro, "tx.")
			return !isTX || !f.isInvariantTX(of, seen)
		})
	})
}

func (f *dataFlow) readInvariant(links []corazalink.Link, seen map[string]bool) bool {
	return !slices.ContainsFunc(links, func(l corazalink.Link) bool {
		names, ok := txNames(&l)
		return !ok || slices.ContainsFunc(names, func(name string) bool { return !f.isInvariantTX(name, seen) })
	})
}

// idleRulesStayIdle reports whether a rule that does nothing by itself does nothing in candidates either: no static chain that a candidate can
// switch on selects how bodies are read or skips what others rely on, and none reads what rules leave in the variable RULE, or shows it in
// an alert.
func (f *dataFlow) idleRulesStayIdle() bool {
	for place, e := range f.entries {
		c := e.chain
		if c == nil || c.dead {
			continue
		}
		if c.static && c.changes() && !f.readsInvariant(c.links) && (len(c.effects) > 0 || c.diverts != "" || !f.mayBeSkipped(place)) {
			return false
		}
		if slices.ContainsFunc(c.links, func(l corazalink.Link) bool { return readsRule(l) || hasRuleMacro(l.Message+l.LogData) }) {
			return false
		}
	}
	return true
}

// readsRule reports whether a link reads the variable RULE other than for its message.
func readsRule(l corazalink.Link) bool {
	return slices.ContainsFunc(l.Targets, func(t corazalink.Target) bool { return t.Variable == corazavariables.Rule }) ||
		l.Operator != nil && hasRuleMacro(l.Operator.Argument) ||
		slices.ContainsFunc(assignments(&l), func(a assignment) bool { return hasRuleMacro(a.name + a.value) })
}

// hasRuleMacro reports whether a text has a macro of the variable RULE. In messages, Coraza expands it to the rule before.
func hasRuleMacro(text string) bool {
	return slices.ContainsFunc(macros(text), func(macro string) bool { return macro == "rule" || strings.HasPrefix(macro, "rule.") })
}

// txVariables returns the TX variables of a transaction, by name in lower case.
func txVariables(state plugintypes.TransactionState) map[string]string {
	values := map[string]string{}
	for _, m := range state.Variables().TX().FindAll() {
		values[strings.ToLower(m.Key())] = m.Value()
	}
	return values
}
