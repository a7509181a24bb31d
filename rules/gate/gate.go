// Package gate proves of most transactions, without running the rules, that no rule would match that could alert.
//
// For every rule that can alert it derives from the rule's own text a condition that each match must meet: literals of which
// one must occur, or the operator itself on the few values that the rule looks at. A transaction on which no condition is met
// is clean. In all other cases, and for every rule that the gate does not understand, the engine judges.
package gate

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	corazacollection "github.com/corazawaf/coraza/v3/collection"
	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"
	"github.com/corazawaf/coraza/v3/types/variables"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/seclang"
)

// Gate is the gate of one compiled rule set. It is immutable and safe for concurrent use.
type Gate struct {
	steps    *steps
	lanes    *lanes
	triggers []trigger
	// How bodies are read does not depend on variables that a rule sets when it alerts.
	steadyBodies bool
	direct       []*chain // evaluated for every transaction
	effects      []*chain // rules that select how bodies are read, in order
	limits       limits
	defaults     [256]string
	state        plugintypes.TransactionState
	bodies       bodies
	memo         *memo
	learned      combinations
	reads        Reads
	states       atomic.Int64 // bytes of the automata's states
	report       []Rule
	scratch      sync.Pool
}

// Rules is what the gate is derived from.
type Rules struct {
	Yield      func()                           // called between one rule and the next
	Directives []seclang.Directive              // of the rule set, in the order in which the engine reads them
	Data       fs.ReadFileFS                    // the files that operators read
	Count      int                              // how many rules the engine has, markers included
	Watched    func(id int) bool                // whether a match of a rule can alert
	Blocking   func(id int) bool                // whether a match of a rule blocks
	Baseline   plugintypes.TransactionState     // a plain transaction after all phases; it must stay open as long as the gate
	Matched    map[int]bool                     // ids of the rules that matched on it
	Fresh      plugintypes.TransactionVariables // of a new transaction

	// Own tells whether an operator is one of ours, which look at the value alone, and what the values have on which it matches.
	Own func(operator, argument string) (n Needs, isOwn bool)
}

// Needs is what every value has on which an operator matches.
type Needs struct {
	Expression string // that it meets, "" when there is none
	Digits     int    // that it has in a row, as sensitive.DigitsInARow counts them
}

// Rule tells how one rule is gated.
type Rule struct {
	ID    int
	Place string // file:line
	Gate  string // for instance "a value must have one of 12 texts", or why the rule always runs
	Open  bool   // the rule always runs
}

// New derives the gate of a rule set. The error says why the engine has to judge every transaction; when there is a gate all
// the same, it knows what the rules read.
func New(r Rules) (*Gate, error) {
	reading := read(r.Directives)
	if reading.trouble != "" {
		return nil, fmt.Errorf("gate: %s", reading.trouble)
	}
	if n := len(reading.entries); n != r.Count {
		return nil, fmt.Errorf("gate: %d rules read, the engine has %d", n, r.Count)
	}
	g := &Gate{steps: newSteps(), limits: reading.limits, state: r.Baseline, memo: newMemo()}
	g.scratch.New = func() any { return newScratch(g) }
	g.readDefaults(r.Fresh)
	f := newFlow(reading.entries)
	f.initial = txVariables(r.Baseline)
	if err := prepare(f, &r); err != nil {
		return nil, err
	}
	f.findCounting(r.Blocking)
	triggers := g.compile(f, &compiler{yield: r.Yield, data: r.Data, steps: g.steps, flow: f, state: r.Baseline, states: &g.states, own: r.Own})
	g.triggers = f.numberTriggers(triggers)
	g.steadyBodies = !slices.ContainsFunc(g.effects, func(c *chain) bool { return !f.neverWritten(f.entries[f.order[c]].rules) })
	g.lanes = newLanes(g.triggers, g.steps)
	g.findReads(f)
	for _, rule := range g.report {
		if rule.Open {
			return g, fmt.Errorf("gate: rule %d at %s always runs: %s", rule.ID, rule.Place, rule.Gate)
		}
	}
	return g, nil
}

// prepare finds out which chains matter and which never run.
func prepare(f *flow, r *Rules) error {
	isBodyRule := bodyRules(f.entries)
	for _, e := range f.entries {
		if e.chain == nil {
			continue
		}
		e.chain.control(e.rules, isBodyRule)
		e.chain.watched = e.chain.watched || r.Watched(e.chain.id)
	}
	f.settle()
	for _, e := range f.entries {
		c := e.chain
		if c == nil || !r.Matched[c.id] {
			continue
		}
		c.matches = true
		if c.watched {
			return fmt.Errorf("gate: rule %d at %s matches on a plain transaction", c.id, c.place)
		}
	}
	if trouble := f.bury(); trouble != "" {
		return fmt.Errorf("gate: %s", trouble)
	}
	f.guardSkips()
	return nil
}

