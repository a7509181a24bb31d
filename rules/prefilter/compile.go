package prefilter

import (
	"io/fs"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"
	corazavariables "github.com/corazawaf/coraza/v3/types/variables"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corazalink"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter/ascii"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter/literalset"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter/regex"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter/transform"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter/variables"
)

// compiler turns the links of chains into tests.
type compiler struct {
	yield       func()        // called between one rule and the next
	data        fs.ReadFileFS // data files by the path under which operators look for them
	steps       *transform.Tree
	dataFlow    *dataFlow
	state       plugintypes.TransactionState // of the baseline
	expressions *regex.Budget
	own         func(operator, argument string) (n Requirements, isOwn bool)

	prefiltered bool // Coraza tries literals before expressions
}

// compile turns the decisive links of a chain into tests, or all when none is.
func (p *compiler) compile(c *chain) {
	if c.tests != nil {
		return
	}
	links := c.links
	if c.decisive > 0 {
		links = links[:c.decisive]
	}
	c.compiling = true
	defer func() { c.compiling = false }()
	for i := range links {
		c.tests = append(c.tests, p.test(c, i, &links[i]))
	}
	if !c.readsGroups() {
		for i := range c.tests {
			c.tests[i].groups = nil // no assignment has groups in it: such an assignment reads them, too
		}
	}
}

// groupMacro is what stands for a captured group.
var groupMacro = regexp.MustCompile(`(?i)%\{\s*tx\.\d`)

// readsGroups reports whether a test or an assignment of the chain looks at captured groups.
func (c *chain) readsGroups() bool {
	return slices.ContainsFunc(c.tests, func(t test) bool {
		return slices.ContainsFunc(t.targets, func(g target) bool { return g.Kind == variables.OfTX && g.keyRx == nil && isGroup(g.key) }) ||
			slices.ContainsFunc(t.sets, assignment.readsGroups)
	})
}

func (a assignment) readsGroups() bool {
	return groupMacro.MatchString(a.name) || groupMacro.MatchString(a.value)
}

// test turns a link into a test, an unknown one where the link has a construct that is not supported.
func (p *compiler) test(c *chain, at int, l *corazalink.Link) test {
	t := test{sets: assignments(l), captures: l.Capture, multi: l.MultiMatch}
	if l.Operator == nil {
		t.all = true
		return t
	}
	t.name, t.argument, t.negated = strings.ToLower(l.Operator.Name), l.Operator.Argument, l.Operator.Negated
	if why := p.fill(c, at, &t, l); why != "" {
		return test{unknown: true, why: why, sets: t.sets}
	}
	return t
}

// fill completes a test. It returns the construct that is not supported, "" when all are.
func (p *compiler) fill(c *chain, at int, t *test, l *corazalink.Link) (why string) {
	for i := range l.Targets {
		g, why := p.newTarget(&l.Targets[i])
		if why == "" && p.dataFlow.cached(c, l, &l.Targets[i]) {
			why = "target " + l.Targets[i].Variable.Name() + " is not supported with transformations"
		}
		if why != "" {
			return why
		}
		t.targets = append(t.targets, g)
	}
	if why := p.follow(t, l.Transformations); why != "" {
		return why
	}
	if !p.dataFlow.constantMacros(t.argument, c) && !p.alternatives(t, c, at, l.Operator) {
		return "the argument of @" + l.Operator.Name + " depends on the transaction"
	}
	if why := p.operator(t, c, l.Operator); why != "" {
		return why
	}
	if p.evaluateConstant(c, at, t) {
		return ""
	}
	for i := range t.targets {
		if !p.fits(c, at, t, &t.targets[i]) {
			return "target " + l.Targets[i].Variable.Name() + " is not supported in this form"
		}
	}
	t.findCounters(l)
	return ""
}

// follow takes over the transformation pipeline.
func (p *compiler) follow(t *test, pipeline []corazalink.Transformation) (why string) {
	last := p.steps.Root
	for i := range pipeline {
		step := &pipeline[i]
		switch {
		case step.Name == "":
			return "a transformation is not supported"
		case t.multi && transform.MissingReports[step.Name]:
			last = p.steps.Reported(last, step)
		case t.multi && !transform.ExactReports[step.Name] && !transform.SurplusReports[step.Name]:
			return "transformation " + step.Name + " with multiMatch is not supported"
		default:
			last = p.steps.Then(last, step)
		}
	}
	t.last = last
	for s := last; s != nil; s = s.Parent {
		t.path = append(t.path, s)
	}
	return ""
}

// neverFilled reports whether Coraza has no collection behind a variable.
func (p *compiler) neverFilled(v corazavariables.RuleVariable) bool {
	col := p.state.Collection(v)
	return col != nil && strings.HasSuffix(reflect.TypeOf(col).String(), ".noop")
}

