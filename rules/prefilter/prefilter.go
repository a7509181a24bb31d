package prefilter

import (
	"fmt"
	"io/fs"
	"slices"
	"sync"

	corazacollection "github.com/corazawaf/coraza/v3/collection"
	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"
	"github.com/corazawaf/coraza/v3/types"
	corazavariables "github.com/corazawaf/coraza/v3/types/variables"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corazalink"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter/regex"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter/transform"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter/variables"
)

// Prefilter is the prefilter of one compiled rule set. It is immutable and safe for concurrent use.
type Prefilter struct {
	steps        *transform.Tree
	buffers      *buffers
	fastPatterns []fastPattern
	// What candidates set changes neither how bodies are read nor what rules do that match nothing.
	canSkipRules bool
	direct       []*chain     // evaluated for every transaction
	counted      map[int]bool // ids of the rules that a skip counts
	writers      map[int]bool // ids of alerting rules that write variables in every transaction
	effects      []*chain     // rules that select how bodies are read, in order
	limits       variables.Limits
	defaults     [256]string
	state        plugintypes.TransactionState
	bodies       variables.Bodies
	cache        *valueCache
	learned      combinations
	reported     []*chain     // counting chains whose matches are reported without the engine
	derived      map[int]bool // ids of alerting rules whose matches follow from a combination
	reads        Reads
	report       []Rule
	scratch      sync.Pool
}

// Rules is what a prefilter is derived from.
type Rules struct {
	Yield    func()              // called between one rule and the next
	WAF      *corazalink.WAF     // the rules as Coraza has compiled them
	Data     fs.ReadFileFS       // the files that operators read, by the paths under which Coraza asks for them
	Place    func(id int) string // file:line of a rule
	Watched  func(id int) bool   // whether a match of a rule can alert
	Blocking func(id int) bool   // whether a match of a rule blocks
	Baseline Baseline
	Fresh    plugintypes.TransactionVariables // of a new transaction

	// Own reports whether an operator is one of the project's, which look at the value alone, and what the values have on which it
	// matches.
	Own func(operator, argument string) (n Requirements, isOwn bool)

	Scores []string // names of the TX variables that a verdict has, in lower case and without TX.

	Expressions *regex.Budget // of the lazy DFAs
}

// Baseline is what the engine made of a plain request, once with a response and once without. Both requests must be clean.
type Baseline struct {
	State    plugintypes.TransactionState // after all phases, with a response; it must stay open as long as the Prefilter
	Requests [2]model.Transaction         // with and without a response
	Matched  [2]map[int]bool              // ids of the rules that matched
}

// Requirements is what every value has on which an operator matches.
type Requirements struct {
	Expression string // that it meets, "" when there is none
	Digits     int    // that it has in a row, as sensitive.DigitsInARow counts them
}

// Limited is an @rx that Coraza cannot compile, and that may give up on a value because deciding takes too long.
type Limited interface {
	// Try reports whether the operator matches, and whether that is sure.
	Try(value string) (matches, sure bool)
	// Loose returns an expression of RE2 that has a match in every value on which the operator matches. Its runes stand for
	// bytes. It is "" when there is none.
	Loose() string
}

// Rule reports how one rule is prefiltered.
type Rule struct {
	ID    int
	Place string // file:line
	How   string // for instance "a value must have one of 12 texts", or why the rule always runs
	Open  bool   // the rule always runs
}

// New derives the prefilter of a rule set. The error names the rule and the construct because of which the engine has to evaluate every
// transaction; when there is a Prefilter all the same, it knows what the rules read.
func New(r Rules) (*Prefilter, error) {
	if r.WAF.Engine != types.RuleEngineDetectionOnly {
		return nil, fmt.Errorf("prefilter: SecRuleEngine is %s, not DetectionOnly", r.WAF.Engine)
	}
	g := &Prefilter{steps: transform.NewTree(), limits: variables.LimitsOf(&r.WAF.Settings), state: r.Baseline.State, cache: newValueCache()}
	g.scratch.New = func() any { return newScratch(g) }
	g.readDefaults(r.Fresh)
	f := newDataFlow(newEntries(&r), txVariables(r.Baseline.State), r.Own)
	if err := f.analyze(&r.Baseline); err != nil {
		g.findReads(f, false)
		return g, err
	}
	f.findCounting(r.Blocking)
	g.counted, g.writers = f.counted(), f.writers()
	p := &compiler{
		yield: r.Yield, data: r.Data, steps: g.steps, dataFlow: f, state: r.Baseline.State, expressions: r.Expressions, own: r.Own,
		prefiltered: r.WAF.Settings.RxPreFilter,
	}
	g.fastPatterns = f.numberFastPatterns(g.counted, g.compile(f, p))
	g.reported, g.derived = p.findReported(r.Scores)
	g.canSkipRules = f.idleRulesStayIdle() && !slices.ContainsFunc(g.effects, func(c *chain) bool { return !f.readsInvariant(c.links) })
	g.buffers = newBuffers(g.fastPatterns, g.steps)
	g.buffers.addUnions(r.Expressions, len(g.fastPatterns))
	err := g.passesBaseline(&r.Baseline, r.Place)
	g.findReads(f, err == nil)
	for _, rule := range g.report {
		if rule.Open {
			return g, fmt.Errorf("prefilter: rule %d at %s always runs: %s", rule.ID, rule.Place, rule.How)
		}
	}
	return g, err
}

