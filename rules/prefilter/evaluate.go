package prefilter

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"
	corazavariables "github.com/corazawaf/coraza/v3/types/variables"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter/literalset"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter/regex"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter/transform"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter/variables"
)

// inputs is what tests of a chain look at.
type inputs struct {
	repeats bool // it is headers and the like only
	of      []*target
}

// test is one rule of a chain.
type test struct {
	targets  []target
	all      bool     // matches unconditionally
	unknown  bool     // taken to match: it has a construct that is not supported
	why      string   // of an unknown test: the construct
	constant bool     // result is known whatever the transaction
	result   bool     // of a constant test
	texts    []string // of a constant test: what can match

	rx           *regex.LazyDFA             // of an @rx, instead of the operator
	phrases      func() *literalset.Matcher // of an @pm that is not negated, instead of the operator; made when it is first needed
	operator     plugintypes.Operator       // Coraza's
	limited      Limited                    // the operator, when it may give up
	alternatives []plugintypes.Operator     // instead, one for each argument that a macro can give
	name         string                     // operator in lower case
	argument     string
	negated      bool
	groups       func() *regexp.Regexp // of an @rx whose groups rules of the chain read; nil for others
	captures     bool
	// Whether or not it matches, TX:0 to TX:9 may have other values afterwards than those of groups.
	obscuresGroups bool
	expandsGroups  bool // sets have groups in them
	digits         int  // in a row, without which the operator does not match
	needsSign      bool // no text that is prose matches
	last           *transform.Step
	path           []*transform.Step // all steps up to last, for multiMatch
	multi          bool              // multiMatch
	literals       literalset.Set
	sets           []assignment
}

// assignment is a setvar action.
type assignment struct {
	name, value string // templates; the name is in lower case and without TX.
	prefix      string // of the name, up to its first macro
	isTemplate  bool   // the name has a macro
	remove      bool
	by          int // what it adds to a counter for each name that matches, whose own name begins with the name here; 0 for others
}

// run is the evaluation of one chain for one transaction.
type run struct {
	v             *variables.Values
	state         plugintypes.TransactionState // of the baseline, for operators with constant variables
	results       *transform.Results
	steps         int
	local         []local        // TX variables that the chain has set, all values they can have
	matched       []string       // values that rules of the chain matched
	lastMatched   int            // how many of them the last rule matched, when all match
	groups        []namedGroup   // all values that captured groups can have, apart from those of captures
	captures      []capture      // matches of which groups can be needed
	counters      map[string]int // what feeders have added to variables
	sawUnknown    bool           // a rule may have matched values that are not known
	groupsUnknown bool           // TX:0 to TX:9 may have values that are not in groups
	uncertain     bool           // something could not be followed
	gaveUp        bool           // an operator gave up on a value of the transaction
	hit           literalset.Bitset
	other         *run // for rules that set variables for this one
}

// namedGroup is the text of a captured group, by the name of its TX variable.
type namedGroup struct{ key, value string }

// capture is a match whose groups are found when a rule reads them.
type capture struct {
	expression func() *regexp.Regexp
	text       string
}

// local is a value that a TX variable can have; an unknown name can be any variable.
type local struct {
	name, value               string
	unknownName, unknownValue bool
	by                        int // of a counter: what is added to it; 0 for others
}

func (r *run) reset(v *variables.Values) {
	r.v = v
	r.results.Arena.Reset()
	r.local, r.matched, r.groups, r.captures = r.local[:0], r.matched[:0], r.groups[:0], r.captures[:0]
	r.sawUnknown, r.groupsUnknown, r.uncertain = false, false, false
}

// chain reports whether the chain can match: false is certain, true may be too careful.
func (r *run) chain(c *chain) bool {
	for i := range c.tests {
		before := len(r.matched)
		if !r.test(&c.tests[i]) {
			return false
		}
		if r.uncertain {
			return true
		}
		r.lastMatched = len(r.matched) - before
	}
	return true
}

