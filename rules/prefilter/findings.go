package prefilter

import (
	"slices"
	"strings"

	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corazalink"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter/variables"
)

// Finding is the match of a rule as the engine would report it. It shares no memory with the transaction.
type Finding struct {
	Rule    int
	Message string // msg with its macros expanded
	Data    string // logdata with its macros expanded
	Matched []Matched
	Value   string // what matched last, after the rule's transformations
	Link    int    // place in the chain of the rule that matched last
}

// Matched names a value that a rule matched.
type Matched struct{ Variable, Key string }

// name returns the value of MATCHED_VAR_NAME.
func (m *Matched) name() string {
	if m.Key == "" {
		return m.Variable
	}
	return m.Variable + ":" + m.Key
}

// report is how the matches of a counting rule are reported.
type report struct {
	message, data []token
	names         [][]Matched // of the targets of each link, with the key of those that have only one value
	capturing     int         // the link whose groups the macros read, -1 when they read none
	guards        []*chain    // unless the first link of one matches, the rule runs
}

// token is a part of a message: a text, or a macro.
type token struct {
	text  string // of a macro, what stands for it when it has no value
	macro macro
	// group is the number of a captured group, key that of a header, source a variable.
	group  int
	key    string
	source variables.Source
}

type macro uint8

const (
	noMacro        macro = iota
	macroValue           // MATCHED_VAR
	macroName            // MATCHED_VAR_NAME
	macroGroup           // TX:0 and so on
	macroSource          // a variable with one value
	macroCollected       // the first value of a key
)

// findReported finds the counting chains whose matches are reported without the engine, and the ids of alerting rules whose matches follow
// from a combination. scores are the TX variables that a verdict has: unless they follow from it, too, no chain is reported.
//
// All that the prefilter assumes of a chain that is reported is exact: that it runs, and that it matches whenever the prefilter says so, with
// the same values.
func (p *compiler) findReported(scores []string) (reported []*chain, derived map[int]bool) {
	f := p.dataFlow
	if slices.ContainsFunc(scores, func(name string) bool { return !f.followsFromCombination(name) }) {
		return nil, nil
	}
	derived = map[int]bool{}
	for _, c := range f.chains {
		switch {
		case c.dead:
		case c.counts:
			if c.reports = p.newReport(c); c.reports != nil {
				reported = append(reported, c)
			}
		case c.alerts && c.static && !c.removable && !f.skippable(c):
			derived[c.id] = f.derives(c)
		}
	}
	return reported, derived
}

// followsFromCombination reports whether a TX variable has the same value in all transactions with a combination: counting chains may give it no
// value of the transaction.
func (f *dataFlow) followsFromCombination(name string) bool {
	return f.static(name) && !f.isWritten(name, func(w *write) bool {
		return w.chain.counts && !f.constantMacros(w.value, w.chain)
	})
}

// derives reports whether the messages of a static chain follow from a combination: they have macros of static variables and sums only.
func (f *dataFlow) derives(c *chain) bool {
	for i := range c.links {
		for _, name := range macros(c.links[i].Message + c.links[i].LogData) {
			tx, isTX := strings.CutPrefix(name, "tx.")
			if name != "matched_var" && name != "matched_var_name" && !(isTX && f.static(tx)) {
				return false
			}
		}
	}
	return true
}

// newReport returns how the matches of a counting chain are reported, nil when it has a construct whose matches the prefilter does not know
// as the engine does.
func (p *compiler) newReport(c *chain) *report {
	if len(c.tests) != len(c.links) {
		return nil
	}
	f, r := p.dataFlow, &report{capturing: -1}
	for i := range c.tests {
		names, ok := reportedNames(&c.tests[i], &c.links[i], p.state)
		if !ok || i > 0 && c.links[i].Message+c.links[i].LogData != "" {
			return nil
		}
		r.names = append(r.names, names)
	}
	var ok bool
	if r.message, ok = f.tokens(c, c.links[0].Message); !ok {
		return nil
	}
	if r.data, ok = f.tokens(c, c.links[0].LogData); !ok {
		return nil
	}
	isGroup := func(t token) bool { return t.macro == macroGroup }
	if slices.ContainsFunc(r.message, isGroup) || slices.ContainsFunc(r.data, isGroup) {
		if r.capturing = f.lastCapturing(c); r.capturing < 0 {
			return nil // the group is one of a rule before
		}
	}
	if r.guards, ok = p.guards(c); !ok {
		return nil
	}
	return r
}