// passesBaseline requires that the plain requests are clean. All that is concluded from what the engine made of them rests on that: none
// of the rules that change how others run has matched on them, in part or as a whole.
func (g *Prefilter) passesBaseline(b *Baseline, place func(id int) string) error {
	for i := range b.Requests {
		s := g.scratch.Get().(*scratch)
		a := s.ask(&b.Requests[i], Query{})
		noteCandidate := s.candidate
		g.scratch.Put(s)
		switch {
		case a.Clean:
		case noteCandidate != nil && noteCandidate.diverts != "":
			return fmt.Errorf("prefilter: rule %d at %s can match on a plain request, and %s", noteCandidate.id, noteCandidate.place, noteCandidate.diverts)
		case noteCandidate != nil:
			return fmt.Errorf("prefilter: rule %d at %s can match on a plain request", noteCandidate.id, noteCandidate.place)
		case a.counted.n > 0:
			id := int(a.counted.rules[0].id)
			return fmt.Errorf("prefilter: rule %d at %s can match on a plain request", id, place(id))
		default:
			return fmt.Errorf("prefilter: the body of a plain request is not read")
		}
	}
	return nil
}

// compile turns the chains that matter into tests and sorts them into fast patterns and those that are evaluated directly.
func (g *Prefilter) compile(f *dataFlow, p *compiler) []fastPattern {
	var fastPatterns []fastPattern
	for _, c := range f.chains {
		p.yield()
		switch {
		case c.dead:
		case c.decisive == 0 && len(c.effects) == 0:
		case c.static:
			g.compileStatic(c, p)
		case c.decisive == 0:
			p.compile(c)
			g.effects = append(g.effects, c)
			if !c.isExact() {
				c.open("it selects how bodies are read by constructs that the prefilter does not support")
			}
		default:
			p.compile(c)
			fastPatterns = append(fastPatterns, g.place(c)...)
		}
		if c.dead && c.why == "" {
			c.why = "never runs"
		}
		if c.why != "" && (c.alerts || c.decisive > 0 || len(c.effects) > 0) {
			g.report = append(g.report, Rule{ID: c.id, Place: c.place, How: c.why, Open: c.opened})
		}
	}
	return fastPatterns
}

// compileStatic takes a chain whose outcome is that of the baseline for every transaction.
func (g *Prefilter) compileStatic(c *chain, p *compiler) {
	if len(c.effects) > 0 && c.matches && c.decisive == 0 {
		p.compile(c)
		g.effects = append(g.effects, c)
		return
	}
	c.why = "cannot match unless another rule does"
}

// isExact reports whether the prefilter knows when the chain matches, and not just when it can match: of TX variables and of what rules
// before have matched it only knows what they can be, and an operator may give up.
func (c *chain) isExact() bool {
	for i := range c.tests {
		t := &c.tests[i]
		if t.unknown || t.limited != nil || len(t.alternatives) > 1 || !t.constant && slices.ContainsFunc(t.targets, func(g target) bool { return g.Kind > variables.OfNames && g.Kind != variables.OfNothing }) {
			return false
		}
	}
	return true
}

// open marks a chain that always runs.
func (c *chain) open(why string) { c.why, c.opened = why, true }

// place decides how a chain is prefiltered.
func (g *Prefilter) place(c *chain) []fastPattern {
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
		return []fastPattern{{chain: c, test: t}}
	case known:
		c.why = "is evaluated on the few values that it looks at"
		c.number = len(g.direct)
		c.findInputs()
		g.direct = append(g.direct, c)
	default:
		c.open(c.unsupported())
	}
	return nil
}

// unsupported returns what keeps the prefilter from evaluating a chain.
func (c *chain) unsupported() string {
	for i := range c.tests {
		if why := c.tests[i].why; why != "" {
			return why
		}
	}
	if c.diverts != "" {
		return c.diverts
	}
	return "it matches every transaction"
}

// scannable reports whether values decide one by one whether the test can match: by their literals, for the test that looks
// for injections, or because the chain has no other test.
func (t *test) scannable(alone bool) bool {
	injection := !t.negated && (t.name == "detectsqli" || t.name == "detectxss")
	if t.unknown || t.all || t.constant || t.literals == nil && !injection && !alone {
		return false
	}
	for i := range t.targets {
		if k := t.targets[i].Kind; t.targets[i].counts || k != variables.OfSingle && k != variables.OfPairs && k != variables.OfNames {
			return false
		}
	}
	return true
}

// Report returns how every rule that can alert is prefiltered.
func (g *Prefilter) Report() []Rule { return g.report }

func (g *Prefilter) readDefaults(fresh plugintypes.TransactionVariables) {
	for _, s := range variables.Sources {
		if s.Kind == variables.OfSingle {
			g.defaults[s.Variable] = ""
		}
	}
	fresh.All(func(v corazavariables.RuleVariable, col corazacollection.Collection) bool {
		if single, is := col.(interface{ Get() string }); is {
			g.defaults[v] = single.Get()
		}
		return true
	})
}
