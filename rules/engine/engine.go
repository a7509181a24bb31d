package engine

import (
	"io"
	"sync/atomic"

	"github.com/corazawaf/coraza/v3"
	"github.com/corazawaf/coraza/v3/experimental"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corazalink"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/load"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter/regex"
)

// Engine is one compiled form of a set's rules with everything that belongs to this form alone. A set has one engine with all
// of its rules, and one for each list of rules that are omitted because a source does not log what they look at.
type Engine struct {
	compiler   *compiler
	profile    *profile // where the time goes, nil when nobody wants to know
	waf        coraza.WAF
	table      *ruleTable
	prefilter  *enginePrefilter  // what is known of the rules, nil when nothing is; all engines of a set share it
	exempt     *prefilter.Exempt // rules that this engine omits
	spared     atomic.Uint64     // transactions that the prefilter has proven to be clean, counted for a profile
	unfiltered string            // why the engine evaluates every transaction, "" when the prefilter decides which
}

// Options says how a program is compiled.
type Options struct {
	Strict    bool // a rule that cannot be used is an error
	Prefilter bool // the prefilter decides which transactions Coraza evaluates
	Profile   bool // times of the rules are collected
	Yield     bool // records flow meanwhile, and come first
	Operators *Operators
}

// New compiles a program. Operators are shared with all engines of the same Operators.
func New(program *load.Program, o Options) (*Engine, error) {
	p := &compiler{Program: program, operators: o.Operators, expressions: regex.NewBudget(&o.Operators.ofDFAs), yields: o.Yield}
	if o.Profile {
		p.times = &profile{}
	}
	waf, err := p.compile(o.Strict)
	if err != nil {
		return nil, err
	}
	compiled, err := corazalink.Compiled(waf)
	if err != nil {
		closeWAF(waf)
		return nil, err
	}
	nameOperators(compiled)
	e := &Engine{compiler: p, waf: waf, table: newRuleTable(program, compiled), profile: p.times}
	if e.prefilter, err = newPrefilter(p, waf, compiled, e.table); err != nil {
		e.unfiltered = err.Error()
	}
	o.Operators.coolDown()
	if !o.Prefilter {
		e.unfiltered = "prefilter off"
	}
	if e.profile != nil {
		e.profile.rules.Clear() // of the plain transaction from which the prefilter has learned
	}
	return e, nil
}

// Without compiles the engine without some of its rules. It costs a twentieth of the whole engine, whose prefilter and rule table it
// shares.
func (e *Engine) Without(ids []int) (*Engine, error) {
	p := *e.compiler
	p.Program = p.Without(ids)
	waf, err := p.compile(true)
	if err != nil {
		return nil, err
	}
	made := &Engine{compiler: &p, waf: waf, table: e.table, profile: e.profile, prefilter: e.prefilter, unfiltered: e.unfiltered}
	if e.prefilter != nil {
		made.exempt = e.prefilter.Exempt(ids)
	}
	return made, nil
}

// Alerting returns what is known of a rule whose match can make an alert, nil of others.
func (e *Engine) Alerting(id int) *model.RuleInfo {
	if !e.table.watched(id) {
		return nil
	}
	return e.table.infos[id]
}

// Rule returns what is known of a rule, nil when there is none with this id.
func (e *Engine) Rule(id int) *model.RuleInfo { return e.table.infos[id] }

// Reads returns what the rules look at, nil when that is not known.
func (e *Engine) Reads() *prefilter.Reads {
	if e.prefilter == nil {
		return nil
	}
	return e.prefilter.Reads()
}

// Report returns how every rule that can alert is prefiltered, nothing when there is no prefilter.
func (e *Engine) Report() []prefilter.Rule {
	if e.prefilter == nil {
		return nil
	}
	return e.prefilter.Report()
}

// Unfiltered returns why the engine evaluates every transaction, "" when the prefilter decides which.
func (e *Engine) Unfiltered() string { return e.unfiltered }

// Rules returns the number of compiled rules.
func (e *Engine) Rules() int {
	if counter, can := e.waf.(experimental.WAFWithRules); can {
		return counter.RulesCount()
	}
	return len(e.table.infos)
}

// Close releases the compiled rules; the prefilter belongs to the engine with all rules.
func (e *Engine) Close() error {
	if e.prefilter != nil && e.exempt == nil {
		e.prefilter.baseline.Close() // it has nothing on disk that could fail to go away
	}
	if closer, can := e.waf.(io.Closer); can {
		return closer.Close()
	}
	return nil
}