// guards returns the chains that can skip or remove a chain. It reports false when one does so in every transaction.
func (p *compiler) guards(c *chain) (found []*chain, ok bool) {
	if !c.removable && !p.dataFlow.skippable(c) {
		return nil, true
	}
	for _, other := range p.dataFlow.chains {
		switch {
		case other == c || other.dead || !p.dataFlow.prevents(other, c):
		case other.static && !other.matches && !other.differs:
		case other.static:
			return nil, false
		default:
			p.compile(other)
			found = append(found, other)
		}
	}
	return found, true
}

// prevents reports whether a chain can skip or remove another.
func (f *dataFlow) prevents(other, c *chain) bool {
	for _, ctl := range other.removals {
		if !strings.HasPrefix(ctl.Name, "ruleRemoveTarget") && c.isNamedBy(ctl) {
			return true
		}
	}
	return f.canSkip(other, c)
}

// lastCapturing returns the last link of a chain whose operator captures, -1 when there is none, or when one captures without matching.
func (f *dataFlow) lastCapturing(c *chain) (last int) {
	last = -1
	for i := range c.links {
		if l := &c.links[i]; l.Capture && f.capturing(l.Operator) {
			if l.Operator.Negated {
				return -1
			}
			last = i
		}
	}
	return last
}

// reportedNames returns how Coraza names the values of a link's targets. It reports false for a link whose values are not known one by one.
func reportedNames(t *test, l *corazalink.Link, state plugintypes.TransactionState) (names []Matched, ok bool) {
	if t.unknown || t.constant || t.all || t.limited != nil || len(t.alternatives) > 0 {
		return nil, false
	}
	for i := range t.targets {
		name, ok := reportedName(&t.targets[i], &l.Targets[i], state)
		if !ok {
			return nil, false
		}
		names = append(names, name)
	}
	return names, true
}

// reportedName returns how Coraza names the values of a target. It reports false for one whose values are not known one by one.
func reportedName(g *target, t *corazalink.Target, state plugintypes.TransactionState) (m Matched, ok bool) {
	m.Variable = t.Variable.Name()
	if from := state.Collection(t.Variable); from != nil {
		m.Variable = from.Name() // XML is REQUEST_XML
	}
	switch {
	case g.values != nil:
		return m, false
	case g.counts: // of other collections, Coraza may keep fewer values
		m.Key = t.Key
		return m, g.Kind <= variables.OfNames && g.keyRx == nil && len(g.Collections) == 1 && byKey(g.Collections[0])
	case g.Kind == variables.OfTX: // that a link before has set
		m.Key = g.key
		return m, g.keyRx == nil && g.key != "" && !isGroup(g.key) && len(g.except) == 0 && len(g.producers) == 0
	case g.Kind == variables.OfSingle:
		m.Key = strings.ToLower(t.Key) // of a body as it was logged
		return m, true
	}
	return m, g.Kind == variables.OfPairs || g.Kind == variables.OfNames || g.Kind == variables.OfNothing
}

// tokens splits a message as Coraza does. It reports false when it has a macro whose value is not known.
func (f *dataFlow) tokens(c *chain, text string) (all []token, ok bool) {
	for text != "" {
		before, rest, found := strings.Cut(text, "%{")
		if before != "" {
			all = append(all, token{text: before})
		}
		if !found {
			return all, true
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			return nil, false
		}
		part, known := f.macroToken(c, name)
		if !known {
			return nil, false
		}
		all, text = append(all, part), after
	}
	return all, true
}

