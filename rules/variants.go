package rules

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/coverage"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/engine"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/load"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
)

// maxEngines bounds how many variants of one rule set are compiled, at 2 MB each. A record whose variant comes later is inspected with
// the variant that omits most, which is right for every record: there is one for HTTP and one for other logs.
const maxEngines = 16

// engines are the compiled variants of one rule set: the whole one, and those without the rules that need unknown parts. Variants
// that omit the same rules are one engine.
type engines struct {
	whole   *engine.Engine
	byParts atomic.Pointer[map[model.Parts]*engine.Engine] // never changed once stored

	mu      sync.Mutex // held while an engine is made
	program *load.Program
	config  load.Config
	needs   []coverage.Need
	needed  model.Parts               // all parts that a rule needs; others make no difference to HTTP transactions
	made    map[string]*engine.Engine // by the ids that are omitted
}

func (es *engines) start(p *load.Program, c load.Config, whole *engine.Engine) {
	es.program, es.config, es.whole = p, c, whole
	es.needs = coverage.NeedsOf(p.Directives, whole.Alerting)
	for _, n := range es.needs {
		es.needed |= n.Parts
	}
	es.made = map[string]*engine.Engine{key(nil): whole}
	es.byParts.Store(&map[model.Parts]*engine.Engine{0: whole})
}

// relevant returns the parts that make a difference to the variant of the rules.
func (es *engines) relevant(unknown model.Parts) model.Parts {
	if unknown&model.PartRequest == 0 {
		unknown &= es.needed
	}
	return unknown
}

// compiled returns the variant of the rules for records of which some parts are unknown, nil when it is not compiled yet.
func (s *Set) compiled(unknown model.Parts) *engine.Engine {
	if unknown = s.engines.relevant(unknown); unknown == 0 {
		return s.engines.whole
	}
	return (*s.engines.byParts.Load())[unknown]
}

// engine returns what compiled returns, and compiles it when need be.
func (s *Set) engine(unknown model.Parts) (*engine.Engine, error) {
	if e := s.compiled(unknown); e != nil {
		return e, nil
	}
	return s.engines.add(s.engines.relevant(unknown))
}

// add makes the engine for unknown parts, or finds the one that omits the same rules.
func (es *engines) add(unknown model.Parts) (*engine.Engine, error) {
	es.mu.Lock()
	defer es.mu.Unlock()
	known := *es.byParts.Load()
	if e, found := known[unknown]; found {
		return e, nil
	}
	ids := coverage.LeftOut(es.needs, unknown)
	e, found := es.made[key(ids)]
	if !found && len(es.made) >= maxEngines-2 {
		ids = coverage.LeftOut(es.needs, model.AllParts&^model.PartRequest|unknown&model.PartRequest)
		e, found = es.made[key(ids)]
	}
	if !found {
		var err error
		if e, err = es.whole.Without(ids); err != nil {
			return nil, fmt.Errorf("rules for records without %s: %w", unknown, err)
		}
		es.made[key(ids)] = e
	}
	grown := make(map[model.Parts]*engine.Engine, len(known)+1)
	for parts, e := range known {
		grown[parts] = e
	}
	grown[unknown] = e
	es.byParts.Store(&grown)
	return e, nil
}

// Prepare readies a set for taking the place of another: it has to inspect a plain transaction, and makes the variants of the
// rules that the other has needed so far, so that no record has to wait for them.
func (s *Set) Prepare(like *Set) error {
	if _, err := s.Inspect(engine.PlainTransaction()); err != nil {
		return err
	}
	for unknown := range *like.engines.byParts.Load() {
		if _, err := s.engine(unknown); err != nil {
			return err
		}
	}
	return nil
}

// key identifies a variant by the rules that it omits.
func key(ids []int) string { return fmt.Sprint(ids) }

func (es *engines) close() error {
	es.mu.Lock()
	defer es.mu.Unlock()
	var problems []error
	for _, e := range es.made {
		problems = append(problems, e.Close())
	}
	return errors.Join(problems...)
}
