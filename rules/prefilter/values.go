package prefilter

import (
	"slices"
	"strconv"
	"strings"

	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corazalink"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter/transform"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter/variables"
)

// Rule exclusions of CRS plugins change lists such as tx.allowed_methods for some requests. The values that a TX variable can have are
// then still few: they follow from the rules that write it, in their order, each of which may match or not.

// maxValues bounds the values that are followed of one variable.
const maxValues = 16

// txValue is a value of a TX variable, or that there is none.
type txValue struct {
	text   string
	exists bool
}

// possible returns the values that a TX variable can have when a link of a chain runs. It reports false when they are not known.
func (p *compiler) possible(name string, reader *chain, link int) (values []txValue, ok bool) {
	if value, exists, ok := p.dataFlow.constant(name, reader); ok {
		return []txValue{{value, exists}}, true
	}
	if isEngines(name) || slices.ContainsFunc(reader.writes, func(w *write) bool {
		return w.canWrite(name) && (w.link < link || w.link == link && !isSingle(w))
	}) {
		return nil, false
	}
	values = []txValue{{}}
	for _, phase := range []int{1, 2, 3, 4, 5} {
		for _, c := range p.dataFlow.chains {
			if c.phase != phase || c.phase > reader.phase || c.phase == reader.phase && p.dataFlow.order[c] >= p.dataFlow.order[reader] {
				continue
			}
			writes := 0
			for _, w := range c.writes {
				if !w.canWrite(name) || c.dead || w.ignorable() {
					continue
				}
				if writes++; writes > 1 {
					return nil, false // the writes of one match depend on each other
				}
				if values, ok = p.write(w, name, values); !ok || len(values) > maxValues {
					return nil, false
				}
			}
		}
	}
	return values, true
}

// write returns the values of a variable behind a write that may be done, from those before it.
func (p *compiler) write(w *write, name string, before []txValue) (after []txValue, ok bool) {
	done, surely := p.happens(w)
	if !done {
		return before, true
	}
	if w.name != name {
		return nil, false // it may be another variable
	}
	always := p.isCertain(w.chain) && w.chain.phase != 3 && w.chain.phase != 4 // these do not run without a response
	for _, value := range before {
		matches, known := p.matchesWith(w, name, value)
		if known && !matches {
			after = append(after, value)
			continue
		}
		written, ok := p.assign(w, name, value)
		if !ok {
			return nil, false
		}
		after = append(after, written)
		if !always || !known && !surely {
			after = append(after, value)
		}
	}
	slices.SortFunc(after, func(a, b txValue) int { return strings.Compare(a.text, b.text) })
	return slices.Compact(after), true
}

// matchesWith reports whether the chain of a write matches when the variable that it writes has a value. That is known of a rule that looks
// at nothing else, such as one that sets a default.
func (p *compiler) matchesWith(w *write, name string, value txValue) (matches, known bool) {
	c := w.chain
	if len(c.links) != 1 || len(c.tests) != 1 || len(c.tests[0].targets) != 1 {
		return false, false
	}
	t := &c.tests[0]
	if g := &t.targets[0]; g.Kind != variables.OfTX || g.key != name || g.values == nil || len(t.alternatives) > 0 {
		return false, false
	}
	return p.matchesValue(t, value)
}

// matchesValue reports whether a test of one TX variable matches a value, and whether that is known.
func (p *compiler) matchesValue(t *test, value txValue) (matches, known bool) {
	r := run{state: p.state, results: &transform.Results{}, steps: len(p.steps.All), v: &variables.Values{}}
	switch {
	case t.targets[0].counts:
		matches = r.value(t, map[bool]string{true: "1", false: "0"}[value.exists])
	case value.exists:
		matches = r.value(t, value.text)
	}
	return matches, !r.gaveUp
}

// happens reports whether a write can be done, and whether it is done for every transaction for which its chain is certain.
func (p *compiler) happens(w *write) (can, surely bool) {
	c := w.chain
	switch {
	case c.static && len(c.links) == 1:
		return c.matches || c.differs, c.matches && !c.differs
	case c.compiling:
		return true, false
	}
	p.compile(c)
	surely = len(c.tests) > w.link
	for i := range c.tests[:min(w.link+1, len(c.tests))] {
		switch t := &c.tests[i]; {
		case t.constant && !t.result:
			return false, false
		case !t.all && !t.constant:
			surely = false
		}
	}
	return true, surely
}

