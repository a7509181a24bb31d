// Package filter is the pipeline without Fluent Bit: a chunk of records goes in, each HTTP record becomes a
// transaction, the rules give a verdict, and the chunk comes out with the verdict written where the operator wants
// it. It is the façade: a [Filter] evaluates chunks, checks and explains records, and an [Output] also delivers the
// alerts. Both read one table of properties; the work is done by the packages below.
package filter

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/delivery"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/fieldmap"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/metrics"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/pipeline"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/redact"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/ruleset"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/telemetry"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/recovery"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter"
)

// Filter evaluates chunks with one configuration. Its methods may be called from several threads at once.
type Filter struct {
	pipeline *pipeline.Pipeline
	maps     *fieldmap.Choice
	rules    *ruleset.Current
	counts   *telemetry.Counters
	panics   *telemetry.Panics
	meter    *telemetry.Meter
	redactor *redact.Redactor
	engine   *pipeline.EngineSlots // of the host
	log      Logger

	releaseState func() // lets other filters have the file of the state
}

// New returns a filter, or all problems of its configuration as one error. It shares rules of the same content with other filters of the host.
func New(host *Host, get setting.Getter, log Logger) (*Filter, error) {
	reader := setting.NewReader(get, Properties())
	return open("", host, reader, readConfig(reader), log)
}

// NewNamed is New for a host that may end a filter and start it again with another configuration. Where the rules are broken
// and a filter of the same name has had good ones before, these stay in use, and the log says so. Properties of the output
// are problems.
func NewNamed(name string, host *Host, get setting.Getter, log Logger) (*Filter, error) {
	reader := setting.NewReader(get, Properties())
	refuseMisplaced(get, reader, false)
	c := readConfig(reader)
	c.pipeline.RequireIncidentTag(reader)
	return open(name, host, reader, c, log)
}

// NewProfiled is New for a filter that keeps where its time goes, for Profile. That costs some time itself.
func NewProfiled(host *Host, get setting.Getter, log Logger) (*Filter, error) {
	reader := setting.NewReader(get, Properties())
	c := readConfig(reader)
	c.profile = true
	return open("", host, reader, c, log)
}

// open makes a filter of what was read so far, unless that or the rest has problems.
func open(name string, host *Host, reader *setting.Reader, c config, log Logger) (*Filter, error) {
	host = host.orUnshared()
	ruleConfig := rules.ReadConfig(reader)
	ruleConfig.Profile = c.profile
	maps, err := fieldmap.Open(c.pipeline.FieldMap)
	if err != nil {
		reader.Problem("field_map", err)
	}
	maps.Trust(c.pipeline.Proxies)
	opened, err := ruleset.Open(name, host.lastGood, ruleConfig)
	if err != nil {
		reader.Problem("rules", err)
	} else if reader.Err() != nil && opened.Err != nil {
		reader.Problem("rules", opened.Err)
	}
	releaseState, err := host.states.own(c.pipeline.StateFile(), name)
	if err != nil {
		reader.Problem("incident_state", err)
	}
	if problems := reader.Err(); problems != nil {
		releaseState()
		if opened != nil {
			problems = errors.Join(problems, opened.Close())
		}
		return nil, problems
	}
	counts := telemetry.NewCounters(maps.Names(), log)
	f := &Filter{maps: maps, counts: counts, panics: telemetry.NewPanics(counts, log, c.pipeline.Redactor), redactor: c.pipeline.Redactor, engine: host.engine, log: log, releaseState: releaseState}
	f.rules = opened.Use(log, f.panics)
	if f.meter, err = telemetry.Start(host.metrics, c.metrics, name, Version, counts, f.panics, log); err != nil {
		releaseState()
		reader.Problem("metrics_listen", err)
		return nil, errors.Join(reader.Err(), f.meter.Close(), f.rules.Release())
	}
	if address := f.meter.Address(); address != "" {
		log(LevelInfo, "metrics of all instances: http://"+address+"/metrics")
	}
	f.meter.Instance.Add(metrics.Collecting(f.rules.Collect))
	f.pipeline = pipeline.New(&c.pipeline, pipeline.Parts{Maps: maps, Rules: f.rules, Counts: counts, Engine: host.engine, Meter: f.meter, Panics: f.panics, Log: log, Producer: host.producer})
	f.rules.Start(c.reloadInterval)
	f.pipeline.Start()
	return f, nil
}