func (f *dataFlow) macroToken(c *chain, text string) (t token, known bool) {
	variable, key, _ := strings.Cut(text, ".")
	variable, key = strings.ToUpper(variable), strings.ToLower(key)
	t.text = text
	switch {
	case variable == "MATCHED_VAR" && key == "":
		t.macro = macroValue
	case variable == "MATCHED_VAR_NAME" && key == "":
		t.macro = macroName
	case variable == "TX" && isGroup(key) && key != "10":
		t.macro, t.group = macroGroup, int(key[0]-'0')
		return t, !f.groups
	case variable == "TX":
		value, exists, ok := f.constant(key, c)
		if exists {
			t.text = value
		}
		return t, ok && key != "" && f.isInvariantTX(key, map[string]bool{})
	default:
		t.source, known = variables.Sources[variable]
		isHeader := len(t.source.Collections) == 1 && byKey(t.source.Collections[0]) && t.source.Kind == variables.OfPairs
		switch {
		case !known || t.source.From > c.phase:
			return t, false
		case t.source.Kind == variables.OfSingle && key == "":
			t.macro = macroSource
		case isHeader && key != "":
			t.macro, t.key = macroCollected, key
		default:
			return t, false
		}
	}
	return t, true
}

// countedChain is a chain that was counted, with the number of values that it matched, and its match when that was needed for the number.
type countedChain struct {
	chain   *chain
	matched int
	found   *Finding
}

// findings returns the matches of the rules that were counted, nil when one of them is not certain to be as the engine would report it.
func (s *scratch) findings() []Finding {
	all := make([]Finding, 0, s.counted.n)
	for _, c := range s.reporting[:s.counted.n] {
		if c.found != nil {
			all = append(all, *c.found)
			continue
		}
		found, ok := s.finding(c.chain)
		if !ok || len(found.Matched) != c.matched {
			return nil
		}
		all = append(all, found)
	}
	return all
}

// finding returns the match of a chain that matches the transaction. It reports false when it is not certain.
func (s *scratch) finding(c *chain) (found Finding, ok bool) {
	if c.reports == nil || c.mistrusted.Load() {
		return found, false
	}
	for _, guard := range c.reports.guards {
		if s.run.reset(&s.variables); s.run.test(&guard.tests[0]) {
			return found, false
		}
	}
	w := &reporter{scratch: s, chain: c, found: Finding{Rule: c.id}}
	s.run.reset(&s.variables)
	for w.link = range c.tests {
		before := len(w.found.Matched)
		for i := range c.tests[w.link].targets {
			if !w.target(i) {
				return found, false
			}
		}
		if len(w.found.Matched) == before {
			return found, false
		}
	}
	if len(c.tests) > 1 && !w.tell() {
		return found, false
	}
	w.found.Value = strings.Clone(w.found.Value)
	return w.found, true
}

// reporter finds the match of one chain.
type reporter struct {
	scratch *scratch
	chain   *chain
	link    int
	found   Finding
	groups  captured // of the last match of the link whose groups the macros read
}

// target tries the values of a target. It reports false when the match is not certain.
func (w *reporter) target(i int) bool {
	g, v := &w.chain.tests[w.link].targets[i], &w.scratch.variables
	m := w.chain.reports.names[w.link][i]
	switch {
	case g.counts:
		return w.value(i, m, v.Arena.Number(count(v, g)))
	case g.Kind == variables.OfNothing:
		return true
	case g.Kind == variables.OfTX:
		text, ok := w.assigned(g.key)
		return ok && w.value(i, m, text)
	case g.Kind == variables.OfSingle:
		text := v.Single[g.Variable]
		before := len(w.found.Matched)
		isSure := g.selects("") && w.value(i, m, text)
		return isSure && (text != "" || m.Key == "" || len(w.found.Matched) == before) // there is no body as it was logged where it is empty
	}
	for _, from := range g.Collections {
		if !w.collection(i, m, v.Pairs[from]) {
			return false
		}
	}
	return true
}

// collection tries the values of a collection that a target selects. It reports false when the match is not certain, or Coraza has what matches
// in another order: it has the values of a name in a row.
func (w *reporter) collection(i int, m Matched, pairs []variables.Pair) bool {
	g, last := &w.chain.tests[w.link].targets[i], 0 // the first value of the name that matched last
	for k := range pairs {
		p := &pairs[k]
		if !g.selects(p.Key) {
			continue
		}
		text := p.Value
		if g.Kind == variables.OfNames {
			text = p.Name
		}
		before := len(w.found.Matched)
		m.Key = p.Name
		if !w.value(i, m, text) {
			return false
		}
		if len(w.found.Matched) == before {
			continue
		}
		first := slices.IndexFunc(pairs, func(other variables.Pair) bool { return other.Key == p.Key })
		if first < last || isAmbiguous(pairs, p) {
			return false
		}
		last = first
	}
	return true
}

