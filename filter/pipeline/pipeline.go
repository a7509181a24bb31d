// Package pipeline takes chunks of records to their verdicts and alerts: each HTTP record becomes a transaction, the rules give a verdict, and
// the verdict is written into the record, or into an alert of its own. It inspects on as many cores as that takes, keeps to the time budget of a
// chunk or to a queue beside the host's pipeline, and has senders that take much of the engine wait behind others. Whatever goes wrong, the
// record continues as it came, and a counter shows it.
package pipeline

import (
	"cmp"
	"fmt"
	"strconv"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/fieldmap"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/flood"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/metrics"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/ruleset"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/telemetry"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// Pipeline takes chunks of records to their verdicts and alerts. Its methods may be called from several threads at once.
type Pipeline struct {
	inspector    inspector
	timeBudget   timeBudget
	continuation continuation
	observer     *observer
	observes     bool // Check makes observations of records
	rules        *ruleset.Current
	asyncConfig  asyncConfig
	async        *async // nil unless records are inspected beside the pipeline
	meter        *telemetry.Meter
	log          telemetry.Logger
}

// Parts are what a pipeline shares with the rest of a filter.
type Parts struct {
	Maps   *fieldmap.Choice
	Rules  *ruleset.Current
	Counts *telemetry.Counters
	Engine *EngineSlots // all filters of a process share
	Meter  *telemetry.Meter
	Panics *telemetry.Panics
	Log    telemetry.Logger

	Producer alert.Producer // of alerts
}

// New returns a pipeline. Chunks may come once it is started.
func New(c *Config, parts Parts) *Pipeline {
	e := &evaluator{
		maps: parts.Maps, onMatch: c.onMatch, alertKey: c.alertKey, trusted: c.trusted, naming: c.alertName, strict: c.async.skips,
		producer: parts.Producer, slots: parts.Engine, meter: parts.Meter, panics: parts.Panics,
	}
	w := &alertWriter{emitConfig: c.emits, alertKey: c.alertKey, redactor: c.Redactor, flood: flood.New(c.flood), counts: parts.Counts}
	p := &Pipeline{
		inspector: inspector{
			evaluator: e, batches: batches{rules: parts.Rules, columns: &e.columns, usage: &e.slots.usage}, writer: w, incidentTag: c.incidents.tag,
			counts: &recordCounts{counts: parts.Counts, meter: parts.Meter, log: parts.Log, late: whyLate(c)},
			noHTTP: &noHTTP{counts: parts.Counts, log: parts.Log, redactor: c.Redactor},
		},
		timeBudget:   timeBudget{budget: c.budget, isDefault: c.defaultBudget, evaluator: e},
		continuation: continuation{alertKey: c.alertKey, alertsOnly: c.alertsOnly},
		observes:     c.incidents.observe, rules: parts.Rules, asyncConfig: c.async, meter: parts.Meter, log: parts.Log,
	}
	p.observer = &observer{evaluator: e, writer: w, timesInRecords: c.incidents.timesInRecords, identities: c.incidents.identities, salt: c.incidents.salt}
	if c.incidents.correlates {
		p.inspector.correlation = startCorrelation(&c.incidents, p.observer, parts.Log, parts.Panics)
		p.inspector.batches.observer = p.observer
	}
	parts.Meter.Instance.Add(metrics.Collecting(p.inspector.correlation.collect))
	p.inspector.prepare(c.onMatch)
	return p
}

// whyLate explains why records pass without inspection.
func whyLate(c *Config) string {
	if c.async.on {
		return fmt.Sprintf("more than async_limit (%d bytes) wait for inspection, or the pipeline has ended", c.async.limit)
	}
	if c.budget == 0 {
		return "it would take longer than they may wait" // see Evaluate
	}
	return fmt.Sprintf("it would take longer than inspect_budget (%v) for one chunk", c.budget)
}

// Start has chunks inspected beside the pipeline, where the configuration says so.
func (p *Pipeline) Start() {
	if p.asyncConfig.on {
		p.async = startAsync(&p.inspector, &p.asyncConfig)
	}
}

// Close ends what goes on beside calls. What flood control has not summed up by then is logged.
func (p *Pipeline) Close() {
	if n := p.inspector.writer.flood.Waiting(); n > 0 {
		p.log(telemetry.LevelWarn, fmt.Sprintf("%d suppressed alerts are in no summary, because no more records arrived", n))
	}
	if p.async != nil {
		p.async.close() // before the reloads: one that is under way waits until nobody has the old rules
	}
	p.inspector.correlation.end()
	p.inspector.noHTTP.warn()
}

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
func (p *Pipeline) Process(chunk []byte, tag string, out *Outcome) { p.ProcessIn(nil, chunk, tag, out) }

// ProcessIn is Process for records that a section digests.
func (p *Pipeline) ProcessIn(section *Section, chunk []byte, tag string, out *Outcome) {
	out.Reset()
	i := &p.inspector
	if p.IsEmitTag(tag) {
		i.countAll(chunk, Skipped)
		out.counted = true
		return
	}
	if p.async != nil {
		out.Emits = p.Due(out.Emits)
		if !p.async.put(chunk, tag, &out.Emits) {
			i.countAll(chunk, Late)
		}
		out.counted = true
		return
	}
	b := i.batches.get(chunk, tag)
	defer i.batches.put(b)
	b.section = section
	whole := false
	defer func() {
		if !whole {
			i.counts.countLost(b, out)
			i.writer.countLostEmits(out)
		}
	}()
	p.evaluateBatch(b)
	incidents := i.correlate(b, "", i.incidentTag, i.afterwards)
	i.count(b)
	out.counted = true
	p.continuation.assemble(b, chunk, out)
	if i.writer.tag != nil {
		i.writer.collectEmits(b.items, tag, out)
	}
	out.Emits = append(out.Emits, incidents...)
	out.Emits = p.Due(out.Emits)
	whole = true
}

// evaluateBatch evaluates all events within the budget.
func (p *Pipeline) evaluateBatch(b *batch) {
	b.budget = p.timeBudget.next()
	b.each(p.inspector.evaluateInto)
	if b.budget > 0 {
		p.timeBudget.evaluateWaiting(b, p.inspector.inLine)
		p.inspector.writeUnwritten(b)
	}
}

// Abandon counts the records of a chunk as broken when a panic has kept Process from counting them: they pass as they came. The
// Outcome is that of Process, or a Reset one when it was not called.
func (p *Pipeline) Abandon(chunk []byte, out *Outcome) { p.inspector.abandon(chunk, out) }

// IsEmitTag reports whether records under a tag are taken for alerts or metrics of this filter, and not evaluated.
func (p *Pipeline) IsEmitTag(tag string) bool {
	i := &p.inspector
	return i.writer.tag.isOwn(tag) || p.meter.Tag != "" && tag == p.meter.Tag || i.incidentTag != "" && tag == i.incidentTag ||
		i.writer.digestTag != "" && tag == i.writer.digestTag
}

// Emitter shows what the host needs to know for emitting: whether something is emitted at all, and the memory limit in
// Fluent Bit's notation.
func (p *Pipeline) Emitter() (limit string, wanted bool) {
	w := p.inspector.writer
	return strconv.FormatInt(w.limit, 10), w.tag != nil || p.meter.Tag != "" || p.inspector.incidentTag != "" || w.digestTag != ""
}

// Ticks reports whether records become ready beside Process, so that the host has to ask for them with Due.
func (p *Pipeline) Ticks() bool {
	w := p.inspector.writer
	return w.tag != nil && (p.async != nil || w.flood != nil) || p.meter.Tag != "" || p.inspector.correlation != nil
}

// Due appends what has become ready since the last call or Process: alerts that were found beside the pipeline, summaries of
// suppressed ones, and metrics. It does not wait.
func (p *Pipeline) Due(emits []Emit) []Emit {
	if p.async != nil {
		emits = p.async.take(emits)
	}
	if w := p.inspector.writer; w.tag != nil {
		emits = append(emits, w.summaries(false)...)
	}
	if i := &p.inspector; i.correlation != nil {
		emits = i.writer.appendNews(emits, i.correlation.due(), i.incidentTag)
	}
	if event, head, at := p.meter.Record(); event != nil {
		emits = append(emits, Emit{Tag: p.meter.Tag, Event: event, Time: at, Severity: informational, head: head, metrics: true})
	}
	return emits
}

// informational is syslog's severity of what is no alert.
const informational = 6

// Summaries returns the summaries of suppressed alerts that are due: those whose window is over, or all. It may be called from
// any goroutine; Process returns those that are due by itself.
func (p *Pipeline) Summaries(all bool) (emits []Emit) { return p.inspector.writer.summaries(all) }

// Left returns what is left at the end: the summaries of suppressed alerts, and what correlation has found. Events about incidents that no
// record brings about are under a tag of their own where there is none for them.
func (p *Pipeline) Left() []Emit {
	emits := p.inspector.writer.summaries(true)
	if c := p.inspector.correlation; c != nil {
		emits = p.inspector.writer.appendNews(emits, c.rest(), cmp.Or(p.inspector.incidentTag, incidentTag))
	}
	return emits
}

// Ready returns what has become ready beside records for an output: summaries that are due, events about incidents, and digests.
func (p *Pipeline) Ready() []Emit {
	emits := p.inspector.writer.summaries(false)
	if c := p.inspector.correlation; c != nil {
		emits = p.inspector.writer.appendNews(emits, c.due(), incidentTag)
	}
	return emits
}

// incidentTag is the tag in an output of events about incidents that no record brings about.
const incidentTag = "incident"

// IsAlert reports whether a verdict is an alert.
func (p *Pipeline) IsAlert(v *rules.Verdict) bool { return p.inspector.evaluator.alerts(v) }
