package filter

import (
	"sync"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// lastGood holds the rule set that each named filter of the process opened last. A host that reloads ends the old filter before
// it starts the new one: without this, rules that are broken by then would leave no filter, and no pipeline.
//
// It holds no set that would otherwise be closed, except for names that a reload has removed.
var lastGood = struct {
	mu   sync.Mutex
	sets map[string]*rules.Set
}{sets: map[string]*rules.Set{}}

// keepRules remembers the rules of a named filter, and lets go of those remembered before.
func keepRules(name string, set *rules.Set) error {
	if name == "" {
		return nil
	}
	lastGood.mu.Lock()
	defer lastGood.mu.Unlock()
	before := lastGood.sets[name]
	lastGood.sets[name] = set.Share()
	if before == nil {
		return nil
	}
	return before.Close()
}

// keptRules returns the rules remembered for a named filter, nil when there are none. They are to be closed.
func keptRules(name string) *rules.Set {
	lastGood.mu.Lock()
	defer lastGood.mu.Unlock()
	if set := lastGood.sets[name]; set != nil {
		return set.Share()
	}
	return nil
}