func (r *run) test(t *test) bool {
	switch {
	case t.constant:
		r.groupsUnknown = r.groupsUnknown || t.result && t.obscuresGroups
		for _, text := range t.texts {
			r.match(t, text)
		}
		return t.result
	case t.unknown:
		r.matchUnknown(t)
		return true
	case t.all:
		r.match(t, "")
		return true
	}
	r.groupsUnknown = r.groupsUnknown || t.obscuresGroups
	found := false
	for i := range t.targets {
		if r.target(t, &t.targets[i]) {
			found = true
		}
	}
	return found
}

// target tests all values of one target; all matches count, for what they set.
func (r *run) target(t *test, g *target) (found bool) {
	for i := range g.values {
		switch v := &g.values[i]; {
		case g.counts && v.exists:
			found = r.value(t, "1") || found
		case g.counts:
			found = r.value(t, "0") || found
		case v.exists:
			found = r.value(t, v.text) || found
		}
	}
	if g.values != nil {
		return found
	}
	if g.counts && g.Kind != variables.OfTX {
		return r.value(t, r.v.Arena.Number(count(r.v, g)))
	}
	switch g.Kind {
	case variables.OfNothing:
		return false
	case variables.OfSingle:
		return g.selects("") && r.value(t, r.v.Single[g.Variable])
	case variables.OfSize:
		return g.selects("") && r.value(t, r.v.Arena.Number(r.v.ArgumentBytes()))
	case variables.OfMatched:
		if r.sawUnknown || len(r.matched) == 0 && g.Variable == corazavariables.MatchedVar { // the one of a rule before is still there
			r.uncertain = true
			return true
		}
		for i := range r.matched { // values that this loop adds are no values of the rules before
			found = r.value(t, r.matched[i]) || found
		}
		return found
	case variables.OfTX:
		return r.txTarget(t, g)
	}
	for _, c := range g.Collections {
		for i := range r.v.Pairs[c] {
			p := &r.v.Pairs[c][i]
			if !g.selects(p.Key) {
				continue
			}
			text := p.Value
			if g.Kind == variables.OfNames {
				text = p.Name
			}
			found = r.value(t, text) || found
		}
	}
	return found
}

// count returns how many values a target selects.
func count(v *variables.Values, g *target) (n int) {
	if g.Kind == variables.OfSingle && g.selects("") {
		return 1
	}
	for _, c := range g.Collections {
		for i := range v.Pairs[c] {
			if g.selects(v.Pairs[c][i].Key) {
				n++
			}
		}
	}
	return n
}

// txTarget tests captured groups and variables that the chain itself has set; others make the test unknown when it is built.
func (r *run) txTarget(t *test, g *target) (found bool) {
	if g.keyRx == nil && isGroup(g.key) {
		known := false
		r.findGroups()
		for i := range r.groups {
			if r.groups[i].key == g.key {
				known = true
				found = g.selects(g.key) && r.value(t, r.groups[i].value) || found
			}
		}
		if !known && g.empty && !r.left(g) {
			known, found = true, g.selects(g.key) && r.value(t, "")
		}
		r.uncertain = r.uncertain || !known || r.sawUnknown || r.groupsUnknown
		return found || r.uncertain
	}
	if g.counts {
		return r.producedCount(t, g)
	}
	found = r.producedAll(t, g)
	for i := range r.local {
		l := &r.local[i]
		switch {
		case l.unknownName, l.unknownValue && g.selects(l.name):
			r.uncertain = true
			return true
		case g.selects(l.name):
			found = r.value(t, l.value) || found
		}
	}
	return found
}

// left reports whether a rule before can have left captured groups behind.
func (r *run) left(g *target) bool {
	return slices.ContainsFunc(g.producers, func(f producer) bool { return r.produce(&f) })
}

// producedCount tests how many variables there are: none, or not known when the chain or a rule elsewhere has set one.
func (r *run) producedCount(t *test, g *target) bool {
	isSelected := func(l local) bool { return l.unknownName || g.selects(l.name) }
	r.uncertain = r.uncertain || slices.ContainsFunc(r.local, isSelected) || slices.ContainsFunc(g.producers, func(f producer) bool {
		r.produce(&f)
		return r.other.uncertain || slices.ContainsFunc(r.other.local, isSelected)
	})
	return r.uncertain || r.value(t, "0")
}

