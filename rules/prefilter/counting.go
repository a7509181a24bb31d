package prefilter

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	corazavariables "github.com/corazawaf/coraza/v3/types/variables"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corazalink"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter/transform"
)

// Rules that only add to a score do not block by themselves: a numeric Host header, say, or most signs of an attack. Which scores those of
// a transaction lead to, and whether these reach a threshold, follows from which rules matched how many values, so the engine has to
// evaluate each such combination only once. What the rules matched in another transaction is found without it (findings.go).

// combination are the counting rules that a transaction matches, in ascending order, with what else decides what their sums lead to: which
// of the other rules run.
type combination struct {
	rules    [maxCounted]countedRule
	n        int
	response bool    // rules of phases 3 and 4 run
	exempt   *Exempt // rules that do not run
}

// countedRule is a rule with the number of values that it matched in all links of its chain, and in the last, which adds to the sums.
type countedRule struct{ id, matched, adding int32 }

const (
	maxCounted      = 12
	maxCombinations = 4096
)

func (m *combination) has(id int) bool {
	return slices.ContainsFunc(m.rules[:m.n], func(rule countedRule) bool { return rule.id == int32(id) })
}

func (m *combination) add(id, matched, adding int) bool {
	rule := countedRule{int32(id), int32(matched), int32(adding)}
	if m.n == maxCounted || int(rule.id) != id || int(rule.matched) != matched {
		return false
	}
	at := m.n
	for at > 0 && m.rules[at-1].id > rule.id {
		m.rules[at] = m.rules[at-1]
		at--
	}
	m.rules[at] = rule
	m.n++
	return true
}

// consequence is what the engine made of a transaction with a combination.
type consequence struct {
	passes bool // nothing blocked
	// The verdict on every transaction with the combination, but for the matches of the counting rules, of which it has the rules
	// only. It is nil where more than the combination decides.
	verdict *model.Verdict
}

// combinations are those that the engine has seen. It is safe for concurrent use.
type combinations struct {
	mu    sync.RWMutex
	known map[combination]consequence
}

func (c *combinations) consequence(m *combination) consequence {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.known[*m]
}

func (c *combinations) learn(m combination, o consequence) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil {
		c.known = map[combination]consequence{}
	}
	if len(c.known) < maxCombinations {
		c.known[m] = o
	}
}

// Learn takes over what the engine made of a transaction. When the counting rules that it matched are those that the answer has counted,
// the outcome is that of every transaction with the same combination.
func (g *Prefilter) Learn(a *Answer, v *model.Verdict) {
	if a.counted.n == 0 || v.Partial != 0 {
		return
	}
	counted, derived := 0, true
	for i := range v.Matches {
		m := &v.Matches[i]
		switch {
		case !a.counted.has(m.Rule.ID):
			derived = derived && g.derived[m.Rule.ID]
		case a.counted.matchedBy(m.Rule.ID) != m.Values:
			return
		default:
			counted++
		}
	}
	o := consequence{passes: !v.Blocked && len(v.Matches) == counted}
	if derived && a.Findings != nil {
		o.verdict = a.counted.outline(v)
	}
	if counted == a.counted.n && (o.passes || o.verdict != nil) {
		g.learned.learn(a.counted, o)
	}
}

// matchedBy returns how many values a rule matched.
func (m *combination) matchedBy(id int) int {
	for _, rule := range m.rules[:m.n] {
		if int(rule.id) == id {
			return int(rule.matched)
		}
	}
	return 0
}

// outline returns a verdict without what differs from one transaction with the combination to another.
func (m *combination) outline(v *model.Verdict) *model.Verdict {
	o := *v
	o.Matches = slices.Clone(v.Matches)
	for i := range o.Matches {
		if match := &o.Matches[i]; m.has(match.Rule.ID) {
			*match = model.Match{Rule: match.Rule}
		}
	}
	return &o
}

