package filter

import (
	"cmp"
	"strings"
	"time"

	"github.com/tinylib/msgp/msgp"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/delivery"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/fieldmap"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
)

// Emit is one alert as a record for another tag.
type Emit struct {
	Tag      string
	Event    []byte    // one msgpack event, [[timestamp, metadata], body]
	Time     time.Time // of the event
	Severity int       // in syslog's numbers, 0 emergency to 7 debug
	Host     string    // that made the record, "" when it does not say

	head int // offset of the body in Event
}

// Message returns the alert for a destination. It shares the memory of Event.
func (e *Emit) Message() delivery.Message {
	body := e.Event[e.head:]
	return delivery.Message{
		Time: e.Time, Severity: e.Severity, Host: e.Host, Tag: e.Tag, Record: body, JSON: alert.JSON(body),
	}
}

// Outcome is what became of a chunk. Its memory belongs to the Outcome and is reused by the next Process with it.
type Outcome struct {
	Changed bool   // Data replaces the chunk; when false the chunk continues as it is
	Data    []byte // the changed chunk; empty when all of its records are dropped
	Emits   []Emit // alerts for the emit tag, in record order
}

// Process evaluates one chunk of msgpack events that arrived under a tag. It never fails: what cannot be evaluated
// continues as it came and is counted. The chunk is borrowed for the call.
func (f *Filter) Process(chunk []byte, tag string, out *Outcome) {
	out.Changed, out.Data, out.Emits = false, out.Data[:0], out.Emits[:0]
	b := f.getBatch(chunk)
	defer f.putBatch(b)
	if f.config.emitTag.isOwn(tag) {
		for i := range b.items {
			b.items[i].kind = Skipped
		}
		f.count(b)
		return
	}
	f.evaluateBatch(b)
	f.count(b)
	f.assemble(b, chunk, out)
	if f.config.emitTag != nil {
		f.collectEmits(b, tag, out)
	}
}

// evaluateBatch evaluates all events within the budget.
func (f *Filter) evaluateBatch(b *batch) {
	if f.config.budget == 0 {
		b.each(f.evaluateInto)
		return
	}
	b.deadline = time.Now().Add(f.config.budget)
	b.each(f.evaluateInto)
	f.judgeWaiting(b, f.inLine)
}

// writeAlert writes the alert into the item: the record's new body, and the event for the emit tag.
func (f *Filter) writeAlert(it *item, a *alert.Alert) {
	if f.config.alertKey != "" {
		it.body = record.AppendMapWith(nil, it.event.Body, f.config.alertKey, a.AppendMap(nil))
	}
	if f.config.emitTag != nil {
		it.emit = f.emission(it, a)
	}
}

// emission writes an alert as a record of its own.
func (f *Filter) emission(it *item, a *alert.Alert) *Emit {
	event := append([]byte(nil), it.event.Head...)
	switch {
	case !f.config.emitRecord:
		event = a.AppendMSA(event, f.config.includePayload)
	case it.body != nil:
		event = append(event, it.body...)
	default:
		event = record.AppendMapWith(event, it.event.Body, cmp.Or(f.config.alertKey, recordKey), a.AppendMap(nil))
	}
	return &Emit{
		Event: event, head: len(it.event.Head),
		Time: a.Time(), Severity: a.Severity(), Host: strings.Clone(a.Values.Get(fieldmap.Sensor)),
	}
}

// assemble writes the chunk that continues. Nothing is copied before the first event that differs from what came.
func (f *Filter) assemble(b *batch, chunk []byte, out *Outcome) {
	at := 0 // offset of the event in the chunk
	for i := range b.items {
		it := &b.items[i]
		body, keep := f.continued(it)
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

// continued returns the body with which an event continues, nil when it is the one that came, and whether it continues. A
// verdict that came from outside is not believed: it is removed from clean records.
func (f *Filter) continued(it *item) (body []byte, keep bool) {
	switch it.kind {
	case Alert:
		return it.body, true
	case Late:
		if f.config.alertKey != "" {
			return record.AppendMapWith(nil, it.event.Body, f.config.alertKey, notInspected), true
		}
	case Clean:
		if f.config.alertsOnly {
			return nil, false
		}
		if f.config.alertKey != "" && record.Has(it.event.Body, f.config.alertKey) {
			return record.AppendMapWith(nil, it.event.Body, f.config.alertKey, nil), true
		}
	}
	return nil, true
}

func (f *Filter) collectEmits(b *batch, tag string, out *Outcome) {
	for i := range b.items {
		if emit := b.items[i].emit; emit != nil {
			emit.Tag = f.config.emitTag.expand(tag)
			out.Emits = append(out.Emits, *emit)
		}
	}
}
