package rules

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/gate"
)

// Profile tells where the time of a profiled set has gone. All times are by the clock, added up over all goroutines.
type Profile struct {
	Speed
	Gate   time.Duration // asking the gate
	Engine time.Duration // transactions that the engine judged
	Rules  []RuleTime    // of all rules of the set, the slowest first
}

// RuleTime is what one rule has cost.
type RuleTime struct {
	Loaded
	Time   time.Duration // in all runs, those of chained rules with it
	Runs   uint64        // how often the engine has evaluated the rule
	Spared uint64        // transactions for which the gate spared the engine this rule
}

// profile collects times while transactions are judged.
type profile struct {
	gate, engine atomic.Int64 // nanoseconds
	rules        sync.Map     // *ruleTime by id
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

// ask asks the gate of an engine for a set that is profiled.
func (p *profile) ask(e *engine, t *Transaction, matches bool) gate.Answer {
	start := time.Now()
	a := e.ask(t, matches)
	p.gate.Add(int64(time.Since(start)))
	switch {
	case a.Clean, a.Passes && !matches:
		e.spared.Add(1)
	default:
		for _, id := range a.Idle {
			p.rule(id).spared.Add(1)
		}
	}
	return a
}

// inspect has an engine of a set judge that is profiled.
func (p *profile) inspect(e *engine, idle []int, t *Transaction) (*Verdict, error) {
	start := time.Now()
	defer func() { p.engine.Add(int64(time.Since(start))) }()
	return e.inspectWithout(idle, t)
}

// Profile returns what is known so far, nil unless the set was opened with Config.Profile.
func (s *Set) Profile() *Profile {
	p := s.profile
	if p == nil {
		return nil
	}
	all := &Profile{Speed: s.Speed(), Gate: time.Duration(p.gate.Load()), Engine: time.Duration(p.engine.Load())}
	for _, loaded := range s.List() {
		t := p.rule(loaded.ID)
		all.Rules = append(all.Rules, RuleTime{
			Loaded: loaded, Time: time.Duration(t.nanoseconds.Load()), Runs: t.runs.Load(),
			Spared: t.spared.Load() + s.engines.spared(loaded.ID),
		})
	}
	slices.SortStableFunc(all.Rules, func(a, b RuleTime) int {
		return cmp.Or(cmp.Compare(b.Time, a.Time), cmp.Compare(b.Runs, a.Runs))
	})
	return all
}

// spared returns for how many transactions the gate has spared the engine all rules, among them this one.
func (es *engines) spared(id int) (n uint64) {
	es.mu.Lock()
	defer es.mu.Unlock()
	for _, e := range es.made {
		if !e.exempt.Has(id) {
			n += e.spared.Load()
		}
	}
	return n
}
