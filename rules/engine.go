package rules

import (
	"fmt"
	"io"
	"slices"
	"sync/atomic"

	"github.com/corazawaf/coraza/v3"
	"github.com/corazawaf/coraza/v3/experimental"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corazalink"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/gate"
)

// engine is one compiled form of a set's rules with everything that belongs to this form alone. A set has one engine with all
// of its rules, and one for each list of rules that must be left out because a source does not log what they judge.
type engine struct {
	waf     coraza.WAF
	table   *ruleTable
	gate    *gated        // what is known of the rules, nil when nothing is; all engines of a set share it
	exempt  *gate.Exempt  // rules that this engine leaves out
	spared  atomic.Uint64 // transactions that the gate has proven to be clean, counted for a profile
	ungated string        // why the engine judges every transaction, "" when the gate decides which
}

// newEngine compiles a program. Patterns are shared with all engines that are open.
func newEngine(p *program, c *Config) (*engine, error) {
	waf, err := p.compile(c.Strict)
	if err != nil {
		return nil, err
	}
	compiled, err := corazalink.Compiled(waf)
	if err != nil {
		closeWAF(waf)
		return nil, err
	}
	nameOperators(compiled)
	e := &engine{waf: waf, table: newRuleTable(p, compiled)}
	if e.gate, err = newGate(p, waf, compiled, e.table); err != nil {
		e.ungated = err.Error()
	}
	coolDown()
	if !c.Gate {
		e.ungated = "gate off"
	}
	return e, nil
}

// without compiles the engine of a program from which rules are left out. It costs a twentieth of the whole engine, whose gate
// and rule table it shares.
func (e *engine) without(p *program, ids []int) (*engine, error) {
	waf, err := p.without(ids).compile(true)
	if err != nil {
		return nil, err
	}
	made := &engine{waf: waf, table: e.table, gate: e.gate, ungated: e.ungated}
	if e.gate != nil {
		made.exempt = e.gate.Exempt(ids)
	}
	return made, nil
}

// rules returns the number of compiled rules.
func (e *engine) rules() int {
	if counter, can := e.waf.(experimental.WAFWithRules); can {
		return counter.RulesCount()
	}
	return len(e.table.infos)
}

// close releases the compiled rules; the gate belongs to the engine with all rules.
func (e *engine) close() error {
	if e.gate != nil && e.exempt == nil {
		e.gate.baseline.Close() // it has nothing on disk that could fail to go away
	}
	if closer, can := e.waf.(io.Closer); can {
		return closer.Close()
	}
	return nil
}

// without returns the program with rules removed from it; it shares everything else.
func (p *program) without(ids []int) *program {
	reduced := *p
	reduced.directives = slices.Clone(p.directives)
	for _, id := range ids {
		reduced.addText("field map", fmt.Sprintf("SecRuleRemoveById %d", id))
	}
	return &reduced
}
