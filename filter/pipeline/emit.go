package pipeline

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/delivery"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/fieldmap"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/flood"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/incident"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/redact"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/telemetry"
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
	Origin   int       // the event of the chunk that it is an alert about, counted from 1; 0 when it is about no single one
	metrics  bool      // it is no alert
	Incident bool      // it is an event about an incident, or a digest
	digest   []byte    // that it holds, for an aggregator; nil in all others

	id     string // of the alert or the incident
	source string // who attacks
	target string // who is attacked

	head  int          // offset of the body in Event
	line  string       // the alert as text, for formats that are no JSON
	alert *alert.Alert // for flood control
}

// Message returns the alert for a destination. It shares the memory of Event.
func (e *Emit) Message() delivery.Message {
	body := e.Event[e.head:]
	m := delivery.Message{Time: e.Time, Severity: e.Severity, Host: e.Host, Tag: e.Tag, ID: e.id, Source: e.source, Target: e.target, Record: body, Digest: e.digest != nil}
	if m.JSON = []byte(e.line); e.line == "" {
		m.JSON = alert.JSON(body)
	}
	return m
}

// emitConfig is what the properties say of alerts that go out.
type emitConfig struct {
	tag            *tagTemplate // nil emits none
	format         alert.Format
	limit          int64 // bytes in the host's emitter
	includePayload bool
	incidentsOnly  bool   // alerts do not go out by themselves
	digestTag      string // of digests
}

// alertWriter writes alerts: into records, and as records of their own.
type alertWriter struct {
	emitConfig
	alertKey string // key of the map added to a matching record, "" adds nothing
	redactor *redact.Redactor
	flood    *flood.Control // nil when every alert goes out
	counts   *telemetry.Counters
}

// recordKey is where a copied record holds its alert map when alert_key adds nothing to the original.
const recordKey = "waf"

// writeAlert writes the alert into the item: the record's new body, and the event for the emit tag.
func (w *alertWriter) writeAlert(it *item, v *alert.View) {
	if w.alertKey == "" && w.tag == nil {
		return
	}
	secrets := w.secrets(v)
	defer secrets.Release()
	a := alert.New(v, secrets)
	a.Incident, it.alertID = it.incident, a.UID
	if w.alertKey != "" {
		it.body = w.appendRecord(nil, it.event.Body, a)
	}
	switch {
	case w.tag == nil:
	case w.incidentsOnly:
		w.counts.Suppressed.Add(1)
	default:
		it.emit = w.emission(v, a, secrets)
	}
}

// writeEmit writes the alert for a destination: the record continues nowhere.
func (w *alertWriter) writeEmit(it *item, v *alert.View) {
	if w.incidentsOnly {
		w.counts.Suppressed.Add(1)
		return
	}
	secrets := w.secrets(v)
	defer secrets.Release()
	a := alert.New(v, secrets)
	a.Incident = it.incident
	it.emit = w.emission(v, a, secrets)
}

// newAlert makes an alert without secrets, heads and bodies.
func (w *alertWriter) newAlert(v *alert.View) *alert.Alert {
	secrets := w.secrets(v)
	defer secrets.Release()
	return alert.New(v, secrets)
}

// secrets learns the secrets of a transaction.
func (w *alertWriter) secrets(v *alert.View) *redact.Pass {
	return Secrets(w.redactor, v.Values, v.Transaction)
}

// Secrets returns a Pass that takes the secrets of a transaction out of texts about it. It is valid as long as the values are, and
// should be released.
func Secrets(r *redact.Redactor, values *fieldmap.Values, t *rules.Transaction) *redact.Pass {
	if r == nil {
		return nil
	}
	get := values.Get
	return r.Start(t, "Cookie: "+get(fieldmap.Cookie), get(fieldmap.Referer), get(fieldmap.RequestHead),
		get(fieldmap.RequestBody), get(fieldmap.ResponseHead), get(fieldmap.ResponseBody))
}

// emission writes an alert as a record of its own.
func (w *alertWriter) emission(v *alert.View, a *alert.Alert, secrets *redact.Pass) *Emit {
	if w.includePayload && w.format.HasPayload() {
		a.AddPayload(v, secrets)
	}
	head := v.Event.Head[:len(v.Event.Head)-len(v.Event.Meta)]
	buffer := alertBuffers.Get().(*[]byte)
	event := secrets.AppendValue(append((*buffer)[:0], head...), v.Event.Meta)
	e := &Emit{head: len(event)}
	if w.format == alert.Record {
		copied := secrets.AppendValue(nil, v.Event.Body)
		a.Redacted = secrets.Found()
		event = w.appendRecord(event, copied, a)
	} else {
		event = a.Append(event, w.format, w.includePayload)
	}
	e.Event = slices.Clone(event)
	keepBuffer(buffer, event)
	return w.describe(e, a)
}

// appendRecord appends a record with the map of its alert.
func (w *alertWriter) appendRecord(dst, body []byte, a *alert.Alert) []byte {
	buffer := alertBuffers.Get().(*[]byte)
	*buffer = a.AppendMap((*buffer)[:0])
	dst = record.AppendMapWith(dst, body, cmp.Or(w.alertKey, recordKey), *buffer)
	keepBuffer(buffer, *buffer)
	return dst
}