// findCounting finds the chains that do nothing but add to variables. blocks reports which chains block.
//
// A transaction can match fewer rules than the prefilter finds, never more, so a combination may only be learned if fewer matches
// never block more: all rules that read a sum must ask whether it is large, and do nothing but block or add to another sum. Everything
// else about the transaction has to be without influence, so only static chains may read a sum.
func (f *dataFlow) findCounting(blocks func(id int) bool) {
	if slices.ContainsFunc(f.chains, func(c *chain) bool {
		return blocks(c.id) && (c.phase > 4 || c.static && (c.removable || f.skippable(c)))
	}) {
		return
	}
	grow := map[string]bool{} // by the names of the sums, of which most rules have the same
	for _, c := range f.chains {
		if !c.alerts || c.static || blocks(c.id) || c.changes() || !f.onlyAdds(c) {
			continue
		}
		sums := f.sums(c)
		key := fmt.Sprint(sums == nil, slices.Sorted(maps.Keys(sums)))
		grows, known := grow[key]
		if !known {
			grows = f.onlyGrow(sums)
			grow[key] = grows
		}
		c.counts = grows
	}
}

// onlyAdds reports whether a chain does nothing but add to variables with its last link, and whether it is known how many values it matches.
// Links before may set variables that no other chain reads.
func (f *dataFlow) onlyAdds(c *chain) bool {
	for i := range c.links {
		l := &c.links[i]
		if l.Operator == nil || len(c.links) > 1 && l.MultiMatch {
			return false
		}
		c.surplus = l.MultiMatch && slices.ContainsFunc(l.Transformations, func(t corazalink.Transformation) bool { return !transform.ExactReports[t.Name] })
	}
	return !slices.ContainsFunc(c.writes, func(w *write) bool {
		return !(w.link == len(c.links)-1 && f.adds(w)) && !f.isPrivate(w)
	})
}

// isPrivate reports whether a write gives a value to a variable that only links behind it read.
func (f *dataFlow) isPrivate(w *write) bool {
	if w.isTemplate || w.remove || strings.HasPrefix(w.value, "+") || strings.HasPrefix(w.value, "-") {
		return false
	}
	if f.readers == nil {
		f.findReaders()
	}
	isElsewhere := func(r reader) bool { return r.chain != w.chain || r.link <= w.link }
	return !slices.ContainsFunc(f.readers[w.name], isElsewhere) && !slices.ContainsFunc(f.readers[""], func(r reader) bool {
		reads, _ := f.readsSums(&r.chain.links[r.link], map[string]bool{w.name: true})
		return reads && isElsewhere(r)
	})
}

// reader is a link of a chain that reads a TX variable.
type reader struct {
	chain *chain
	link  int
}

// findReaders notes which links can read which TX variables.
func (f *dataFlow) findReaders() {
	f.readers = map[string][]reader{}
	for _, c := range f.chains {
		for i := range c.links {
			for _, name := range txNamesIn(&c.links[i]) {
				f.readers[name] = append(f.readers[name], reader{c, i})
			}
		}
	}
}

// txNamesIn returns the names of the TX variables that a link can read in any way, and "" for a target that selects them by an expression,
// or all.
func txNamesIn(l *corazalink.Link) (names []string) {
	for i := range l.Targets {
		t := &l.Targets[i]
		switch {
		case t.Variable != corazavariables.TX:
		case t.KeyRx != nil:
			names = append(names, "")
		default:
			names = append(names, strings.ToLower(t.Key))
		}
	}
	for _, template := range templates(l) {
		for _, macro := range macros(template) {
			if name, isTX := strings.CutPrefix(macro, "tx."); isTX {
				names = append(names, name)
			}
		}
	}
	return names
}

// templates returns the texts of a link that can have macros.
func templates(l *corazalink.Link) []string {
	all := []string{l.Message, l.LogData}
	if l.Operator != nil {
		all = append(all, l.Operator.Argument)
	}
	for _, a := range assignments(l) {
		all = append(all, a.name, a.value)
	}
	return all
}

