package filter

import (
	"fmt"
	"strconv"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/fieldmap"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/flood"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/metrics"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// pipeline takes chunks of records to their verdicts and alerts. Its methods may be called from several threads at once.
type pipeline struct {
	inspector    inspector
	deadline     deadline
	continuation continuation
	observer     *observer
	observes     bool // Check makes observations of records
	rules        *current
	asyncConfig  asyncConfig
	async        *async // nil unless records are inspected beside the pipeline
	meter        *meter
	log          Logger
}

// pipelineParts are what a pipeline shares with the rest of a filter.
type pipelineParts struct {
	maps   *fieldmap.Choice
	rules  *current
	counts *counters
	meter  *meter
	panics *panics
	log    Logger
}

// newPipeline returns a pipeline. Chunks may come once it is started.
func newPipeline(c *pipelineConfig, parts pipelineParts) *pipeline {
	e := &evaluator{
		maps: parts.maps, onMatch: c.onMatch, alertKey: c.alertKey, trusted: c.trusted, naming: c.alertName, strict: c.async.skips,
		meter: parts.meter, panics: parts.panics,
	}
	w := &alertWriter{emitConfig: c.emits, alertKey: c.alertKey, redactor: c.redactor, flood: flood.New(c.flood), counts: parts.counts}
	p := &pipeline{
		inspector: inspector{
			evaluator: e, batches: batches{rules: parts.rules, columns: &e.columns}, writer: w, incidentTag: c.incidents.tag,
			counts: &recordCounts{counts: parts.counts, meter: parts.meter, log: parts.log, late: whyLate(c)},
			noHTTP: &noHTTP{counts: parts.counts, log: parts.log, redactor: c.redactor},
		},
		deadline:     deadline{budget: c.budget, isDefault: c.defaultBudget, evaluator: e},
		continuation: continuation{alertKey: c.alertKey, alertsOnly: c.alertsOnly},
		observes:     c.incidents.observe, rules: parts.rules, asyncConfig: c.async, meter: parts.meter, log: parts.log,
	}
	p.observer = &observer{evaluator: e, writer: w, timesInRecords: c.incidents.timesInRecords, identities: c.incidents.identities, salt: c.incidents.salt}
	if c.incidents.correlates {
		p.inspector.correlation = startCorrelation(&c.incidents, p.observer, parts.log, parts.panics)
	}
	parts.meter.Instance.Add(metrics.Collecting(p.inspector.correlation.collect))
	p.inspector.prepare(c.onMatch)
	return p
}

// whyLate explains why records pass without inspection.
func whyLate(c *pipelineConfig) string {
	if c.async.on {
		return fmt.Sprintf("more than async_limit (%d bytes) wait for it, or the pipeline has ended", c.async.limit)
	}
	return fmt.Sprintf("it would take longer than inspect_budget (%v) for one chunk", c.budget)
}

// start has chunks inspected beside the pipeline, where the configuration says so.
func (p *pipeline) start() {
	if p.asyncConfig.on {
		p.async = startAsync(&p.inspector, &p.asyncConfig)
	}
}

// close ends what goes on beside calls. What flood control has not summed up by then is logged.
func (p *pipeline) close() {
	if n := p.inspector.writer.flood.Waiting(); n > 0 {
		p.log(LevelWarn, fmt.Sprintf("%d suppressed alerts are in no summary, because no more records came", n))
	}
	if p.async != nil {
		p.async.end() // before the reloads: one that is under way waits until nobody has the old rules
	}
	p.inspector.correlation.end()
	p.inspector.noHTTP.tell()
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
func (p *pipeline) Process(chunk []byte, tag string, out *Outcome) {
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
	whole := false
	defer func() {
		if !whole {
			i.counts.countLost(b, out)
			i.writer.loseEmits(out)
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
func (p *pipeline) evaluateBatch(b *batch) {
	b.budget = p.deadline.next()
	b.each(p.inspector.evaluateInto)
	if b.budget > 0 {
		p.deadline.judgeWaiting(b, p.inspector.inLine)
		p.inspector.writeUnwritten(b)
	}
}

// Abandon counts the records of a chunk as broken when a panic has kept Process from counting them: they pass as they came. The
// Outcome is that of Process, or a Reset one when it was not called.
func (p *pipeline) Abandon(chunk []byte, out *Outcome) { p.inspector.abandon(chunk, out) }

// IsEmitTag reports whether records under a tag are taken for alerts or metrics of this filter, and not evaluated.
func (p *pipeline) IsEmitTag(tag string) bool {
	i := &p.inspector
	return i.writer.tag.isOwn(tag) || p.meter.tag != "" && tag == p.meter.tag || i.incidentTag != "" && tag == i.incidentTag
}

// Emitter shows what the host needs to know for emitting: whether something is emitted at all, and the memory limit in
// Fluent Bit's notation.
func (p *pipeline) Emitter() (limit string, wanted bool) {
	w := p.inspector.writer
	return strconv.FormatInt(w.limit, 10), w.tag != nil || p.meter.tag != "" || p.inspector.incidentTag != ""
}

// Ticks reports whether records become ready beside Process, so that the host has to ask for them with Due.
func (p *pipeline) Ticks() bool {
	w := p.inspector.writer
	return w.tag != nil && (p.async != nil || w.flood != nil) || p.meter.tag != ""
}

// Due appends what has become ready since the last call or Process: alerts that were found beside the pipeline, summaries of
// suppressed ones, and metrics. It does not wait.
func (p *pipeline) Due(emits []Emit) []Emit {
	if p.async != nil {
		emits = p.async.take(emits)
	}
	if w := p.inspector.writer; w.tag != nil {
		emits = append(emits, w.summaries(false)...)
	}
	if event, head, at := p.meter.record(); event != nil {
		emits = append(emits, Emit{Tag: p.meter.tag, Event: event, Time: at, Severity: informational, head: head, metrics: true})
	}
	return emits
}

// informational is syslog's severity of what is no alert.
const informational = 6

// Summaries returns the summaries of suppressed alerts that are due: those whose window is over, or all. It may be called from
// any goroutine; Process returns those that are due by itself.
func (p *pipeline) Summaries(all bool) (emits []Emit) { return p.inspector.writer.summaries(all) }

// IsAlert reports whether a verdict is an alert.
func (p *pipeline) IsAlert(v *rules.Verdict) bool { return p.inspector.evaluator.alerts(v) }
