package gate

import (
	"bytes"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"
	"github.com/corazawaf/coraza/v3/types/variables"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/seclang"
)

// compiler turns the text of rules into chains that can be run.
type compiler struct {
	yield  func()        // called between one rule and the next
	data   fs.ReadFileFS // data files by the path under which operators look for them
	steps  *steps
	flow   *flow
	state  plugintypes.TransactionState // of the baseline
	states *atomic.Int64                // bytes of the automata's states
	own    func(operator, argument string) (n Needs, isOwn bool)
}

// ignoredControls are ctl actions that do not change what matches.
var ignoredControls = map[string]bool{"auditengine": true, "auditlogparts": true, "debugloglevel": true}

// control sorts the actions of a chain that change how rules run: those that select how bodies are read are followed,
// exceptions that only take targets away are not needed, and a match of any other makes the engine judge.
func (c *chain) control(rules []seclang.Rule, bodyRule func(id int, tag string) bool) {
	for i := range rules {
		for _, action := range rules[i].Actions {
			switch action.Name {
			case "ctl":
				c.controlledAt(i)
				c.addControl(i, action.Value, bodyRule)
			case "allow", "exec", "setenv", "setuid", "setsid", "initcol", "expirevar", "deprecatevar", "redirect", "proxy":
				c.controlledAt(i)
				c.watched = true
			}
		}
	}
}

// controlledAt notes that a test of the chain has such an action. Coraza runs it when the chain matches so far, whatever the
// tests behind it say.
func (c *chain) controlledAt(test int) {
	if !c.controls {
		c.controls, c.firstControl = true, test
	}
}

func (c *chain) addControl(at int, action string, bodyRule func(id int, tag string) bool) {
	name, value, _ := strings.Cut(action, "=")
	name = strings.ToLower(strings.TrimSpace(name))
	switch {
	case name == "requestbodyprocessor":
		c.effects = append(c.effects, effect{at: at, processor: strings.ToUpper(strings.TrimSpace(value))})
	case name == "forcerequestbodyvariable":
		if strings.EqualFold(value, "on") {
			c.effects = append(c.effects, effect{at: at, force: true})
		} else {
			c.watched = true
		}
	case ignoredControls[name]:
	case strings.HasPrefix(name, "ruleremovetargetby"):
		which, variable, _ := strings.Cut(value, ";")
		first, last, isID := idRange(which)
		variable = strings.ToUpper(strings.TrimSpace(variable))
		if strings.HasPrefix(variable, "TX") || bodyRule(0, which) {
			c.watched = true
		}
		if isID && name == "ruleremovetargetbyid" {
			for id := first; id <= last && id < first+100000; id++ {
				if bodyRule(id, "") {
					c.watched = true
					break
				}
			}
		}
		if name == "ruleremovetargetbymsg" {
			c.watched = true
		}
	default:
		c.watched = true
	}
}

// compile turns the rules of a chain into tests.
func (p *compiler) compile(c *chain, rules []seclang.Rule) {
	if c.tests != nil {
		return
	}
	if c.watched && c.controls {
		rules = rules[:c.firstControl+1] // the engine judges from there
	}
	c.compiling = true
	defer func() { c.compiling = false }()
	for i := range rules {
		c.tests = append(c.tests, p.test(c, i, &rules[i]))
	}
	if !c.readsGroups() {
		for i := range c.tests {
			c.tests[i].groups = nil // no assignment tells groups: that reads them, too
		}
	}
}

// groupMacro is what stands for a captured group.
var groupMacro = regexp.MustCompile(`(?i)%\{\s*tx\.\d`)

// readsGroups reports whether a test or an assignment of the chain looks at captured groups.
func (c *chain) readsGroups() bool {
	return slices.ContainsFunc(c.tests, func(t test) bool {
		return slices.ContainsFunc(t.targets, func(g target) bool { return g.kind == ofTX && g.keyRx == nil && isGroup(g.key) }) ||
			slices.ContainsFunc(t.sets, assignment.readsGroups)
	})
}

func (s assignment) readsGroups() bool {
	return groupMacro.MatchString(s.name) || groupMacro.MatchString(s.value)
}

