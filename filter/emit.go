package filter

import (
	"cmp"
	"encoding/binary"
	"slices"
	"time"

	"github.com/tinylib/msgp/msgp"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/delivery"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/fieldmap"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/flood"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/redact"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// Emit is one alert as a record for another tag. Its memory is its own.
type Emit struct {
	Tag      string
	Event    []byte    // one msgpack event, [[timestamp, metadata], body]
	Time     time.Time // of the event
	Severity int       // in syslog's numbers, 0 emergency to 7 debug
	Host     string    // that made the record, "" when it does not say
	Summary  bool      // it stands for alerts that flood control has suppressed
	metrics  bool      // it is no alert
	incident bool      // it is an event about an incident

	head  int          // offset of the body in Event
	line  string       // the alert as text, for formats that are no JSON
	alert *alert.Alert // for flood control
}

// Message returns the alert for a destination. It shares the memory of Event.
func (e *Emit) Message() delivery.Message {
	body := e.Event[e.head:]
	m := delivery.Message{Time: e.Time, Severity: e.Severity, Host: e.Host, Tag: e.Tag, Record: body}
	if m.JSON = []byte(e.line); e.line == "" {
		m.JSON = alert.JSON(body)
	}
	return m
}

// writeAlert writes the alert into the item: the record's new body, and the event for the emit tag.
func (f *Filter) writeAlert(it *item, v *alert.View) {
	if f.config.alertKey == "" && f.config.emitTag == nil {
		return
	}
	secrets := f.secrets(v)
	a := alert.New(v, secrets)
	a.Incident, it.alertID = it.incident, a.UID
	if f.config.alertKey != "" {
		it.body = record.AppendMapWith(nil, it.event.Body, f.config.alertKey, a.AppendMap(nil))
	}
	switch {
	case f.config.emitTag == nil:
	case f.config.incidentsOnly:
		f.counts.suppressed.Add(1)
	default:
		it.emit = f.emission(v, a, secrets)
	}
}

// secrets learns the secrets of a transaction.
func (f *Filter) secrets(v *alert.View) *redact.Pass {
	return Secrets(f.config.redactor, v.Values, v.Transaction)
}

// Secrets returns a Pass that takes the secrets of a transaction out of texts about it. It is valid as long as the values are.
func Secrets(r *redact.Redactor, values *fieldmap.Values, t *rules.Transaction) *redact.Pass {
	if r == nil {
		return nil
	}
	get := values.Get
	return r.Start(t, "Cookie: "+get(fieldmap.Cookie), get(fieldmap.Referer), get(fieldmap.RequestHead),
		get(fieldmap.RequestBody), get(fieldmap.ResponseHead), get(fieldmap.ResponseBody))
}

// emission writes an alert as a record of its own.
func (f *Filter) emission(v *alert.View, a *alert.Alert, secrets *redact.Pass) *Emit {
	if f.config.includePayload && f.config.emitFormat.HasPayload() {
		a.AddPayload(v, secrets)
	}
	head := v.Event.Head[:len(v.Event.Head)-len(v.Event.Meta)]
	event := secrets.AppendValue(slices.Clone(head), v.Event.Meta)
	e := &Emit{head: len(event)}
	if f.config.emitFormat == alert.Record {
		copied := secrets.AppendValue(nil, v.Event.Body)
		a.Redacted = secrets.Found()
		e.Event = f.appendRecord(event, copied, a)
	} else {
		e.Event = a.Append(event, f.config.emitFormat, f.config.includePayload)
	}
	return f.describe(e, a)
}

// appendRecord appends a record with the map of its alert.
func (f *Filter) appendRecord(dst, body []byte, a *alert.Alert) []byte {
	return record.AppendMapWith(dst, body, cmp.Or(f.config.alertKey, recordKey), a.AppendMap(nil))
}

// describe tells what destinations need to know besides the alert.
func (f *Filter) describe(e *Emit, a *alert.Alert) *Emit {
	e.Time, e.Severity, e.Host = a.Time, a.Severity, a.Sensor
	if f.config.emitFormat == alert.CEF {
		e.line = a.Line()
	}
	if f.flood != nil {
		e.alert = a
	}
	return e
}

// collectEmits takes the alerts of the items of a tag that are sent now.
func (f *Filter) collectEmits(items []item, tag string, out *Outcome) {
	for i := range items {
		emit := items[i].emit
		if emit == nil {
			continue
		}
		if emit.Tag = f.config.emitTag.expand(tag); f.offer(emit) {
			out.Emits = append(out.Emits, *emit)
		} else {
			f.counts.suppressed.Add(1)
		}
		items[i].emit = nil
	}
}

// offer reports whether flood control lets an alert out now.
func (f *Filter) offer(e *Emit) bool {
	return f.flood == nil || e.incident || f.flood.Offer(e.alert, e.Tag)
}

// Summaries returns the summaries of suppressed alerts that are due: those whose window is over, or all. It may be called from
// any goroutine; Process returns those that are due by itself.
func (f *Filter) Summaries(all bool) (emits []Emit) {
	for _, repeat := range f.flood.Due(all) {
		emits = append(emits, *f.summary(repeat))
	}
	return emits
}

// summary writes an alert that stands for others as a record of its own. There is no record to copy for it: in format record it
// is the flat alert, with the map.
func (f *Filter) summary(r flood.Repeat) *Emit {
	e := &Emit{Tag: r.Tag, Summary: true}
	event := appendHead(nil, r.Alert.Time)
	e.head = len(event)
	if f.config.emitFormat == alert.Record {
		e.Event = f.appendRecord(event, r.Alert.Append(nil, alert.MSA, false), r.Alert)
	} else {
		e.Event = r.Alert.Append(event, f.config.emitFormat, false)
	}
	return f.describe(e, r.Alert)
}

// appendHead appends what an event has before its body: an array of a time and metadata.
func appendHead(dst []byte, t time.Time) []byte {
	dst = append(dst, 0x92, 0x92, 0xd7, 0x00)
	dst = binary.BigEndian.AppendUint32(dst, uint32(t.Unix()))
	dst = binary.BigEndian.AppendUint32(dst, uint32(t.Nanosecond()))
	return msgp.AppendMapHeader(dst, 0)
}