// alertBuffers is memory for alerts until they are copied.
var alertBuffers = sync.Pool{New: func() any { return new([]byte) }}

// keepBuffer gives memory back that an alert was written to.
func keepBuffer(buffer *[]byte, written []byte) {
	if *buffer = written; cap(written) <= largeScratch {
		alertBuffers.Put(buffer)
	}
}

// describe adds what destinations need to know besides the alert.
func (w *alertWriter) describe(e *Emit, a *alert.Alert) *Emit {
	e.Time, e.Severity, e.Host = a.Time, a.Severity, a.Sensor
	e.id, e.source, e.target = a.UID, a.ClientIP, cmp.Or(a.ServerIP, a.ServerName)
	if w.format == alert.CEF {
		e.line = a.Line()
	}
	if w.flood != nil {
		e.alert = a
	}
	return e
}

// collectEmits takes the alerts of the items of a tag that are sent now.
func (w *alertWriter) collectEmits(items []item, tag string, out *Outcome) {
	event := 0
	for i := range items {
		if !items[i].inner {
			event++
		}
		emit := items[i].emit
		if emit == nil {
			continue
		}
		emit.Origin = event
		if emit.Tag = w.tag.expand(tag); w.offer(emit) {
			out.Emits = append(out.Emits, *emit)
		} else {
			w.counts.Suppressed.Add(1)
		}
		items[i].emit = nil
	}
}

// offer reports whether flood control lets an alert out now.
func (w *alertWriter) offer(e *Emit) bool {
	return w.flood == nil || e.Incident || w.flood.Offer(e.alert, e.Tag)
}

// summaries returns the summaries of suppressed alerts that are due: those whose window is over, or all. It may be called from
// any goroutine; Process returns those that are due by itself.
func (w *alertWriter) summaries(all bool) (emits []Emit) {
	for _, repeat := range w.flood.Due(all) {
		emits = append(emits, *w.summary(repeat))
	}
	return emits
}

// summary writes an alert that stands for others as a record of its own. There is no record to copy for it: in format record it
// is the flat alert, with the map.
func (w *alertWriter) summary(r flood.Repeat) *Emit {
	e := &Emit{Tag: r.Tag, Summary: true}
	event := record.AppendHead(nil, r.Alert.Time)
	e.head = len(event)
	if w.format == alert.Record {
		e.Event = w.appendRecord(event, r.Alert.Append(nil, alert.MSA, false), r.Alert)
	} else {
		e.Event = r.Alert.Append(event, w.format, false)
	}
	return w.describe(e, r.Alert)
}

// emitIncident writes an event about an incident as a record of its own.
func (w *alertWriter) emitIncident(i *incident.Incident, tag string) Emit {
	at := alert.IncidentTime(i)
	event := record.AppendHead(nil, at)
	e := Emit{Tag: tag, Time: at, Severity: alert.IncidentSeverity(i), head: len(event), Incident: true, id: i.EventID()}
	e.source, e.target = nameOfFirst(i.Sources), nameOfFirst(i.Targets)
	e.Event = alert.AppendIncident(event, i, w.format)
	if w.format == alert.CEF {
		e.line = alert.IncidentLine(i)
	}
	return e
}

// nameOfFirst returns the name that most records of an incident have.
func nameOfFirst(list []incident.Count) string {
	if len(list) == 0 {
		return ""
	}
	return list[0].Name
}

// deferAlert stands for writing an alert that is written when its incident is known.
func deferAlert(*item, *alert.View) {}

// countLostEmits counts alerts that a panic keeps from the host.
func (w *alertWriter) countLostEmits(out *Outcome) {
	for i := range out.Emits {
		if e := &out.Emits[i]; !e.Summary && !e.metrics && !e.Incident {
			w.counts.Failed.Add(1)
		}
	}
	out.Emits = out.Emits[:0]
}

// EmitTaken counts an alert that the host took.
func (p *Pipeline) EmitTaken(e *Emit) {
	counts := p.inspector.writer.counts
	switch {
	case e.metrics, e.Incident:
	case e.Summary:
		counts.Summaries.Add(1)
	default:
		counts.Emitted.Add(1)
	}
}

// EmitFailed counts an alert that the host did not take, and logs the first. The alerts that a summary stands for are
// counted already.
func (p *Pipeline) EmitFailed(e *Emit) {
	if e.metrics {
		return // the next one shows the same
	}
	if e.digest != nil {
		p.inspector.correlation.again(e.digest)
		return
	}
	if e.Incident {
		p.log(telemetry.LevelWarn, "an incident event was not accepted by the pipeline")
		return
	}
	if e.Summary {
		p.log(telemetry.LevelWarn, "a summary was not accepted by the pipeline; its alerts count as suppressed")
		return
	}
	if p.inspector.writer.counts.Failed.Add(1) == 1 {
		p.log(telemetry.LevelWarn, "an alert was not accepted by the pipeline; its record continues (more are counted, not logged)")
	}
}
