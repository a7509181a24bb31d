package pipeline

import (
	"github.com/tinylib/msgp/msgp"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// continuation writes the records that continue through the host's pipeline.
type continuation struct {
	alertKey   string // key of the map added to a matching record, "" adds nothing
	alertsOnly bool   // clean HTTP records are dropped
}

// assemble writes the chunk that continues. Nothing is copied before the first event that differs from what came.
func (c *continuation) assemble(b *batch, chunk []byte, out *Outcome) {
	at := 0 // offset of the event in the chunk
	for rest := b.items; len(rest) > 0; {
		it, n := &rest[0], eventSize(rest)
		body, keep := c.continuedEvent(rest[:n])
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
func (c *continuation) continuedEvent(items []item) (body []byte, keep bool) {
	if len(items) > 1 {
		return c.continuedWhole(&items[0], items[1:])
	}
	return c.continued(&items[0])
}

// continued returns the body with which an event continues, nil when it is the one that came, and whether it continues. A
// verdict that came from outside is not believed: it is removed, whatever the record is.
func (c *continuation) continued(it *item) (body []byte, keep bool) {
	switch {
	case it.kind == Alert:
		return it.body, true
	case it.kind == Late:
		return c.with(it, notInspected), true
	case it.partial != 0:
		return c.with(it, appendPartial(nil, it.partial)), true
	case it.kind == Clean && c.alertsOnly:
		return nil, false
	case it.marked:
		return c.with(it, nil), true
	}
	return nil, true
}

// with returns the body of an item with a value in the place of a verdict, nil when records are not to be marked. A nil value
// only removes what came there.
func (c *continuation) with(it *item, value []byte) []byte {
	if c.alertKey == "" {
		return nil
	}
	return record.AppendMapWith(nil, it.event.Body, c.alertKey, value)
}

// continuedWhole returns the body with which an event with several records continues, nil when it is the one that came, and
// whether it continues.
func (c *continuation) continuedWhole(it *item, parts []item) (body []byte, keep bool) {
	one := *it
	for i := range parts {
		p := &parts[i]
		one.partial |= p.partial
		if _, stays := c.continued(p); stays {
			keep = true
		}
	}
	found := worst(parts)
	one.kind, one.body = found.kind, nil
	if found.kind == Alert && found.body != nil {
		one.body = c.with(it, record.Get(found.body, c.alertKey))
	}
	body, _ = c.continued(&one)
	return body, keep
}
