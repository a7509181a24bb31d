package filter

import (
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// Finding is what the filter finds in one record.
type Finding struct {
	Kind    Kind
	Verdict *rules.Verdict // of HTTP transactions that were inspected, nil otherwise
}

// Check evaluates a chunk and returns one finding for each of its events in order, and a Broken one for bytes at the end that
// are no event. The chunk itself stays as it is.
func (f *Filter) Check(chunk []byte) []Finding {
	b := f.getBatch(chunk)
	defer f.putBatch(b)
	b.each(func(it *item, s *scratch) { f.evaluate(it, s, func(*item, *alert.Alert) {}) })
	f.count(b)
	found := make([]Finding, len(b.items), len(b.items)+1)
	for i := range b.items {
		found[i] = Finding{Kind: b.items[i].kind, Verdict: b.items[i].verdict}
	}
	if b.broken != nil {
		found = append(found, Finding{Kind: Broken})
	}
	return found
}
