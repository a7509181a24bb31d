package gate

import (
	"fmt"
	"maps"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"
	"github.com/corazawaf/coraza/v3/types/variables"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corazalink"
)

// flow knows which rules write which TX variables, and which of them come out the same for every transaction that is no candidate.
type flow struct {
	entries []entry
	order   map[*chain]int // place in entries
	writes  []*write
	initial map[string]string // TX variables after the baseline
	groups  bool              // a rule writes TX:0 to TX:9 itself
	own     func(operator, argument string) (n Needs, isOwn bool)
}

var macroPattern = regexp.MustCompile(`%\{([^}]*)\}`)

// macros returns the macros in a text in lower case, without their braces.
func macros(text string) (all []string) {
	if !strings.Contains(text, "%{") {
		return nil
	}
	for _, m := range macroPattern.FindAllStringSubmatch(text, -1) {
		all = append(all, strings.ToLower(m[1]))
	}
	return all
}

func newFlow(entries []entry, initial map[string]string, own func(operator, argument string) (Needs, bool)) *flow {
	f := &flow{entries: entries, order: map[*chain]int{}, initial: initial, own: own}
	for place, e := range entries {
		if e.chain == nil {
			continue
		}
		f.order[e.chain] = place
		for i := range e.chain.links {
			for _, a := range assignments(&e.chain.links[i]) {
				w := &write{e.chain, i, a}
				e.chain.writes = append(e.chain.writes, w)
				f.writes = append(f.writes, w)
				f.groups = f.groups || slices.ContainsFunc(groupNames, a.canWrite)
			}
		}
	}
	return f
}

// chains returns all chains in the order of evaluation.
func (f *flow) chains() (all []*chain) {
	for i := range f.entries {
		if c := f.entries[i].chain; c != nil {
			all = append(all, c)
		}
	}
	return all
}

// analyze finds out which chains matter, which never run, and which change what others do. What chains write that never run leaves
// others static, which may skip more, so this goes on until nothing changes.
func (f *flow) analyze(b *Baseline) error {
	f.readActions()
	for before := -1; before < f.settled(); {
		before = f.settled()
		f.settle()
		if err := f.takeOver(b); err != nil {
			return err
		}
		f.guardRemovals()
		if err := f.bury(); err != nil {
			return err
		}
	}
	return f.guard()
}

// settled returns how many chains are static or never run.
func (f *flow) settled() (n int) {
	for _, c := range f.chains() {
		if c.static || c.dead {
			n++
		}
	}
	return n
}

// takeOver notes which static chains match.
func (f *flow) takeOver(b *Baseline) error {
	for _, c := range f.chains() {
		c.matches = b.Matched[0][c.id]
		switch {
		case !c.static:
		case c.matches && c.alerts:
			return fmt.Errorf("gate: rule %d at %s matches every transaction", c.id, c.place)
		case c.phase != 3 && c.phase != 4 && c.matches != b.Matched[1][c.id] && (c.alerts || c.changes()):
			return fmt.Errorf("gate: whether rule %d at %s matches depends on whether there is a response", c.id, c.place)
		}
	}
	return nil
}

// settle finds the static chains: those that look at nothing but TX variables that are the same for every transaction. It
// starts with all that look at TX variables only and takes away until nothing changes. The baseline shows whether a chain matches as a
// whole, so chains that do more than set variables before that are evaluated like others.
func (f *flow) settle() {
	for _, c := range f.chains() {
		c.static = !c.dead && f.readsOnlyTX(c) && !c.controlsEarly()
	}
	for changed := true; changed; {
		changed = false
		for _, c := range f.chains() {
			if c.static && !f.readsStatic(c) {
				c.static, changed = false, true
			}
		}
	}
}

func (f *flow) readsOnlyTX(c *chain) bool {
	for i := range c.links {
		l := &c.links[i]
		if l.Operator != nil && !f.isPure(l.Operator) {
			return false
		}
		for k := range l.Targets {
			if t := &l.Targets[k]; t.Variable != variables.TX || t.KeyRx != nil || t.Key == "" || len(t.Except) > 0 {
				return false
			}
		}
	}
	return true
}

