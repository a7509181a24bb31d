package filter

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// tally counts by keys that are not known beforehand, a bounded number of them. Its zero value is ready for use, from any
// goroutine, without a lock once a key is known.
type tally struct {
	counts sync.Map // of *atomic.Uint64
	keys   atomic.Int64
	others atomic.Uint64
}

// maxTallied bounds the keys of a tally: each is a time series in every database that keeps metrics.
const maxTallied = 1000

// beyond is the key under which a tally counts the keys that it has no place for.
const beyond = "other"

func (t *tally) add(key any) {
	count, known := t.counts.Load(key)
	if !known {
		if t.keys.Load() >= maxTallied {
			t.others.Add(1)
			return
		}
		if count, known = t.counts.LoadOrStore(key, new(atomic.Uint64)); !known {
			t.keys.Add(1)
		}
	}
	count.(*atomic.Uint64).Add(1)
}

func (t *tally) all() map[string]uint64 {
	all := map[string]uint64{}
	t.counts.Range(func(key, count any) bool {
		all[fmt.Sprint(key)] = count.(*atomic.Uint64).Load()
		return true
	})
	if n := t.others.Load(); n > 0 {
		all[beyond] += n
	}
	return all
}