// bodyRules returns a function that tells whether an exception by id or tag concerns a rule that selects how bodies are read.
func bodyRules(entries []entry) func(id int, tag string) bool {
	ids, tags := map[int]bool{}, map[string]bool{}
	for _, e := range entries {
		for i := range e.rules {
			for _, action := range e.rules[i].All("ctl") {
				name := strings.ToLower(action)
				if strings.HasPrefix(name, "requestbodyprocessor") || strings.HasPrefix(name, "forcerequestbodyvariable") {
					ids[e.chain.id] = true
					for _, tag := range e.chain.tags {
						tags[tag] = true
					}
				}
			}
		}
	}
	// Tags that all rules of a set share would make every exception by tag one of these; they are not exceptions by target.
	return func(id int, tag string) bool { return ids[id] || tag != "" && tags[tag] }
}

// compile turns the chains that matter into tests and sorts them into triggers and those that are evaluated directly.
func (g *Gate) compile(f *flow, p *compiler) []trigger {
	var triggers []trigger
	for _, e := range f.entries {
		p.yield()
		c := e.chain
		switch {
		case c == nil || c.dead:
		case len(c.effects) > 0 && !c.watched && c.phase == 1:
			p.compile(c, e.rules)
			g.effects = append(g.effects, c)
			if c.opaque != "" || !c.isExact() {
				c.open("it selects how bodies are read by what the gate does not know")
			}
		case !c.watched:
		case c.static:
			c.why = "cannot match unless another rule does"
		default:
			p.compile(c, e.rules)
			triggers = append(triggers, g.place(c)...)
		}
		if c != nil && c.why == "" && c.dead {
			c.why = "never runs"
		}
		if c != nil && c.why != "" && (c.watched || len(c.effects) > 0) {
			g.report = append(g.report, Rule{ID: c.id, Place: c.place, Gate: c.why, Open: c.opaque != ""})
		}
	}
	return triggers
}

// isExact reports whether the gate knows when the chain matches, and not just when it can match: of TX variables and of what rules
// before have matched it only knows what they can be.
func (c *chain) isExact() bool {
	for i := range c.tests {
		t := &c.tests[i]
		if t.unknown || !t.constant && slices.ContainsFunc(t.targets, func(g target) bool { return g.kind > ofNames }) {
			return false
		}
	}
	return true
}

// open marks a chain that always runs.
func (c *chain) open(why string) {
	c.why = why
	if c.opaque == "" {
		c.opaque = why
	}
}

// place decides how a chain is gated.
func (g *Gate) place(c *chain) []trigger {
	if c.opaque != "" {
		c.open(c.opaque)
		return nil
	}
	best := -1
	known := false
	for i := range c.tests {
		t := &c.tests[i]
		if t.constant && !t.result {
			c.why = "cannot match with these settings"
			return nil
		}
		known = known || !t.unknown && !t.all && !t.constant
		if t.scannable(len(c.tests) == 1) && (best < 0 || c.tests[best].literals == nil && t.literals != nil) {
			best = i
		}
	}
	switch {
	case best >= 0:
		t := &c.tests[best]
		c.why = fmt.Sprintf("a value must have one of %d texts", len(t.literals))
		if t.literals == nil {
			c.why = "@" + t.name + " is tried on each value"
		}
		return []trigger{{chain: c, test: t}}
	case known:
		c.why = "is evaluated on the few values that it looks at"
		c.number = len(g.direct)
		c.findNeeds()
		g.direct = append(g.direct, c)
	default:
		c.open("it looks at nothing that the gate knows")
	}
	return nil
}

// scannable reports whether values decide one by one whether the test can match: by their literals, for the test that looks
// for injections, or because the chain has no other test.
func (t *test) scannable(alone bool) bool {
	injection := !t.negated && (t.name == "detectsqli" || t.name == "detectxss")
	if t.unknown || t.all || t.constant || t.literals == nil && !injection && !alone {
		return false
	}
	for i := range t.targets {
		if k := t.targets[i].kind; t.targets[i].counts || k != ofSingle && k != ofPairs && k != ofNames {
			return false
		}
	}
	return true
}

// Report tells of every rule that can alert how it is gated.
func (g *Gate) Report() []Rule { return g.report }

func (g *Gate) readDefaults(fresh plugintypes.TransactionVariables) {
	for _, s := range sources {
		if s.kind == ofSingle {
			g.defaults[s.variable] = ""
		}
	}
	fresh.All(func(v variables.RuleVariable, col corazacollection.Collection) bool {
		if single, is := col.(interface{ Get() string }); is {
			g.defaults[v] = single.Get()
		}
		return true
	})
}
