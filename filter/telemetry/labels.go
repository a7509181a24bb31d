package telemetry

import (
	"sync"
	"sync/atomic"
)

// labels are the values of a metric's two labels.
type labels [2]string

// labelCounts counts by labels that are not known beforehand, a bounded number of them. Its zero value is ready for use, from any
// goroutine, without a lock once the labels are known.
type labelCounts struct {
	counts sync.Map // *atomic.Uint64 by labels
	keys   atomic.Int64
	others atomic.Uint64
}

// maxLabels bounds the keys of a labelCounts: each is a time series in every database that keeps metrics.
const maxLabels = 1000

// beyond is the first label of what a labelCounts has no place for.
const beyond = "other"

func (c *labelCounts) add(key labels) {
	if count := c.count(key); count != nil {
		count.Add(1)
		return
	}
	c.others.Add(1)
}

// count returns the counter of a key, nil when there is no place for it.
func (c *labelCounts) count(key labels) *atomic.Uint64 {
	count, known := c.counts.Load(key)
	if !known {
		if c.keys.Load() >= maxLabels {
			return nil
		}
		if count, known = c.counts.LoadOrStore(key, new(atomic.Uint64)); !known {
			c.keys.Add(1)
		}
	}
	return count.(*atomic.Uint64)
}

// each calls use with every count, in no order.
func (c *labelCounts) each(use func(labels, uint64)) {
	c.counts.Range(func(key, count any) bool {
		use(key.(labels), count.(*atomic.Uint64).Load())
		return true
	})
	if n := c.others.Load(); n > 0 {
		use(labels{beyond}, n)
	}
}
