package filter

import (
	"sync"
	"sync/atomic"
)

// labels are the values of a metric's two labels.
type labels [2]string

// tally counts by labels that are not known beforehand, a bounded number of them. Its zero value is ready for use, from any
// goroutine, without a lock once the labels are known.
type tally struct {
	counts sync.Map // *atomic.Uint64 by labels
	keys   atomic.Int64
	others atomic.Uint64
}

// maxTallied bounds the keys of a tally: each is a time series in every database that keeps metrics.
const maxTallied = 1000

// beyond is the first label of what a tally has no place for.
const beyond = "other"

func (t *tally) add(key labels) {
	if count := t.count(key); count != nil {
		count.Add(1)
		return
	}
	t.others.Add(1)
}

// count returns the counter of a key, nil when there is no place for it.
func (t *tally) count(key labels) *atomic.Uint64 {
	count, known := t.counts.Load(key)
	if !known {
		if t.keys.Load() >= maxTallied {
			return nil
		}
		if count, known = t.counts.LoadOrStore(key, new(atomic.Uint64)); !known {
			t.keys.Add(1)
		}
	}
	return count.(*atomic.Uint64)
}

// each calls use with every count, in no order.
func (t *tally) each(use func(labels, uint64)) {
	t.counts.Range(func(key, count any) bool {
		use(key.(labels), count.(*atomic.Uint64).Load())
		return true
	})
	if n := t.others.Load(); n > 0 {
		use(labels{beyond}, n)
	}
}