func (p *compiler) test(c *chain, at int, rule *seclang.Rule) test {
	t := test{sets: assignments(rule)}
	_, t.captures = rule.Action("capture")
	_, t.multi = rule.Action("multimatch")
	t.name, t.argument, t.negated = strings.ToLower(rule.Operator.Name), rule.Operator.Argument, rule.Operator.Negated
	if rule.Is("SecAction") {
		t.all = true
		return t
	}
	var known bool
	t.targets, known = newTargets(rule.Targets)
	var err error
	t.last, err = p.steps.follow(rule.All("t"))
	if !known || err != nil || !p.flow.constantMacros(t.argument, c) || !p.operator(&t, rule) {
		return test{unknown: true, sets: t.sets}
	}
	for s := t.last; s != nil; s = s.parent {
		t.path = append(t.path, s)
	}
	if p.evaluateConstant(c, &t) {
		return t
	}
	for i := range t.targets {
		if !p.fits(c, at, &t, &t.targets[i]) {
			return test{unknown: true, sets: t.sets}
		}
	}
	t.findCounters(rule.Targets)
	return t
}

// findCounters finds the variables that the test adds to for each name that it matches, such as tx.n_%{MATCHED_VAR_NAME}=+1, which
// is TX:n_ARGS_NAMES:id for an argument id.
func (t *test) findCounters(targets []seclang.Target) {
	if len(targets) != 1 || t.targets[0].kind != ofNames || t.targets[0].counts || t.last.parent != nil {
		return
	}
	for i := range t.sets {
		s := &t.sets[i]
		prefix, isCounter := strings.CutSuffix(s.name, "%{matched_var_name}")
		by, err := strconv.Atoi(strings.TrimPrefix(s.value, "+"))
		if isCounter && !strings.Contains(prefix, "%{") && strings.HasPrefix(s.value, "+") && err == nil && 0 < by && by < 1000 && !s.remove {
			s.name, s.by = prefix+strings.ToLower(targets[0].Variable), by
		}
	}
}

// evaluateConstant finds the result of a test that looks at TX variables only that are the same for every transaction.
func (p *compiler) evaluateConstant(c *chain, t *test) bool {
	var values []string
	for i := range t.targets {
		g := &t.targets[i]
		if g.kind != ofTX || g.keyRx != nil || g.key == "" {
			return false
		}
		value, exists, ok := p.flow.constant(g.key, c)
		switch {
		case !ok:
			return false
		case g.counts && exists:
			values = append(values, "1")
		case g.counts:
			values = append(values, "0")
		case exists:
			values = append(values, value)
		}
	}
	t.constant = true
	r := run{state: p.state, forms: &forms{}, steps: len(p.steps.all)}
	for _, value := range values {
		t.result = r.value(t, value) || t.result
	}
	return true
}

// fits reports whether the gate knows all values of a target when the rule runs, and narrows it to those of its phase.
func (p *compiler) fits(c *chain, at int, t *test, g *target) bool {
	if c.phase == 1 && len(g.collections) == 2 {
		g.collections = g.collections[:1] // arguments of the body come later
	}
	switch g.kind {
	case ofTX:
		return p.fitsTX(c, at, g)
	case ofMatched:
		return !g.counts
	case ofSize:
		return c.phase >= g.from && !t.negated && (t.name == "gt" || t.name == "ge")
	}
	if c.phase < g.from && !(g.variable == variables.ReqbodyProcessor && len(c.effects) > 0 && !c.watched) {
		return false
	}
	return !g.counts || p.fitsCount(t, g)
}

// fitsCount allows counts that do not differ from the engine's: those of arguments do when two names in a form differ in case
// only, because the engine then keeps one of them.
func (p *compiler) fitsCount(t *test, g *target) bool {
	if g.kind == ofSingle || g.collections[0] == xml {
		return false
	}
	if len(g.collections) == 1 && g.collections[0] != argsPost {
		return true
	}
	return t.argument == "0" || !t.negated && (t.name == "gt" || t.name == "ge")
}

// fitsTX allows the groups that rules of the chain before capture, and variables that they or rules elsewhere set, if the gate
// can follow these.
func (p *compiler) fitsTX(c *chain, at int, g *target) bool {
	if g.counts || g.key == "" && g.keyRx == nil {
		return false
	}
	for name := range rawBodies {
		if g.selects(name) {
			return false
		}
	}
	if g.keyRx == nil && isGroup(g.key) {
		return true // a group that no rule of the chain has captured is noticed when it is read
	}
	for _, w := range p.flow.writes {
		if w.chain == c && w.at < at && g.keyRx == nil && w.name == g.key {
			return true // what the chain sets replaces what others have set
		}
	}
	var ok bool
	if g.feeders, ok = p.flow.feeders(g, c); !ok {
		return false
	}
	for _, fed := range g.feeders {
		if fed.chain == c || !p.compileFeeder(fed.chain) {
			return false
		}
	}
	return true
}

