package gate

import (
	"regexp"
	"slices"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/seclang"
)

// flow knows which rules write which TX variables, and which of them come out the same for every transaction on which no
// watched rule matches.
type flow struct {
	entries []entry
	writes  []write
	order   map[*chain]int // place in entries
	initial map[string]string
}

// write is one setvar action.
type write struct {
	chain *chain
	at    int    // test of the chain that has it
	last  bool   // that is the last test
	name  string // lower case, without TX.; variables in it stay as templates
	value string
}

var macroPattern = regexp.MustCompile(`%\{([^}]*)\}`)

func newFlow(entries []entry) *flow {
	f := &flow{entries: entries, order: map[*chain]int{}}
	for place, e := range entries {
		if e.chain == nil {
			continue
		}
		f.order[e.chain] = place
		for i := range e.rules {
			for _, a := range assignments(&e.rules[i]) {
				f.writes = append(f.writes, write{e.chain, i, i == len(e.rules)-1, a.name, a.value})
			}
		}
	}
	return f
}

// settle finds the static chains: those that look at nothing but TX variables that are the same for every transaction. It
// starts with all that look at TX variables only and takes away until nothing changes.
func (f *flow) settle() {
	for _, e := range f.entries {
		if e.chain != nil {
			e.chain.static = e.chain.opaque == "" && readsOnlyTX(e.rules)
		}
	}
	for changed := true; changed; {
		changed = false
		for _, e := range f.entries {
			if e.chain != nil && e.chain.static && !f.readsStatic(e) {
				e.chain.static, changed = false, true
			}
		}
	}
}

func readsOnlyTX(rules []seclang.Rule) bool {
	for i := range rules {
		for _, t := range rules[i].Targets {
			if t.Variable != "TX" || t.IsRegex || t.Key == "" {
				return false
			}
		}
	}
	return true
}

func (f *flow) readsStatic(e entry) bool {
	for i := range e.rules {
		for _, t := range e.rules[i].Targets {
			if !f.static(strings.ToLower(t.Key)) {
				return false
			}
		}
		if !f.staticMacros(e.rules[i].Operator.Argument) {
			return false
		}
	}
	return true
}

func (f *flow) staticMacros(text string) bool {
	for _, m := range macroPattern.FindAllStringSubmatch(text, -1) {
		name := strings.ToLower(m[1])
		if !strings.HasPrefix(name, "tx.") || !f.static(name[3:]) {
			return false
		}
	}
	return true
}

// static reports whether a TX variable goes the same way for every transaction on which no watched chain matches.
func (f *flow) static(name string) bool {
	if _, isBody := rawBodies[name]; isBody || isGroup(name) || name == "json_request_body" || name == "json_response_body" {
		return false
	}
	for _, w := range f.writes {
		if w.canWrite(name) && !w.ignorable() && !(w.chain.static && (w.chain.dead || f.staticMacros(w.value))) {
			return false
		}
	}
	return true
}

// ignorable reports whether the write only happens when a watched chain matches, and then the engine judges anyway.
func (w *write) ignorable() bool { return w.chain.watched && w.last }

func (w *write) canWrite(name string) bool {
	prefix, _, isTemplate := strings.Cut(w.name, "%{")
	if !isTemplate {
		return w.name == name
	}
	return strings.HasPrefix(name, prefix)
}

// constant reports whether a TX variable has the value of the baseline whenever a chain runs, and returns it.
func (f *flow) constant(name string, reader *chain) (value string, exists, ok bool) {
	if !f.static(name) {
		return "", false, false
	}
	for _, w := range f.writes {
		if !w.canWrite(name) || w.ignorable() || w.chain == reader {
			continue
		}
		if w.chain.phase != 1 || reader.phase == 1 && f.order[w.chain] > f.order[reader] {
			return "", false, false
		}
	}
	value, exists = f.initial[name]
	return value, exists, true
}