func (f *flow) readsStatic(c *chain) bool {
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

func (f *flow) staticMacros(text string) bool {
	for _, name := range macros(text) {
		if !strings.HasPrefix(name, "tx.") || !f.static(name[3:]) {
			return false
		}
	}
	return true
}

// static reports whether a TX variable goes the same way for every transaction that is no candidate.
func (f *flow) static(name string) bool {
	if isEngines(name) {
		return false
	}
	for _, w := range f.writes {
		if w.canWrite(name) && !w.chain.dead && !w.ignorable() && !(w.chain.static && f.staticMacros(w.name) && f.staticMacros(w.value)) {
			return false
		}
	}
	return true
}

// groupNames are the TX variables that hold captured groups.
var groupNames = []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10"}

func isGroup(name string) bool { return slices.Contains(groupNames, name) }

// isEngines reports whether something else than a setvar writes a TX variable: captures, body processors, and bodies as they were logged.
func isEngines(name string) bool {
	_, isBody := rawBodies[name]
	return isBody || isGroup(name) || name == "json_request_body" || name == "json_response_body"
}

// constant reports whether a TX variable has the value of the baseline whenever a chain runs, and returns it.
func (f *flow) constant(name string, reader *chain) (value string, exists, ok bool) {
	if !f.static(name) {
		return "", false, false
	}
	for _, w := range f.writes {
		if !w.canWrite(name) || w.chain.dead || w.ignorable() {
			continue
		}
		if w.chain.phase != 1 || reader.phase == 1 && f.order[w.chain] >= f.order[reader] {
			return "", false, false
		}
	}
	value, exists = f.initial[name]
	return value, exists, true
}

func (f *flow) constantMacros(text string, reader *chain) bool {
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

// feeders returns the chains that can set variables that a target of a reader's test selects, besides the reader itself. It
// reports false when such a variable is there for every transaction, or the engine sets it: then its values are not those of the run.
func (f *flow) feeders(g *target, reader *chain) (found []feeder, ok bool) {
	for name := range f.initial {
		if g.selects(name) && !slices.ContainsFunc(f.writes, func(w *write) bool { return !w.chain.static && w.canWrite(name) }) {
			return nil, false
		}
	}
	for _, name := range slices.Concat(slices.Collect(maps.Keys(rawBodies)), groupNames, []string{"json_request_body", "json_response_body"}) {
		if g.selects(name) {
			return nil, false
		}
	}
	for _, w := range f.writes {
		if w.chain == reader || w.chain.dead || w.ignorable() || !w.canFeed(g) {
			continue
		}
		if w.chain.static {
			return nil, false
		}
		if n := len(found); n > 0 && found[n-1].chain == w.chain {
			found[n-1].tests = w.link + 1
			continue
		}
		found = append(found, feeder{w.chain, w.link + 1})
	}
	return found, true
}

// leftovers returns the links before a chain that can leave captured groups behind without making the transaction a candidate. It reports
// false when that is not known of one. Where none captures, TX:0 to TX:9 are empty.
func (f *flow) leftovers(reader *chain) (found []feeder, ok bool) {
	for _, c := range f.chains() {
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
				found = append(found, feeder{c, i + 1})
			}
		}
	}
	return found, !f.groups
}

// capturing reports whether an operator can capture.
func (f *flow) capturing(o *corazalink.Operator) bool {
	known, is := operators[strings.ToLower(o.Name)]
	return !is || known.captures
}

// canFeed reports whether the written name can be one that a target selects.
func (w *write) canFeed(g *target) bool {
	prefix, _, isTemplate := strings.Cut(w.name, "%{")
	switch {
	case g.keyRx == nil:
		return w.canWrite(g.key)
	case !isTemplate:
		return g.keyRx.MatchString(w.name)
	}
	literal := anchoredLiteral(g.keyRx.String())
	return strings.HasPrefix(literal, prefix) || strings.HasPrefix(prefix, literal)
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

// bury marks the chains that static chains skip in every transaction.
func (f *flow) bury() error {
	for place, e := range f.entries {
		c := e.chain
		if c == nil || c.dead || !c.static || !c.matches || !c.skips() {
			continue
		}
		end := f.skipEnd(place)
		if end < 0 {
			return fmt.Errorf("gate: rule %d at %s skips to marker %s, which does not follow", c.id, c.place, c.skipAfter)
		}
		for _, skipped := range f.entries[place+1 : end] {
			if s := skipped.chain; s != nil && s.phase == c.phase {
				if c.skip > 0 && s.removable {
					return fmt.Errorf("gate: rule %d at %s skips rule %d, which a ctl action can remove", c.id, c.place, s.id)
				}
				s.dead = true
				s.why = fmt.Sprintf("never runs: skipped by rule %d", c.id)
			}
		}
	}
	return nil
}

// counted returns the ids of the rules that a skip counts. Coraza does not count rules that are removed from a transaction.
func (f *flow) counted() map[int]bool {
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

// numberTriggers numbers triggers and finds those whose chain need not run when they do not fire: the first test of a chain
// decides then, and a chain of which the first test does not match does nothing. A negated operator captures without matching.
func (f *flow) numberTriggers(counted map[int]bool, triggers []trigger) []trigger {
	for i := range triggers {
		tr := &triggers[i]
		tr.number = uint32(i)
		first := tr.chain.links[:1]
		tr.removable = tr.test == &tr.chain.tests[0] && tr.chain.id != 0 && !counted[tr.chain.id] && f.neverWritten(first) &&
			!(first[0].Capture && first[0].Operator.Negated)
	}
	return triggers
}

// neverWritten reports whether no rule that depends on the transaction, candidates included, writes a TX variable that links read.
func (f *flow) neverWritten(links []corazalink.Link) bool {
	for i := range links {
		var names []string
		for k := range links[i].Targets {
			t := &links[i].Targets[k]
			if t.Variable == variables.TX && (t.KeyRx != nil || t.Key == "") {
				return false
			}
			if t.Variable == variables.TX {
				names = append(names, strings.ToLower(t.Key))
			}
		}
		if links[i].Operator != nil {
			for _, name := range macros(links[i].Operator.Argument) {
				names = append(names, strings.TrimPrefix(name, "tx."))
			}
		}
		for _, name := range names {
			if slices.ContainsFunc(f.writes, func(w *write) bool { return !w.chain.static && w.canWrite(name) }) {
				return false
			}
		}
	}
	return true
}

// txVariables returns the TX variables of a transaction, by name in lower case.
func txVariables(state plugintypes.TransactionState) map[string]string {
	values := map[string]string{}
	for _, m := range state.Variables().TX().FindAll() {
		values[strings.ToLower(m.Key())] = m.Value()
	}
	return values
}
