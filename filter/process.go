package filter

import (
	"github.com/tinylib/msgp/msgp"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// Outcome is what became of a chunk. Its memory belongs to the Outcome and is reused by the next Process with it.
type Outcome struct {
	Changed bool   // Data replaces the chunk; when false the chunk continues as it is
	Data    []byte // the changed chunk; empty when all of its records are dropped
	Emits   []Emit // alerts for the emit tag, in record order, summaries of suppressed ones, and metrics, when they are due

	counted bool // the records of the chunk are, or will be
}

// Reset forgets what became of a chunk, and keeps the memory.
func (out *Outcome) Reset() {
	out.Changed, out.Data, out.Emits, out.counted = false, out.Data[:0], out.Emits[:0], false
}

// Process evaluates one chunk of msgpack events that arrived under a tag. It never fails: what cannot be evaluated
// continues as it came and is counted. The chunk is borrowed for the call.
func (f *Filter) Process(chunk []byte, tag string, out *Outcome) {
	out.Reset()
	if f.IsEmitTag(tag) {
		f.countAll(chunk, Skipped)
		out.counted = true
		return
	}
	if f.background != nil {
		out.Emits = f.Due(out.Emits)
		if !f.background.put(chunk, tag, &out.Emits) {
			f.countAll(chunk, Late)
		}
		out.counted = true
		return
	}
	b := f.getBatch(chunk, tag)
	defer f.putBatch(b)
	whole := false
	defer func() {
		if !whole {
			f.countLost(b, out)
			f.loseEmits(out)
		}
	}()
	f.evaluateBatch(b)
	incidents := f.correlate(b, "", f.config.incidentTag, f.afterwards)
	f.count(b)
	f.watchSilence(b)
	out.counted = true
	f.assemble(b, chunk, out)
	if f.config.emitTag != nil {
		f.collectEmits(b.items, tag, out)
	}
	out.Emits = append(out.Emits, incidents...)
	out.Emits = f.Due(out.Emits)
	whole = true
}

// loseEmits counts alerts that a panic keeps from the host.
func (f *Filter) loseEmits(out *Outcome) {
	for i := range out.Emits {
		if e := &out.Emits[i]; !e.Summary && !e.metrics && !e.incident {
			f.counts.failed.Add(1)
		}
	}
	out.Emits = out.Emits[:0]
}

// Abandon counts the records of a chunk as broken when a panic has kept Process from counting them: they pass as they came. The
// Outcome is that of Process, or a Reset one when it was not called.
func (f *Filter) Abandon(chunk []byte, out *Outcome) {
	if out.counted {
		return
	}
	defer func() {
		if recover() != nil { // reading the chunk is what panics
			f.counts.broken.Add(1)
		}
	}()
	f.countAll(chunk, Broken)
}

// countAll counts all records of a chunk as of one kind.
func (f *Filter) countAll(chunk []byte, kind Kind) {
	b := f.getBatch(chunk, "")
	defer f.putBatch(b)
	for i := range b.items {
		b.items[i].kind = kind
	}
	f.count(b)
}

// evaluateBatch evaluates all events within the budget.
func (f *Filter) evaluateBatch(b *batch) {
	b.budget = f.budget()
	b.each(f.evaluateInto)
	if b.budget > 0 {
		f.judgeWaiting(b, f.inLine)
		f.writeUnwritten(b, f.inLine)
	}
}

// writeUnwritten writes the alerts of senders that are behind.
func (f *Filter) writeUnwritten(b *batch, d *demand) {
	if b.first(unwritten) < 0 {
		return
	}
	b.budget = 0
	b.spread(func(it *item, s *scratch) {
		if it.kind == unwritten {
			f.writeKnown(it, s, d)
		}
	})
}

// assemble writes the chunk that continues. Nothing is copied before the first event that differs from what came.
func (f *Filter) assemble(b *batch, chunk []byte, out *Outcome) {
	at := 0 // offset of the event in the chunk
	for rest := b.items; len(rest) > 0; {
		it, n := &rest[0], eventSize(rest)
		body, keep := f.continuedEvent(rest[:n])
		rest = rest[n:]
		switch {
		case !out.Changed && keep && body == nil:
		case !out.Changed:
			out.Changed = true
			out.Data = append(out.Data, chunk[:at]...)
			fallthrough
		default:
			out.Data = appendContinued(out.Data, it, body, keep)
		}
		at += len(it.event.Raw)
	}
	if out.Changed {
		out.Data = append(out.Data, b.broken...)
	}
}

func appendContinued(dst []byte, it *item, body []byte, keep bool) []byte {
	switch {
	case !keep:
		return dst
	case body != nil:
		return append(append(dst, it.event.Head...), body...)
	default:
		return append(dst, it.event.Raw...)
	}
}

// notInspected is what stands in the place of a verdict in a record that is late.
var notInspected = msgp.AppendString(msgp.AppendString(msgp.AppendMapHeader(nil, 1), "inspected"), "none")

// appendPartial appends what stands in the place of a verdict in a record without an alert of which rules did not see everything.
func appendPartial(dst []byte, p rules.Partial) []byte {
	names := p.Names()
	dst = msgp.AppendArrayHeader(msgp.AppendString(msgp.AppendMapHeader(dst, 1), "partial"), uint32(len(names)))
	for _, name := range names {
		dst = msgp.AppendString(dst, name)
	}
	return dst
}

// continuedEvent is continued for all items of one event.
func (f *Filter) continuedEvent(items []item) (body []byte, keep bool) {
	if len(items) > 1 {
		return f.continuedWhole(&items[0], items[1:])
	}
	return f.continued(&items[0])
}

// continued returns the body with which an event continues, nil when it is the one that came, and whether it continues. A
// verdict that came from outside is not believed: it is removed, whatever the record is.
func (f *Filter) continued(it *item) (body []byte, keep bool) {
	switch {
	case it.kind == Alert:
		return it.body, true
	case it.kind == Late:
		return f.with(it, notInspected), true
	case it.partial != 0:
		return f.with(it, appendPartial(nil, it.partial)), true
	case it.kind == Clean && f.config.alertsOnly:
		return nil, false
	case it.marked:
		return f.with(it, nil), true
	}
	return nil, true
}

// with returns the body of an item with a value in the place of a verdict, nil when records are not to be marked. A nil value
// only removes what came there.
func (f *Filter) with(it *item, value []byte) []byte {
	if f.config.alertKey == "" {
		return nil
	}
	return record.AppendMapWith(nil, it.event.Body, f.config.alertKey, value)
}