func (f *flow) constantMacros(text string, reader *chain) bool {
	for _, m := range macroPattern.FindAllStringSubmatch(text, -1) {
		name := strings.ToLower(m[1])
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
// reports false when such a variable is there for every transaction: then its values are not those of the run.
func (f *flow) feeders(g *target, reader *chain) (found []feeder, ok bool) {
	for name := range f.initial {
		if g.selects(name) && !slices.ContainsFunc(f.writes, func(w write) bool { return !w.chain.static && w.canWrite(name) }) {
			return nil, false
		}
	}
	for _, w := range f.writes {
		if w.chain == reader || w.chain.dead || w.ignorable() || !w.canFeed(g) {
			continue
		}
		if w.chain.static || w.chain.opaque != "" {
			return nil, false
		}
		if n := len(found); n > 0 && found[n-1].chain == w.chain {
			found[n-1].tests = w.at + 1
			continue
		}
		found = append(found, feeder{w.chain, w.at + 1})
	}
	return found, true
}

// canFeed reports whether the written name can be one that a target selects.
func (w *write) canFeed(g *target) bool {
	if g.keyRx != nil {
		return w.canMatch(g.keyRx)
	}
	return w.canWrite(g.key)
}

// canMatch reports whether the written name can be one that a selector finds.
func (w *write) canMatch(rx *regexp.Regexp) bool {
	prefix, _, isTemplate := strings.Cut(w.name, "%{")
	if !isTemplate {
		return rx.MatchString(w.name)
	}
	literal := anchoredLiteral(rx.String())
	return strings.HasPrefix(literal, prefix) || strings.HasPrefix(prefix, literal)
}

var plainPrefix = regexp.MustCompile(`^\^([A-Za-z0-9_]*)`)

// anchoredLiteral returns the text with which everything starts that an expression finds, "" when there is none.
func anchoredLiteral(pattern string) string {
	m := plainPrefix.FindStringSubmatch(pattern)
	if m == nil || len(m[0]) < len(pattern) && strings.ContainsRune("*?{|", rune(pattern[len(m[0])])) {
		return ""
	}
	return strings.ToLower(m[1])
}

func isGroup(name string) bool {
	return len(name) == 1 && name[0] >= '0' && name[0] <= '9' || name == "10"
}

// bury marks the chains that static chains skip in every transaction.
func (f *flow) bury() (trouble string) {
	for place, e := range f.entries {
		c := e.chain
		if c == nil || c.dead || !c.static || !c.matches || c.skips == "" && c.skip == 0 {
			continue
		}
		end := f.rangeEnd(place)
		if end < 0 {
			return "the rule at " + c.place + " skips to a marker that does not follow"
		}
		for _, skipped := range f.entries[place+1 : end] {
			if s := skipped.chain; s != nil && s.phase == c.phase {
				s.dead = true
				s.why = "never runs: skipped by rule " + itoa(c.id)
			}
		}
	}
	return ""
}

// rangeEnd returns the place behind the last entry that a chain skips when it matches, -1 when there is no such place.
func (f *flow) rangeEnd(place int) int {
	c := f.entries[place].chain
	if c.skips != "" {
		for i := place + 1; i < len(f.entries); i++ {
			if f.entries[i].marker == c.skips {
				return i
			}
		}
		return -1
	}
	left := c.skip
	for i := place + 1; i < len(f.entries); i++ {
		if s := f.entries[i].chain; s != nil && s.phase == c.phase {
			if left--; left == 0 {
				return i + 1
			}
		}
	}
	return len(f.entries)
}

// guardSkips makes the engine judge when a chain matches that depends on the transaction and skips a rule on which other
// conclusions rest: a static rule that sets, selects, or skips beyond the same place.
func (f *flow) guardSkips() {
	for place, e := range f.entries {
		c := e.chain
		if c == nil || c.dead || c.static || c.skips == "" && c.skip == 0 {
			continue
		}
		end := f.rangeEnd(place)
		if end < 0 {
			c.watched = true
			continue
		}
		for i := place + 1; i < end; i++ {
			if s := f.entries[i].chain; s != nil && s.phase == c.phase && s.static && !s.dead && f.matters(i, end) {
				c.watched = true
			}
		}
	}
}

func (f *flow) matters(place, end int) bool {
	c := f.entries[place].chain
	if len(c.effects) > 0 || c.watched || slices.ContainsFunc(f.writes, func(w write) bool { return w.chain == c }) {
		return true
	}
	if c.skips == "" && c.skip == 0 {
		return false
	}
	own := f.rangeEnd(place)
	return own < 0 || own > end
}

// numberTriggers numbers triggers and finds those whose chain need not run when they do not fire: the first test of a chain
// decides then, and a chain of which the first test does not match does nothing. Chains that a count of rules to skip
// covers are left alone, because Coraza does not count rules that are taken out of a transaction.
func (f *flow) numberTriggers(triggers []trigger) []trigger {
	counted := map[*chain]bool{}
	for place, e := range f.entries {
		if e.chain == nil || e.chain.skip == 0 {
			continue
		}
		for _, skipped := range f.entries[place+1 : f.rangeEnd(place)] {
			counted[skipped.chain] = true
		}
	}
	for i := range triggers {
		tr := &triggers[i]
		tr.number = uint16(i)
		first := f.entries[f.order[tr.chain]].rules[:1]
		tr.removable = tr.test == &tr.chain.tests[0] && tr.chain.id != 0 && !counted[tr.chain] && f.neverWritten(first)
	}
	return triggers
}

// neverWritten reports whether no rule that depends on the transaction, watched or not, writes a TX variable that rules read.
func (f *flow) neverWritten(rules []seclang.Rule) bool {
	for i := range rules {
		var names []string
		for _, t := range rules[i].Targets {
			if t.Variable == "TX" {
				names = append(names, strings.ToLower(t.Key))
			}
		}
		for _, m := range macroPattern.FindAllStringSubmatch(rules[i].Operator.Argument, -1) {
			names = append(names, strings.TrimPrefix(strings.ToLower(m[1]), "tx."))
		}
		for _, name := range names {
			if slices.ContainsFunc(f.writes, func(w write) bool { return !w.chain.static && w.canWrite(name) }) {
				return false
			}
		}
	}
	return true
}