// Close releases the rules. The Filter must not be used after it. What flood control has not summed up by then is logged.
func (f *Filter) Close() error {
	f.pipeline.Close()
	f.releaseState()
	f.rules.Stop()
	err := f.meter.Close()
	if !f.engine.HasOverdueRuns() {
		return errors.Join(err, f.rules.Release())
	}
	go recovery.Once(f.Caught("release of rules"), func() { // engine runs go on that nothing can end
		if err := f.rules.Release(); err != nil {
			f.log(LevelWarn, err.Error())
		}
	})
	return err
}

// Process evaluates one chunk of msgpack events that arrived under a tag. It never fails: what cannot be evaluated
// continues as it came and is counted. The chunk is borrowed for the call.
func (f *Filter) Process(chunk []byte, tag string, out *Outcome) {
	f.pipeline.Process(chunk, tag, out)
}

// Abandon counts the records of a chunk as broken when a panic has kept Process from counting them: they pass as they came. The
// Outcome is that of Process, or a Reset one when it was not called.
func (f *Filter) Abandon(chunk []byte, out *Outcome) { f.pipeline.Abandon(chunk, out) }

// Check evaluates a chunk and returns one finding for each of its events in order, and a Broken one for bytes at the end that
// are no event. The chunk itself stays as it is.
func (f *Filter) Check(chunk []byte) []Finding { return f.pipeline.Check(chunk) }

// Ticks reports whether records become ready beside Process, so that the host has to ask for them with Due.
func (f *Filter) Ticks() bool { return f.pipeline.Ticks() }

// Due appends what has become ready since the last call or Process: alerts that were found beside the pipeline, summaries of
// suppressed ones, and metrics. It does not wait.
func (f *Filter) Due(emits []Emit) []Emit { return f.pipeline.Due(emits) }

// Summaries returns the summaries of suppressed alerts that are due: those whose window is over, or all. It may be called from
// any goroutine; Process returns those that are due by itself.
func (f *Filter) Summaries(all bool) []Emit { return f.pipeline.Summaries(all) }

// Left returns what is left at the end: the summaries of suppressed alerts, and what incident detection has found or digested.
func (f *Filter) Left() []Emit { return f.pipeline.Left() }

// EmitTaken counts an alert that the host took.
func (f *Filter) EmitTaken(e *Emit) { f.pipeline.EmitTaken(e) }

// EmitFailed counts an alert that the host did not take, and says so in the log once. The alerts that a summary stands for are
// counted already.
func (f *Filter) EmitFailed(e *Emit) { f.pipeline.EmitFailed(e) }

// IsEmitTag reports whether records under a tag are taken for alerts or metrics of this filter, and not evaluated.
func (f *Filter) IsEmitTag(tag string) bool { return f.pipeline.IsEmitTag(tag) }

// Emitter shows what the host needs to know for emitting: whether something is emitted at all, and the memory limit in
// Fluent Bit's notation.
func (f *Filter) Emitter() (limit string, wanted bool) { return f.pipeline.Emitter() }

// Counts returns the counters as they stand.
func (f *Filter) Counts() Counts { return f.counts.Read() }

// Caught returns what counts a panic in a goroutine of the filter, or of the program around it, and logs the first.
func (f *Filter) Caught(where string) recovery.Caught { return f.panics.Caught(where) }

// MeasurePanics has the metrics count the panics that the host's border has caught, too.
func (f *Filter) MeasurePanics(caught func() int64) { f.panics.MeasureBorder(caught) }

// MeasureDelivery has the metrics show what has become of alerts at their destinations.
func (f *Filter) MeasureDelivery(stats func() []delivery.Stats) { f.meter.MeasureDelivery(stats) }

// Measure has the metrics show more.
func (f *Filter) Measure(more prometheus.Collector) { f.meter.Instance.Add(more) }

// Rules returns the rules that are loaded, in load order.
func (f *Filter) Rules() []rules.Loaded { return f.rules.Set().List() }

// Profile shows where the time of the rules has gone, nil unless the filter was made with NewProfiled.
func (f *Filter) Profile() *rules.Profile { return f.rules.Set().Profile() }

// PrefilterReport shows of every rule that can alert how the prefilter rules it out, or why it cannot.
func (f *Filter) PrefilterReport() []prefilter.Rule { return f.rules.Set().PrefilterReport() }

// Notes tell what makes inspection slow, and why.
func (f *Filter) Notes() []string { return f.rules.Set().Notes() }

// RuleSet returns what the rules call themselves, for instance OWASP_CRS/4.25.0.
func (f *Filter) RuleSet() string { return f.rules.Set().Name() }

// Warnings returns what was skipped of the rules and why, each with file and line.
func (f *Filter) Warnings() []string { return f.rules.Set().Warnings() }