// findCounters finds the variables that the test adds to for each name that it matches, such as tx.n_%{MATCHED_VAR_NAME}=+1, which
// is TX:n_ARGS_NAMES:id for an argument id.
func (t *test) findCounters(l *corazalink.Link) {
	if len(t.targets) != 1 || t.targets[0].Kind != variables.OfNames || t.targets[0].counts || t.last.Parent != nil {
		return
	}
	for i := range t.sets {
		s := &t.sets[i]
		prefix, isCounter := strings.CutSuffix(s.name, "%{matched_var_name}")
		by, err := strconv.Atoi(strings.TrimPrefix(s.value, "+"))
		if isCounter && !strings.Contains(prefix, "%{") && strings.HasPrefix(s.value, "+") && err == nil && 0 < by && by < 1000 && !s.remove {
			s.name, s.by = prefix+strings.ToLower(l.Targets[0].Variable.Name()), by
			s.prefix, s.isTemplate = s.name, false
		}
	}
}

// evaluateConstant finds the result of a test that looks at TX variables only of which all values are known. When it is not the same
// with all of them, the targets keep the values.
func (p *compiler) evaluateConstant(c *chain, at int, t *test) bool {
	if slices.ContainsFunc(t.targets, func(g target) bool {
		return g.Kind != variables.OfTX || g.keyRx != nil || g.key == "" || len(g.except) > 0
	}) {
		return false
	}
	r := run{state: p.state, results: &transform.Results{}, steps: len(p.steps.All), v: &variables.Values{}}
	always, never := false, true
	for i := range t.targets {
		g := &t.targets[i]
		values, ok := p.possible(g.key, c, at)
		if !ok {
			return false
		}
		all := true
		for _, value := range values {
			matches, before := false, len(r.matched)
			switch {
			case g.counts:
				matches = r.value(t, map[bool]string{true: "1", false: "0"}[value.exists])
			case value.exists:
				matches = r.value(t, value.text)
			}
			all, never = all && matches, never && !matches
			if matches {
				t.texts = append(t.texts, r.matched[before:]...)
			}
		}
		always = always || all
		g.values = values
	}
	if r.gaveUp {
		return false
	}
	t.constant, t.result = always && len(t.alternatives) < 2 || never, always
	return true
}

// fits reports whether the prefilter knows all values of a target when the rule runs, and narrows it to those of its phase.
func (p *compiler) fits(c *chain, at int, t *test, g *target) bool {
	if c.phase == 1 && len(g.Collections) == 2 {
		g.Collections = g.Collections[:1] // arguments of the body come later
	}
	switch g.Kind {
	case variables.OfNothing:
		return true
	case variables.OfTX:
		return p.fitsTX(c, at, t, g)
	case variables.OfMatched:
		return !g.counts
	case variables.OfSize:
		return !g.counts && c.phase >= g.From && t.grows()
	}
	if c.phase < g.From && !(g.Variable == corazavariables.ReqbodyProcessor && len(c.effects) > 0) {
		return false
	}
	return !g.counts || p.fitsCount(t, g)
}

// grows reports whether the test matches a larger number when it matches a smaller one.
func (t *test) grows() bool {
	return !t.negated && (t.name == "gt" || t.name == "ge") && t.last.Parent == nil
}

// fitsCount allows counts that do not differ from the engine's: those of arguments do when two names in a form differ in case
// only, because the engine then keeps one of them.
func (p *compiler) fitsCount(t *test, g *target) bool {
	if g.Kind == variables.OfSingle || len(g.Collections) == 1 && g.Collections[0] != variables.ArgsPost || t.grows() {
		return true
	}
	switch t.name {
	case "eq", "ge", "gt", "le", "lt":
		return t.argument == "0" && t.last.Parent == nil
	}
	return false
}

// fitsTX allows the groups that rules of the chain before capture, and variables that they or rules elsewhere set, if the prefilter
// can follow these.
func (p *compiler) fitsTX(c *chain, at int, t *test, g *target) bool {
	if g.counts && !t.grows() || g.key == "" && g.keyRx == nil {
		return false
	}
	if g.keyRx == nil && isGroup(g.key) {
		return !g.counts && p.fitsGroup(c, g)
	}
	if g.values != nil {
		return true
	}
	if g.keyRx == nil && !g.counts && slices.ContainsFunc(c.writes, func(w *write) bool { return w.link < at && w.name == g.key }) {
		return true // what the chain sets replaces what others have set
	}
	var ok bool
	if g.producers, ok = p.dataFlow.producers(g, c); !ok {
		return false
	}
	for _, produced := range g.producers {
		if produced.chain == c || !p.compileProducer(&produced) {
			return false
		}
	}
	return true
}

