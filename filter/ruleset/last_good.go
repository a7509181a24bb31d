package ruleset

import (
	"errors"
	"sync"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// LastGood holds the rules of a host: the library in which its filters open and share them, and the rule set that each named filter opened
// last. A host that reloads ends the old filter before it starts the new one: without the latter, rules that are broken by then would leave no
// filter, and no pipeline. Its zero value is ready for use; a filter without one shares no rules, and falls back on none.
//
// It holds no set that would otherwise be closed, except for names that a reload has removed.
type LastGood struct {
	library rules.Library

	mu   sync.Mutex
	sets map[string]*rules.Set
}

// watch returns a watch of a configuration, which opens its rules.
func (k *LastGood) watch(c rules.Config) *rules.Watch {
	if k == nil {
		return new(rules.Library).NewWatch(c)
	}
	return k.library.NewWatch(c)
}

// keep remembers the rules of a named filter, and lets go of those remembered before.
func (k *LastGood) keep(name string, set *rules.Set) error {
	if k == nil || name == "" {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.sets == nil {
		k.sets = map[string]*rules.Set{}
	}
	before := k.sets[name]
	k.sets[name] = set.Share()
	if before == nil {
		return nil
	}
	return before.Close()
}

// of returns the rules remembered for a named filter, nil when there are none. They are to be closed.
func (k *LastGood) of(name string) *rules.Set {
	if k == nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if set := k.sets[name]; set != nil {
		return set.Share()
	}
	return nil
}

// Close lets go of all rules.
func (k *LastGood) Close() (err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for name, set := range k.sets {
		err = errors.Join(err, set.Close())
		delete(k.sets, name)
	}
	return err
}