// assigned returns the value that a link before has given a TX variable. It reports false when there is not just one.
func (w *reporter) assigned(name string) (value string, ok bool) {
	for i := range w.scratch.run.local {
		switch l := &w.scratch.run.local[i]; {
		case l.unknownName || l.name == name && (l.unknownValue || ok):
			return "", false
		case l.name == name:
			value, ok = l.value, true
		}
	}
	return value, ok
}

// isAmbiguous reports whether names of a collection differ from that of a value in case only. Coraza keeps one of them, or both.
func isAmbiguous(pairs []variables.Pair, p *variables.Pair) bool {
	for i := range pairs {
		if pairs[i].Key == p.Key && pairs[i].Name != p.Name {
			return true
		}
	}
	return false
}

// value tries a value of the target at a place.
func (w *reporter) value(at int, m Matched, value string) bool {
	s, t := w.scratch, &w.chain.tests[w.link]
	s.run.results.Start(value, s.run.steps)
	if !t.multi {
		return w.text(at, m, s.run.results.After(t.last))
	}
	sure := w.text(at, m, value)
	for _, step := range w.chain.links[w.link].Transformations {
		text, changed, err := step.Apply(value)
		if err != nil || !changed {
			continue
		}
		value = text
		s.run.results.Start(value, s.run.steps)
		sure = sure && w.text(at, m, value)
	}
	return sure
}

// text tries what the transformations made of a value.
func (w *reporter) text(at int, m Matched, text string) bool {
	run, t, l := &w.scratch.run, &w.chain.tests[w.link], &w.chain.links[w.link]
	if run.decide(t, text) == t.negated {
		return true
	}
	if slices.Contains(w.chain.lost, l.Targets[at].Variable) {
		return false // a rule may have removed the target from this one
	}
	if w.link == w.chain.reports.capturing {
		w.groups.n = 0
		if !l.Operator.Implementation.Evaluate(&w.groups, text) {
			return false
		}
	}
	run.match(t, text)
	m.Key = strings.Clone(m.Key)
	w.found.Matched = append(w.found.Matched, m)
	w.found.Value, w.found.Link = text, w.link
	return len(w.chain.tests) > 1 || w.found.Message != "" || w.tell()
}

// tell expands the messages for what matched last. The engine reports the first message of a rule, and the data that belongs to it; for a
// chain, when all of it has matched.
func (w *reporter) tell() bool {
	r := w.chain.reports
	message, ok := w.expand(r.message)
	if !ok || message == "" {
		return ok
	}
	w.found.Message = message
	w.found.Data, ok = w.expand(r.data)
	return ok
}

// expand expands the macros of a message for what matched last. It reports false when one has the value of a rule before.
func (w *reporter) expand(parts []token) (string, bool) {
	if len(parts) == 1 && parts[0].macro == noMacro {
		return parts[0].text, true
	}
	var b strings.Builder
	for i := range parts {
		switch p := &parts[i]; p.macro {
		case noMacro:
			b.WriteString(p.text)
		case macroValue:
			b.WriteString(w.found.Value)
		case macroName:
			b.WriteString(w.found.Matched[len(w.found.Matched)-1].name())
		case macroGroup:
			if p.group >= w.groups.n {
				return "", false
			}
			b.WriteString(w.groups.texts[p.group])
		case macroSource:
			b.WriteString(w.scratch.variables.Single[p.source.Variable])
		case macroCollected:
			value, found := w.scratch.variables.First(p.source.Collections[0], p.key)
			if !found {
				value = p.text
			}
			b.WriteString(value)
		}
	}
	return b.String(), true
}

// captured is the transaction of an operator that captures, and looks at nothing else.
type captured struct {
	plugintypes.TransactionState
	texts [10]string
	n     int // of texts
}

// Capturing implements plugintypes.TransactionState.
func (c *captured) Capturing() bool { return true }

// CaptureField implements plugintypes.TransactionState.
func (c *captured) CaptureField(index int, value string) {
	if index == c.n && index < len(c.texts) {
		c.texts[index] = value
		c.n++
	}
}

var _ plugintypes.TransactionState = (*captured)(nil)