// fitsGroup allows a captured group. One that no link of the chain has captured is noticed when it is read; then it is what a rule before
// has left behind.
func (p *compiler) fitsGroup(c *chain, g *target) bool {
	if p.dataFlow.groups {
		return false
	}
	left, ok := p.dataFlow.leftovers(c)
	if g.empty = ok && !slices.ContainsFunc(left, func(l producer) bool { return !p.compileProducer(&l) }); g.empty {
		g.producers = left
	}
	return true
}

// compileProducer compiles a chain that feeds one that is a candidate.
func (p *compiler) compileProducer(f *producer) bool {
	if f.chain.compiling {
		return false // it is fed by the one that it feeds
	}
	p.compile(f.chain)
	if f.tests > len(f.chain.tests) {
		return false
	}
	for i := range f.chain.tests[:f.tests] {
		for k := range f.chain.tests[i].targets {
			if len(f.chain.tests[i].targets[k].producers) > 0 {
				return false // chains that feed each other are not followed
			}
		}
	}
	return true
}

// operator finds what decides for the operator of a rule: our own lazy DFA or multi-pattern matcher where they decide the same faster,
// Coraza's operator otherwise. It returns why it is not supported, "" when it is.
func (p *compiler) operator(t *test, c *chain, o *corazalink.Operator) (why string) {
	t.operator = o.Implementation
	t.limited, _ = o.Implementation.(Limited)
	known, found := operators[t.name]
	required, isOwn := p.own(t.name, t.argument)
	if !found && !isOwn {
		return "operator @" + o.Name + " is not supported"
	}
	t.obscuresGroups = t.captures && (known.captures || isOwn) && !(t.negated && !t.multi && len(t.targets) == 1 && t.targets[0].Kind == variables.OfSingle)
	var pattern *regex.Pattern // which has a match in every value that the test matches
	switch t.name {
	case "rx":
		pattern = p.expression(t)
	case "pm":
		t.literals = phrases(strings.Split(strings.ToLower(t.argument), " "))
	case "pmfromfile", "pmf":
		name := t.argument
		if !path.IsAbs(name) {
			name = path.Join(path.Dir(c.file), name)
		}
		if content, err := p.data.ReadFile(name); err == nil {
			t.literals = fileWords(content)
		}
	case "contains", "streq", "beginswith", "endswith":
		if !strings.Contains(t.argument, "%{") {
			t.literals = phrases([]string{strings.ToLower(t.argument)})
		}
	case "detectsqli":
		t.operator = sqlInjection{o.Implementation}
	case "detectxss":
		t.literals = xssLiterals
	case "validatebyterange":
		t.literals = bytesOutside(o.Implementation, p.state)
	}
	if isOwn {
		if required.Expression != "" {
			t.literals = regex.Parse(required.Expression).RequiredLiterals(false)
		}
		t.digits = required.Digits
	}
	if t.negated {
		t.literals = nil
	}
	t.needsSign = !t.canMatchProse(pattern)
	if t.literals != nil && (t.name == "pm" || t.name == "pmfromfile" || t.name == "pmf") {
		set := map[uint32]literalset.Set{0: t.literals}
		t.phrases = sync.OnceValue(func() *literalset.Matcher { return literalset.NewMatcher(set) })
	}
	return ""
}

// canMatchProse reports whether the test can match a text that is prose: false is certain. pattern has a match in what it matches.
func (t *test) canMatchProse(pattern *regex.Pattern) bool {
	return t.negated || (t.literals == nil || slices.ContainsFunc(t.literals, transform.IsProse)) &&
		pattern.CanMatchWithin(func(c byte) bool { return transform.IsProse(string(rune(c))) })
}

// expression takes an @rx. Its groups are known when Coraza captures with the expression itself. It returns a pattern that has a match in
// every value that the test matches.
func (p *compiler) expression(t *test) *regex.Pattern {
	if t.limited != nil {
		loose := regex.Parse(t.limited.Loose())
		t.literals = loose.RequiredLiterals(true)
		return loose
	}
	pattern, parsed := "(?sm)"+t.argument, regex.Parse(t.argument)
	binary := corazalink.MatchesArbitraryBytes(pattern)
	t.literals = parsed.RequiredLiterals(binary)
	if binary || p.prefiltered || parsed == nil {
		return parsed // Coraza's own matcher decides, which misses matches when it tries literals first
	}
	t.rx = p.expressions.LazyDFA(pattern)
	if t.captures && !t.negated && !p.dataFlow.groups {
		t.obscuresGroups = false
		t.groups = t.rx.Regexp
		t.expandsGroups = slices.ContainsFunc(t.sets, assignment.readsGroups)
	}
	return parsed
}

func phrases(list []string) literalset.Set {
	set := literalset.Set{}
	for _, phrase := range list {
		if phrase == "" || !ascii.Only(phrase) {
			return nil
		}
		set = append(set, phrase)
	}
	return set
}