// sums returns the names of the variables to which a chain adds, and of those to which static chains add them. It is nil when a name is
// not known.
func (f *dataFlow) sums(c *chain) map[string]bool {
	sums := map[string]bool{}
	add := func(w *write) bool {
		if strings.Contains(w.name, "%{") {
			return false
		}
		sums[w.name] = true
		return true
	}
	if slices.ContainsFunc(c.writes, func(w *write) bool { return f.adds(w) && !add(w) }) {
		return nil
	}
	for before := -1; before < len(sums); {
		before = len(sums)
		for _, w := range f.writes {
			if w.chain.static && w.chain.phase <= 4 && (f.readsAny(w.value, sums) || f.readsSum(w.chain, sums)) && !add(w) {
				return nil
			}
		}
	}
	return sums
}

// readsSum reports whether a link of a chain reads one of the sums.
func (f *dataFlow) readsSum(c *chain, sums map[string]bool) bool {
	return slices.ContainsFunc(c.links, func(l corazalink.Link) bool { reads, _ := f.readsSums(&l, sums); return reads })
}

// readsAny reports whether a template has a macro of one of the TX variables.
func (f *dataFlow) readsAny(template string, names map[string]bool) bool {
	return slices.ContainsFunc(macros(template), func(macro string) bool {
		name, isTX := strings.CutPrefix(macro, "tx.")
		return isTX && names[name]
	})
}

// adds reports whether a write adds a number that is not negative to a variable of a fixed name.
func (f *dataFlow) adds(w *write) bool {
	if w.remove || !strings.HasPrefix(w.value, "+") || strings.Contains(w.value, "-") || strings.Contains(w.name, "%{") ||
		!f.constantMacros(w.value, w.chain) {
		return false
	}
	for _, macro := range macros(w.value) {
		value, _, _ := f.constant(strings.TrimPrefix(macro, "tx."), w.chain)
		if value == "" || strings.ContainsFunc(value, func(c rune) bool { return c < '0' || c > '9' }) {
			return false
		}
	}
	return true
}

// onlyGrow reports whether larger sums never make a rule block, set or skip less, and nothing but static rules reads them.
func (f *dataFlow) onlyGrow(sums map[string]bool) bool {
	if sums == nil {
		return false
	}
	return !slices.ContainsFunc(f.chains, func(c *chain) bool {
		if c.dead || c.phase > 4 {
			return false
		}
		reads := false
		for i := range c.links {
			is, larger := f.readsSums(&c.links[i], sums)
			if !larger {
				return true
			}
			reads = reads || is
		}
		writes := slices.ContainsFunc(c.writes, func(w *write) bool { return sums[w.name] && c.static })
		if (reads || writes) && (c.removable || f.skippable(c)) {
			return true // then more than the sums decides
		}
		return reads && (!c.static || c.changes() || c.removes()) || slices.ContainsFunc(c.writes, func(w *write) bool {
			if !reads && !f.readsAny(w.value, sums) && !f.readsAny(w.name, sums) {
				return false
			}
			return !c.static || w.remove || !strings.HasPrefix(w.value, "+") || strings.Contains(w.value, "-") || f.readsAny(w.name, sums)
		})
	})
}

// readsSums reports whether a link reads one of the sums, and whether a larger one only makes it match more.
func (f *dataFlow) readsSums(l *corazalink.Link, sums map[string]bool) (reads, larger bool) {
	larger = true
	for i := range l.Targets {
		t := &l.Targets[i]
		is := t.Variable == corazavariables.TX && t.Key == "" && t.KeyRx == nil
		for name := range sums {
			is = is || t.Variable == corazavariables.TX && (strings.ToLower(t.Key) == name || t.KeyRx != nil && t.KeyRx.MatchString(name))
		}
		if is {
			larger = larger && !t.Count && grows(l)
		}
		reads = reads || is
	}
	return reads, larger && (l.Operator == nil || !f.readsAny(l.Operator.Argument, sums))
}

// Mistrust has the matches of a rule be reported by the engine from now on.
func (g *Prefilter) Mistrust(id int) {
	for _, c := range g.reported {
		if c.id == id {
			c.mistrusted.Store(true)
		}
	}
}
