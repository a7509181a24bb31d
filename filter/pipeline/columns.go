package pipeline

import (
	"sync"
	"sync/atomic"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/accesslog"
)

// columnsByTag are the columns that lines of the W3C extended format have, by the tag of their records. Its zero value knows none.
type columnsByTag struct {
	any   atomic.Bool
	mu    sync.Mutex
	known map[sender]*accesslog.Columns
}

// maxColumnTags bounds the tags whose columns are remembered. With more of them all are forgotten.
const maxColumnTags = 1000

func (c *columnsByTag) of(tag sender) *accesslog.Columns {
	if !c.any.Load() {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known[tag]
}

func (c *columnsByTag) set(tag sender, columns *accesslog.Columns) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil || len(c.known) >= maxColumnTags {
		c.known = map[sender]*accesslog.Columns{}
	}
	c.known[tag] = columns
	c.any.Store(true)
}

// followColumns has lines read with the columns that were announced last before them, and keeps these for the chunks to come.
func (b *batch) followColumns(work func(*item, *scratch)) {
	s := b.scratch()
	defer s.putBack()
	current := map[sender]*accesslog.Columns{}
	for i := range b.items {
		it := &b.items[i]
		if it.announced != nil {
			current[it.input] = it.announced
			b.columns.set(it.input, it.announced)
			continue
		}
		if columns := current[it.input]; columns != nil && it.isLine {
			*it = item{event: it.event, input: it.input, sender: it.input, columns: columns}
			work(it, s)
		}
	}
}