// producedAll tests the variables that rules elsewhere have set.
func (r *run) producedAll(t *test, g *target) (found bool) {
	if len(g.producers) == 0 {
		return false
	}
	clear(r.counters)
	others, counting := false, 0
	for i := range g.producers {
		before := len(r.counters)
		match, other := r.produced(t, &g.producers[i], g)
		found, others = found || match, others || other
		if len(r.counters) > before || slices.ContainsFunc(r.other.local, func(l local) bool { return l.by > 0 }) {
			counting++
		}
	}
	r.uncertain = r.uncertain || others && len(r.counters) > 0 || counting > 1 // what is added to what is not known
	return found || r.uncertain
}

// produce evaluates the tests of a rule elsewhere for what they set, and reports whether all of them can match.
func (r *run) produce(f *producer) bool {
	if r.other == nil {
		r.other = &run{state: r.state, results: &transform.Results{}, steps: r.steps}
	}
	o := r.other
	o.reset(r.v)
	o.gaveUp = r.gaveUp
	defer func() { r.gaveUp = o.gaveUp }()
	for i := range f.chain.tests[:f.tests] {
		if !o.test(&f.chain.tests[i]) {
			return false
		}
	}
	return true
}

// produced tests the variables that a rule elsewhere has set. A name that is not known is taken for one that the target selects, and a
// counter is tested with each value that it takes. others is true when variables were set that are no counters.
func (r *run) produced(t *test, f *producer, g *target) (found, others bool) {
	r.produce(f)
	o := r.other
	r.uncertain = r.uncertain || o.uncertain
	for i := range o.local {
		l := &o.local[i]
		switch {
		case !l.unknownName && !g.selects(l.name):
		case l.by > 0 && !t.grows(): // how far the engine counts is not known
			r.uncertain, others = true, true
		case l.by > 0:
			found = r.value(t, r.v.Arena.Number(r.added(l))) || found
		case l.unknownValue:
			r.uncertain, others = true, true
		default:
			found, others = r.value(t, l.value) || found, true
		}
	}
	return found, others
}

// added returns what a counter has come to.
func (r *run) added(l *local) int {
	if r.counters == nil {
		r.counters = map[string]int{}
	}
	r.counters[l.name] += l.by
	return r.counters[l.name]
}

// value tests one value, after the rule's transformations.
func (r *run) value(t *test, value string) bool {
	r.results.Start(value, r.steps)
	return r.transformed(t)
}

// transformed tests the value that the results are of.
func (r *run) transformed(t *test) (found bool) {
	if !t.multi {
		text := r.results.After(t.last)
		return !(t.needsSign && r.results.Traits[t.last.Index].IsProse()) && r.text(t, text)
	}
	for _, s := range t.path {
		if text := r.results.After(s); s.Parent == nil || text != r.results.After(s.Parent) {
			found = r.text(t, text) || found
		}
	}
	return found
}

// decide applies the operator.
func (r *run) decide(t *test, text string) bool {
	switch {
	case t.digits > 0 && r.results.DigitsIn(text) < t.digits:
		return false
	case t.rx != nil:
		return t.rx.Match(text)
	case t.phrases != nil:
		return t.phrases().Contains(text, &r.hit)
	case len(t.alternatives) > 0:
		return t.negated // each of them decides
	case t.limited != nil:
		return r.try(t, text)
	}
	return t.operator.Evaluate(r.state, text)
}

// try applies an operator that may give up. Then the test may match, and later values are not tried: the engine has to evaluate.
func (r *run) try(t *test, text string) bool {
	if !r.gaveUp {
		if matches, sure := t.limited.Try(text); sure {
			return matches
		}
		r.gaveUp = true
	}
	r.uncertain = true
	return !t.negated
}

func (r *run) text(t *test, text string) bool {
	matches := r.decide(t, text) != t.negated
	for _, operator := range t.alternatives {
		matches = matches || operator.Evaluate(r.state, text) != t.negated
	}
	if matches {
		r.match(t, text)
	}
	return matches
}

