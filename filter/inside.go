package filter

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/accesslog"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/fieldmap"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
)

// A record that holds a list of records is several items: one for the event, and behind it one for each record in it, which is
// evaluated, counted and emitted by itself. What continues is the event, with the verdict on the worst of its records.

// evaluateRequests evaluates the records that the values hold, which become parts of the item.
func (f *Filter) evaluateRequests(it *item, s *scratch, d *demand) {
	bodies, all := s.values.Requests()
	parts := make([]item, 0, len(bodies)+1)
	for _, body := range bodies {
		part := item{input: it.input, sender: it.input, inner: true}
		part.event, _, _ = record.Next(slices.Concat(it.event.Head, body)) // a head that was read, and a map
		parts = append(parts, part)
	}
	for i := range parts {
		f.evaluate(&parts[i], s, d)
	}
	if !all {
		parts = append(parts, item{kind: Broken, inner: true})
	}
	it.kind, it.source, it.parts = several, 0, parts
}

// settle does what has to wait until all items of the batch were worked on: it evaluates lines behind those that announce their
// columns once more, and makes items of the parts of others.
func (b *batch) settle(work func(*item, *scratch)) {
	announced, parts := false, 0
	for i := range b.items {
		announced = announced || b.items[i].announced != nil
		parts += len(b.items[i].parts)
	}
	if announced {
		b.followColumns(work)
	}
	if parts > 0 {
		b.unfold(parts)
	}
}

func (b *batch) unfold(parts int) {
	all := make([]item, 0, len(b.items)+parts)
	for i := range b.items {
		inside := b.items[i].parts
		b.items[i].parts = nil
		all = append(append(all, b.items[i]), inside...)
	}
	b.items = all
}

// eventSize returns how many of the first items are those of the first event.
func eventSize(items []item) int {
	n := 1
	for n < len(items) && items[n].inner {
		n++
	}
	return n
}

// itemsOf returns how many items the first events have.
func itemsOf(items []item, events int) (n int) {
	for ; events > 0; events-- {
		n += eventSize(items[n:])
	}
	return n
}

// worst returns the item that an event with several records is judged by: an alert before what was not inspected before what is clean.
func worst(parts []item) *item {
	rank := func(it *item) int {
		switch it.kind {
		case Alert:
			return 100 + it.verdict.Score()
		case Late:
			return 4
		case Broken:
			return 3
		case Clean:
			return 2
		case Skipped:
			return 1
		}
		return 0
	}
	found := &parts[0]
	for i := range parts {
		if rank(&parts[i]) > rank(found) {
			found = &parts[i]
		}
	}
	return found
}

// continuedWhole returns the body with which an event with several records continues, nil when it is the one that came, and
// whether it continues.
func (f *Filter) continuedWhole(it *item, parts []item) (body []byte, keep bool) {
	one := *it
	for i := range parts {
		p := &parts[i]
		one.partial |= p.partial
		if _, stays := f.continued(p); stays {
			keep = true
		}
	}
	found := worst(parts)
	one.kind, one.body = found.kind, nil
	if found.kind == Alert && found.body != nil {
		one.body = f.with(it, record.Get(found.body, f.config.alertKey))
	}
	body, _ = f.continued(&one)
	return body, keep
}

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

// read reads the item's record, and returns as fieldmap does with which map.
func (f *Filter) read(it *item, values *fieldmap.Values) int {
	if it.columns == nil {
		it.columns = f.columns.of(it.input)
	}
	values.SetColumns(it.columns)
	return f.maps.Read(it.event.Meta, it.event.Body, values)
}