// isCertain reports whether a chain is evaluated with all of its targets whatever the transaction: no rule skips it or removes anything of
// it, and it does not alert, which settings can exempt.
func (p *compiler) isCertain(c *chain) bool {
	return !c.alerts && !c.removable && !c.loses && !p.dataFlow.skippable(c)
}

// skippable reports whether a chain that depends on the transaction can skip another.
func (f *dataFlow) skippable(c *chain) bool {
	for _, e := range f.entries[:f.order[c]] {
		if s := e.chain; s != nil && !s.static && !s.dead && f.canSkip(s, c) {
			return true
		}
	}
	return false
}

// canSkip reports whether a chain skips another when it matches.
func (f *dataFlow) canSkip(s, c *chain) bool {
	place, at := f.order[s], f.order[c]
	if !s.skips() || s.phase != c.phase || place >= at {
		return false
	}
	end := f.skipEnd(place)
	return end < 0 || end > at
}

// assign returns what a write makes of a value.
func (p *compiler) assign(w *write, name string, before txValue) (after txValue, ok bool) {
	if w.remove {
		return txValue{}, true
	}
	text, ok := p.expand(w.value, name, before, w.chain)
	if !ok {
		return after, false
	}
	if text == "" || text[0] != '+' && text[0] != '-' {
		return txValue{text, true}, isSingle(w) || !strings.Contains(w.value, "%{")
	}
	by, err := strconv.Atoi(text[1:])
	sum, err2 := strconv.Atoi(before.text)
	if err != nil || before.exists && err2 != nil || !isSingle(w) {
		return after, false
	}
	if text[0] == '-' {
		by = -by
	}
	return txValue{strconv.Itoa(sum + by), true}, true
}

// isSingle reports whether a link matches no more than one value, so that a write is done once.
func isSingle(w *write) bool {
	l := &w.chain.links[w.link]
	if l.Operator == nil {
		return true
	}
	if len(l.Targets) != 1 || l.MultiMatch {
		return false
	}
	t := &l.Targets[0]
	known, found := variables.Sources[t.Variable.Name()]
	return t.Count || found && known.Kind == variables.OfSingle || found && known.Kind == variables.OfTX && t.KeyRx == nil && t.Key != ""
}

// expand replaces the macros of a template: that of the variable itself by its value before, others by constants. A macro of a variable
// that is not there stays as its name.
func (p *compiler) expand(template, name string, before txValue, c *chain) (text string, ok bool) {
	return expandMacros(template, func(macro string) (string, bool) {
		variable, isTX := strings.CutPrefix(strings.ToLower(macro), "tx.")
		if !isTX || strings.Contains(macro, "%") {
			return "", false
		}
		value := before
		if variable != name {
			constant, exists, ok := p.dataFlow.constant(variable, c)
			if !ok {
				return "", false
			}
			value = txValue{constant, exists}
		}
		if !value.exists {
			return macro, true
		}
		return value.text, true
	})
}

// expandMacros replaces each macro of a template, given without its braces. It reports false when one is not known or not closed.
func expandMacros(template string, replace func(macro string) (text string, ok bool)) (string, bool) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(template, "%{")
		b.WriteString(before)
		if !found {
			return b.String(), true
		}
		macro, after, closed := strings.Cut(rest, "}")
		if !closed {
			return "", false
		}
		text, ok := replace(macro)
		if !ok {
			return "", false
		}
		b.WriteString(text)
		template = after
	}
}

// expanding are the operators that expand macros in their argument.
var expanding = []string{"beginswith", "contains", "endswith", "eq", "ge", "gt", "le", "lt", "streq", "strmatch", "within"}

// alternatives makes an operator for each argument that a macro can give. It reports false when these are not known.
func (p *compiler) alternatives(t *test, c *chain, link int, o *corazalink.Operator) bool {
	all := macros(t.argument)
	if len(all) != 1 || !slices.Contains(expanding, t.name) {
		return false
	}
	name, isTX := strings.CutPrefix(all[0], "tx.")
	values, ok := p.possible(name, c, link)
	if !isTX || !ok {
		return false
	}
	for _, value := range values {
		argument, ok := p.expand(t.argument, name, value, c)
		if !ok || argument == "" || strings.Contains(argument, "%{") {
			return false
		}
		operator, err := corazalink.GetOperator(o.Name, plugintypes.OperatorOptions{Arguments: argument})
		if err != nil {
			return false
		}
		t.alternatives = append(t.alternatives, operator)
	}
	return true
}
