package collect

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
)

const (
	// keepInterval is how often the state of incidents is saved, and offsets of digests are committed.
	keepInterval = 15 * time.Second
	// keepPatience is how long records are held up for destinations before the state is saved.
	keepPatience = 2 * time.Second
)

// keeper saves the state of incident detection together with what was delivered: all events about incidents that the state counts as
// reported are at their destinations, and digests that come from Kafka are committed when they are in the state that was saved. So a run that
// is killed loses no incident. A zero keeper saves nothing.
type keeper struct {
	filter   *filter.Filter // nil when there is nothing to save
	settled  func() bool    // everything that was emitted is delivered
	emitting sync.RWMutex   // held for writing while nothing may be emitted
	saves    atomic.Uint64  // that succeeded
}

// digests returns how many digests have come.
func (k *keeper) digests() uint64 {
	if k.filter == nil {
		return 0
	}
	return k.filter.Digests()
}

// next returns a function that reports whether what came until now is saved. It is called while something may be emitted, and so not while
// the state is being saved.
func (k *keeper) next() (kept func() bool) {
	now := k.saves.Load()
	return func() bool { return k.saves.Load() > now }
}

// run saves now and then until the end.
func (k *keeper) run(end <-chan struct{}) {
	if k.filter == nil {
		return
	}
	ticks := time.NewTicker(keepInterval)
	defer ticks.Stop()
	for {
		select {
		case <-ticks.C:
			k.keep()
		case <-end:
			return
		}
	}
}

// keep saves the state, unless destinations do not take what was emitted.
func (k *keeper) keep() {
	k.emitting.Lock()
	defer k.emitting.Unlock()
	for until := time.Now().Add(keepPatience); !k.settled(); time.Sleep(settleTick) {
		if time.Now().After(until) {
			return
		}
	}
	k.save()
}

// save saves the state.
func (k *keeper) save() {
	if k.filter != nil && k.filter.SaveState() {
		k.saves.Add(1)
	}
}