// match does what a match does besides: it sets captured groups, MATCHED_VARS and variables.
func (r *run) match(t *test, text string) {
	r.matched = append(r.matched, text)
	if t.groups != nil {
		r.captures = append(r.captures, capture{t.groups, text})
	}
	if len(t.sets) == 0 {
		return
	}
	var groups []int
	if t.expandsGroups {
		groups = t.groups().FindStringSubmatchIndex(text)
	}
	for _, s := range t.sets {
		if s.by > 0 {
			name := s.name
			if text != "" {
				name = r.v.Arena.Join(name, ":", r.v.Arena.Lower(text))
			}
			r.local = append(r.local, local{name: name, unknownValue: true, by: s.by})
			continue
		}
		name, knownName := r.expand(s.name, text, groups)
		value, knownValue := r.expand(s.value, text, groups)
		knownValue = knownValue && !s.remove && !strings.HasPrefix(value, "+") && !strings.HasPrefix(value, "-")
		r.local = append(r.local, local{name: strings.ToLower(name), value: value, unknownName: !knownName, unknownValue: !knownValue})
	}
}

// findGroups adds the groups of all captures.
func (r *run) findGroups() {
	for _, c := range r.captures {
		groups := c.expression().FindStringSubmatchIndex(c.text)
		for i := 0; i < len(groups)/2 && i < 9; i++ {
			group := ""
			if groups[2*i] >= 0 {
				group = c.text[groups[2*i]:groups[2*i+1]]
			}
			r.groups = append(r.groups, namedGroup{strconv.Itoa(i), group})
		}
	}
	r.captures = r.captures[:0]
}

// matchUnknown does what a match does of which nothing is known but that it can be.
func (r *run) matchUnknown(t *test) {
	r.sawUnknown = true
	for _, s := range t.sets {
		r.local = append(r.local, local{name: s.name, unknownName: strings.Contains(s.name, "%{"), unknownValue: true})
	}
}

// expand replaces the variables in a template by what the match gives.
func (r *run) expand(template, text string, groups []int) (string, bool) {
	return expandMacros(template, func(macro string) (string, bool) {
		name := strings.ToLower(macro)
		number, err := strconv.Atoi(strings.TrimPrefix(name, "tx."))
		switch {
		case name == "matched_var":
			return text, true
		case err == nil && name == "tx."+strconv.Itoa(number) && number >= 0 && 2*number+1 < len(groups) && number < 9:
			if groups[2*number] < 0 {
				return "", true
			}
			return text[groups[2*number]:groups[2*number+1]], true
		}
		return "", false
	})
}

// repeating are variables with few different values.
var repeating = map[corazavariables.RuleVariable]bool{corazavariables.RequestMethod: true, corazavariables.RequestProtocol: true,
	corazavariables.ReqbodyProcessor: true, corazavariables.ResponseStatus: true, corazavariables.ResponseProtocol: true,
	corazavariables.ReqbodyError: true, corazavariables.MultipartStrictError: true, corazavariables.ResponseContentType: true,
	corazavariables.URIParseError: true, corazavariables.UrlencodedError: true, corazavariables.ArgumentsLimitReached: true}

// findInputs lists what decides whether a chain matches, and finds out whether that repeats from one request to the next, so that the outcome is worth caching.
func (c *chain) findInputs() {
	c.first.repeats, c.whole.repeats = true, true
	c.first.add(c.tests[:1])
	c.whole.add(c.tests)
}

func (n *inputs) add(tests []test) {
	for i := range tests {
		for k := range tests[i].targets {
			n.addTarget(&tests[i].targets[k])
		}
	}
}

func (n *inputs) addTarget(g *target) {
	for _, f := range g.producers {
		n.add(f.chain.tests)
	}
	switch g.Kind {
	case variables.OfTX, variables.OfMatched, variables.OfNothing:
		return
	case variables.OfSingle:
		n.repeats = n.repeats && repeating[g.Variable]
	case variables.OfPairs, variables.OfNames:
		for _, from := range g.Collections {
			n.repeats = n.repeats && (byKey(from) && (g.key != "" || g.Kind == variables.OfNames) || from == variables.PartHeaders)
		}
	default:
		n.repeats = false
	}
	n.of = append(n.of, g)
}
