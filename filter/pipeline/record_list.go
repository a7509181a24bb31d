package pipeline

import (
	"slices"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
)

// A record that holds a list of records is several items: one for the event, and behind it one for each record in it, which is
// evaluated, counted and emitted by itself. What continues is the event, with the verdict on the worst of its records.

// evaluateRequests evaluates the records that the values hold, which become parts of the item.
func (e *evaluator) evaluateRequests(it *item, s *scratch, h *verdictHandler) {
	bodies, all := s.values.Requests()
	parts := make([]item, 0, len(bodies)+1)
	for _, body := range bodies {
		part := item{input: it.input, sender: it.input, inner: true}
		part.event, _, _ = record.Next(slices.Concat(it.event.Head, body)) // a head that was read, and a map
		parts = append(parts, part)
	}
	for i := range parts {
		e.evaluate(&parts[i], s, h)
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

// worst returns the item that stands for an event with several records: an alert before what was not inspected before what is clean.
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
