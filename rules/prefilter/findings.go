package prefilter

import (
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
	names         []Matched            // of the targets, with the key of those that have only one value
	captures      plugintypes.Operator // Coraza's, nil when no macro reads what it captures
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
// All that the prefilter assumes of a chain that is reported is exact: it runs for every transaction, and it matches whenever the prefilter
// says so, with the same values.
func (f *dataFlow) findReported(scores []string, state plugintypes.TransactionState) (reported []*chain, derived map[int]bool) {
	for _, name := range scores {
		if !f.static(name) {
			return nil, nil
		}
	}
	derived = map[int]bool{}
	for _, c := range f.chains {
		switch {
		case c.dead || c.removable || f.skippable(c):
		case c.counts:
			if c.reports = f.newReport(c, state); c.reports != nil {
				reported = append(reported, c)
			}
		case c.alerts && c.static:
			derived[c.id] = f.derives(c)
		}
	}
	return reported, derived
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
func (f *dataFlow) newReport(c *chain, state plugintypes.TransactionState) *report {
	if len(c.tests) != 1 {
		return nil
	}
	t, l := &c.tests[0], &c.links[0]
	if t.unknown || t.constant || t.all || t.limited != nil || len(t.alternatives) > 0 {
		return nil
	}
	r := &report{}
	for i := range t.targets {
		name, ok := reportedName(&t.targets[i], &l.Targets[i], state)
		if !ok {
			return nil
		}
		r.names = append(r.names, name)
	}
	var ok bool
	if r.message, ok = f.tokens(c, l.Message); !ok {
		return nil
	}
	if r.data, ok = f.tokens(c, l.LogData); !ok {
		return nil
	}
	for _, part := range append(r.message, r.data...) {
		if part.macro != macroGroup {
			continue
		}
		if !t.captures || t.negated || !f.capturing(l.Operator) {
			return nil // the group is one of a rule before
		}
		r.captures = l.Operator.Implementation
	}
	return r
}

// reportedName returns how Coraza names the values of a target. It reports false for one whose values are not known one by one.
func reportedName(g *target, t *corazalink.Target, state plugintypes.TransactionState) (m Matched, ok bool) {
	m.Variable = t.Variable.Name()
	if from := state.Collection(t.Variable); from != nil {
		m.Variable = from.Name() // XML is REQUEST_XML
	}
	switch {
	case g.counts || g.values != nil:
		return m, false
	case g.Kind == variables.OfSingle:
		m.Key = strings.ToLower(t.Key) // of a body as it was logged
		return m, true
	case g.Kind == variables.OfPairs || g.Kind == variables.OfNames:
		return m, true
	}
	return m, g.Kind == variables.OfNothing
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

// findings returns the matches of the rules that were counted, nil when one of them is not certain to be as the engine would report it.
func (s *scratch) findings() []Finding {
	all := make([]Finding, 0, s.counted.n)
	for _, c := range s.reporting[:s.counted.n] {
		if c.reports == nil || c.mistrusted.Load() {
			return nil
		}
		found, ok := s.finding(c)
		if !ok || len(found.Matched) != s.counted.valuesOf(c.id) {
			return nil
		}
		all = append(all, found)
	}
	return all
}

// finding returns the match of a chain that matches the transaction. It reports false when it is not certain.
func (s *scratch) finding(c *chain) (found Finding, ok bool) {
	t := &c.tests[0]
	w := &reporter{scratch: s, chain: c, test: t, found: Finding{Rule: c.id}}
	s.run.reset(&s.variables)
	for i := range t.targets {
		if !w.target(i) {
			return found, false
		}
	}
	w.found.Value = strings.Clone(w.found.Value)
	return w.found, true
}

// reporter finds the match of one chain.
type reporter struct {
	scratch *scratch
	chain   *chain
	test    *test
	found   Finding
}

// target tries the values of a target. It reports false when the match is not certain.
func (w *reporter) target(i int) bool {
	g, v := &w.test.targets[i], &w.scratch.variables
	m := w.chain.reports.names[i]
	switch g.Kind {
	case variables.OfNothing:
		return true
	case variables.OfSingle:
		text := v.Single[g.Variable]
		isSure := g.selects("") && w.value(i, m, text)
		return isSure && (text != "" || m.Key == "" || len(w.found.Matched) == 0) // there is no body as it was logged where it is empty
	}
	for _, from := range g.Collections {
		for k := range v.Pairs[from] {
			p := &v.Pairs[from][k]
			if !g.selects(p.Key) {
				continue
			}
			text := p.Value
			if g.Kind == variables.OfNames {
				text = p.Name
			}
			before := len(w.found.Matched)
			m.Key = p.Name
			if !w.value(i, m, text) || len(w.found.Matched) > before && isAmbiguous(v.Pairs[from], p) {
				return false
			}
		}
	}
	return true
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
	s, t := w.scratch, w.test
	s.run.results.Start(value, s.run.steps)
	if !t.multi {
		return w.text(at, m, s.run.results.After(t.last))
	}
	for i := len(t.path) - 1; i >= 0; i-- {
		step := t.path[i]
		text := s.run.results.After(step)
		if (step.Parent == nil || text != s.run.results.After(step.Parent)) && !w.text(at, m, text) {
			return false
		}
	}
	return true
}

// text tries what the transformations made of a value.
func (w *reporter) text(at int, m Matched, text string) bool {
	if w.scratch.run.decide(w.test, text) == w.test.negated {
		return true
	}
	for _, lost := range w.chain.lost {
		if lost == w.chain.links[0].Targets[at].Variable {
			return false // a rule may have removed the target from this one
		}
	}
	r := w.chain.reports
	var groups captured
	if r.captures != nil && !r.captures.Evaluate(&groups, text) {
		return false
	}
	m.Key = strings.Clone(m.Key)
	w.found.Matched = append(w.found.Matched, m)
	w.found.Value = text
	if w.found.Message != "" || len(r.message) == 0 {
		return true // the engine reports the first message, and no data without one
	}
	message, ok := w.expand(r.message, &m, text, &groups)
	if !ok {
		return false
	}
	data, ok := w.expand(r.data, &m, text, &groups)
	if message != "" {
		w.found.Message, w.found.Data = message, data
	}
	return ok
}

// expand expands the macros of a message for a match. It reports false when one has the value of a rule before.
func (w *reporter) expand(parts []token, m *Matched, text string, groups *captured) (string, bool) {
	if len(parts) == 1 && parts[0].macro == noMacro {
		return parts[0].text, true
	}
	var b strings.Builder
	for i := range parts {
		switch p := &parts[i]; p.macro {
		case noMacro:
			b.WriteString(p.text)
		case macroValue:
			b.WriteString(text)
		case macroName:
			b.WriteString(m.name())
		case macroGroup:
			if p.group >= groups.n {
				return "", false
			}
			b.WriteString(groups.texts[p.group])
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