// compileFeeder compiles a chain that is not watched but feeds one that is.
func (p *compiler) compileFeeder(c *chain) bool {
	if c.compiling {
		return false // it is fed by the one that it feeds
	}
	if c.tests == nil {
		p.compile(c, p.flow.entries[p.flow.order[c]].rules)
	}
	for i := range c.tests {
		for k := range c.tests[i].targets {
			if len(c.tests[i].targets[k].feeders) > 0 {
				return false // chains that feed each other are not followed
			}
		}
	}
	return true
}

func assignments(rule *seclang.Rule) []assignment {
	var sets []assignment
	for _, text := range rule.All("setvar") {
		var s assignment
		if s.remove = strings.HasPrefix(text, "!"); s.remove {
			text = text[1:]
		}
		name, value, found := strings.Cut(text, "=")
		if !found {
			value = "1"
		}
		_, name, _ = strings.Cut(name, ".")
		s.name, s.value = strings.ToLower(name), value
		sets = append(sets, s)
	}
	return sets
}

// operator finds what decides for the operator of a rule: our own automaton or scanner where they decide the same faster,
// Coraza's operator otherwise. It reports false for operators that the gate does not know: they may read anything.
func (p *compiler) operator(t *test, rule *seclang.Rule) bool {
	switch t.name {
	case "rx":
		p.expression(t)
	case "pm":
		t.literals = phrases(strings.Split(strings.ToLower(t.argument), " "))
	case "pmfromfile", "pmf":
		if content, err := p.data.ReadFile(path.Join(path.Dir(rule.File), t.argument)); err == nil {
			t.literals = fileLines(content)
		}
	case "contains", "streq", "beginswith", "endswith":
		if !strings.Contains(t.argument, "%{") {
			t.literals = phrases([]string{strings.ToLower(t.argument)})
		}
	case "unconditionalmatch", "nomatch", "eq", "ge", "gt", "le", "lt", "within", "strmatch", "ipmatch", "ipmatchfromfile", "ipmatchf",
		"validatebyterange", "validateurlencoding", "validateutf8encoding", "detectsqli", "detectxss":
	default:
		needs, isOwn := p.own(t.name, t.argument)
		if !isOwn {
			return false
		}
		if needs.Expression != "" {
			t.literals = requiredLiterals(needs.Expression, false)
		}
		t.digits = needs.Digits
	}
	if t.negated {
		t.literals = nil
	}
	if t.literals != nil && (t.name == "pm" || t.name == "pmfromfile" || t.name == "pmf") {
		set := map[uint16]literals{0: t.literals}
		t.phrases = sync.OnceValue(func() *scanner { return newScanner(set) })
	}
	if t.rx != nil || t.phrases != nil {
		return true
	}
	operator, err := getOperator(rule.Operator.Name, plugintypes.OperatorOptions{
		Arguments: t.argument, Path: []string{path.Dir(rule.File)}, Root: p.data,
	})
	if err != nil {
		return false
	}
	t.operator = operator
	switch {
	case t.name == "detectsqli":
		t.operator = sqlInjection{operator}
	case t.name == "detectxss" && !t.negated:
		t.literals = scriptMarks
	case t.name == "validatebyterange" && !t.negated:
		t.literals = bytesOutside(operator, p.state)
	}
	return true
}

func (p *compiler) expression(t *test) {
	pattern := "(?sm)" + t.argument
	binary := MatchesArbitraryBytes(pattern)
	t.literals = requiredLiterals(t.argument, binary)
	if binary {
		return
	}
	t.rx = newAutomaton(pattern, p.states)
	if t.rx != nil && t.captures && !t.negated {
		t.groups = t.rx.slow
		t.tellsGroups = slices.ContainsFunc(t.sets, assignment.readsGroups)
	}
}

func phrases(list []string) literals {
	set := literals{}
	for _, phrase := range list {
		if phrase == "" || !isASCII(phrase) {
			return nil
		}
		set = append(set, phrase)
	}
	return set
}

// fileLines reads the phrases of a data file as @pmFromFile does.
func fileLines(content []byte) literals {
	set := literals{}
	for line := range bytes.Lines(content) {
		text := strings.ToLower(string(bytes.TrimSpace(line)))
		if text != "" && text[0] != '#' {
			set = append(set, text)
		}
	}
	return set
}
