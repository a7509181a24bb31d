package engine

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter"
)

// profile collects times while transactions are evaluated.
type profile struct {
	prefilter, engine atomic.Int64 // nanoseconds
	rules             sync.Map     // *ruleTime by id
}

type ruleTime struct {
	nanoseconds  atomic.Int64
	runs, spared atomic.Uint64
}

func (p *profile) rule(id int) *ruleTime {
	if t, found := p.rules.Load(id); found {
		return t.(*ruleTime)
	}
	t, _ := p.rules.LoadOrStore(id, &ruleTime{})
	return t.(*ruleTime)
}

func (p *profile) ran(id int, took time.Duration) {
	t := p.rule(id)
	t.nanoseconds.Add(int64(took))
	t.runs.Add(1)
}

// ask asks the prefilter of an engine that is profiled.
func (p *profile) ask(e *Engine, t *model.Transaction, matches bool) prefilter.Answer {
	start := time.Now()
	a := e.askPrefilter(t, matches)
	p.prefilter.Add(int64(time.Since(start)))
	switch {
	case a.Clean, a.Passes && !matches, a.Outline != nil:
		e.spared.Add(1)
	default:
		for _, id := range a.Idle {
			p.rule(id).spared.Add(1)
		}
	}
	return a
}

// inspect has a profiled engine evaluate.
func (p *profile) inspect(e *Engine, idle []int, t *model.Transaction) (*model.Verdict, error) {
	start := time.Now()
	defer func() { p.engine.Add(int64(time.Since(start))) }()
	return e.runWithout(idle, t)
}

// Times are what an engine that is profiled has spent, by the clock, added up over all goroutines.
func (e *Engine) Times() (prefilter, engine time.Duration) {
	return time.Duration(e.profile.prefilter.Load()), time.Duration(e.profile.engine.Load())
}

// RuleTimes returns what one rule has cost an engine that is profiled, and how many of the transactions that ran it were spared that.
func (e *Engine) RuleTimes(id int) (took time.Duration, runs, spared uint64) {
	t := e.profile.rule(id)
	return time.Duration(t.nanoseconds.Load()), t.runs.Load(), t.spared.Load()
}

// Profiled reports whether the engine collects times.
func (e *Engine) Profiled() bool { return e.profile != nil }

// Spared returns for how many transactions the prefilter has spared this form of the engine all rules, none where it does not have this one.
func (e *Engine) Spared(id int) uint64 {
	if e.exempt.Has(id) {
		return 0
	}
	return e.spared.Load()
}
