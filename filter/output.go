package filter

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/delivery"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/metrics"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// Output evaluates chunks as a Filter does, and delivers the alerts itself. Its methods may be called from several threads at
// once.
type Output struct {
	filter    *Filter
	delivery  *delivery.Delivery
	log       Logger
	decisions decisions // of chunks whose delivery has failed
	summaries summaries
}

// Properties that only one of filter and output has.
var (
	onlyFilter = []string{
		"emit_tag", "emit_limit", "incident_tag", "inspect_budget", "keep", "metrics_tag", "metrics_interval", "mode", "async_full", "async_limit",
	}
	onlyOutput = []setting.Property{
		{Name: "alert_to", Help: "destinations of alerts, comma separated: " + destinationForms()},
		{Name: "trust_verdicts", Default: "off", Help: "on skips records that already have a map under alert_key"},
	}
)

func destinationForms() string {
	var forms []string
	for _, s := range delivery.Schemes() {
		forms = append(forms, s.Form)
	}
	return strings.Join(forms, ", ")
}

// OutputProperties are all settings of an output in the order in which help lists them.
func OutputProperties() []setting.Property {
	shared := slices.DeleteFunc(Properties(), func(p setting.Property) bool { return slices.Contains(onlyFilter, p.Name) })
	return append(shared, onlyOutput...)
}

// Misplaced returns the properties that Fluent Bit must let through to the filter, or to the output, although they belong to the
// other one: it would answer an unknown name with the list of all known ones, and NewNamed and NewOutput explain where they belong.
func Misplaced(inOutput bool) (all []setting.Property) {
	table, owner := slices.Clone(onlyOutput), "output"
	if inOutput {
		table = slices.DeleteFunc(Properties(), func(p setting.Property) bool { return !slices.Contains(onlyFilter, p.Name) })
		owner = "filter"
	}
	for _, p := range table {
		all = append(all, setting.Property{Name: p.Name, Help: "a property of the " + owner + " waf: an error here"})
	}
	return all
}

// refuseMisplaced reports properties that are set and belong elsewhere.
func refuseMisplaced(get setting.Getter, reader *setting.Reader, inOutput bool) {
	why := errors.New("belongs to the output waf (name: waf under outputs), not to the filter")
	if inOutput {
		why = errors.New("belongs to the filter waf (name: waf under filters), not to the output")
	}
	for _, p := range Misplaced(inOutput) {
		if strings.TrimSpace(get.Get(p.Name)) != "" {
			reader.Problem(p.Name, why)
		}
	}
}

// NewOutput returns an output, or all problems of its configuration as one error. Name and host are as in NewNamed; the
// name may be empty. The destination stdout writes to stdout.
func NewOutput(name string, host *Host, get setting.Getter, log Logger, stdout io.Writer) (*Output, error) {
	reader := setting.NewReader(get, append(Properties(), onlyOutput...))
	refuseMisplaced(get, reader, true)
	c := readConfig(reader)
	c.pipeline.ForOutput(reader.Bool("trust_verdicts"))
	o := &Output{log: log}
	var err error
	if o.delivery, err = delivery.Open(reader.Text("alert_to"), delivery.Options{Stdout: stdout, Caught: func(cause any, stack []byte) {
		o.filter.Caught("delivery")(cause, stack)
	}}); err != nil {
		reader.Problem("alert_to", err)
	} else if err := delivery.CheckDigests(strings.Split(reader.Text("alert_to"), ","), c.pipeline.SendsDigests()); err != nil {
		reader.Problem("alert_to", err)
	}
	if o.filter, err = open(name, host, reader, c, log); err != nil {
		if o.delivery != nil {
			err = errors.Join(err, o.delivery.Close())
		}
		return nil, err
	}
	o.summaries.start(o)
	o.filter.MeasureDelivery(o.delivery.Stats)
	return o, nil
}

// MeasurePanics is that of a Filter.
func (o *Output) MeasurePanics(caught func() int64) { o.filter.MeasurePanics(caught) }

// MeasureFlushes has the metrics tell how many chunks wait, the one that is being delivered included.
func (o *Output) MeasureFlushes(waiting func() int) {
	o.filter.meter.MeasureGauge(metrics.Flushes, waiting)
}

// Flush evaluates one chunk of msgpack events that arrived under a tag, and delivers the alerts in record order. After an
// error it is to be called again with the same chunk, and then gives each destination only what that has not taken yet. It never
// fails because of a record. The chunk is borrowed for the call.
func (o *Output) Flush(ctx context.Context, chunk []byte, tag string) error {
	name := batchName(chunk, tag)
	emits := o.filter.pipeline.Alerts(chunk, tag, name)
	if len(emits) == 0 {
		o.filter.pipeline.Forget(name)
		return nil
	}
	sent := o.decisions.of(name, emits, o.filter.pipeline.Offer)
	o.filter.counts.Suppressed.Add(uint64(len(emits) - len(sent)))
	if len(sent) > 0 {
		alerts := uint64(len(sent) - incidentsOf(emits)) // flood control leaves these alone
		if err := o.delivery.Deliver(ctx, name, sent); err != nil {
			o.filter.counts.Failed.Add(alerts)
			return err
		}
		o.filter.counts.Emitted.Add(alerts)
	}
	o.decisions.forget(name)
	o.filter.pipeline.Forget(name)
	return nil
}

// incidentsOf returns how many events about incidents there are.
func incidentsOf(emits []*Emit) (n int) {
	for _, e := range emits {
		if e.Incident {
			n++
		}
	}
	return n
}

// batchName tells chunks apart: Fluent Bit hands over the same bytes again when it retries, and names them in no other way.
func batchName(chunk []byte, tag string) string {
	sum := sha256.Sum256(chunk)
	return string(sum[:]) + tag
}

// Counts returns the counters as they stand. A chunk that is flushed again is counted again; its alerts count as failed in each
// attempt that did not reach all destinations.
func (o *Output) Counts() Counts { return o.filter.Counts() }

// Close delivers the summaries that are left, ends the deliveries that are under way and releases the rules, and says in the log what was delivered
// and what was not. The Output must not be used after it.
func (o *Output) Close() error {
	o.summaries.end(o)
	err := errors.Join(o.delivery.Close(), o.filter.Close())
	for _, s := range o.delivery.Stats() {
		o.log(LevelInfo, fmt.Sprintf("%s: delivered %d, failed attempts %d, shortened %d", s.Destination, s.Delivered, s.Failures, s.Shortened))
	}
	if alerts, chunks := o.decisions.left(); alerts > 0 {
		o.log(LevelWarn, fmt.Sprintf("%d alerts in %d chunks have not reached every destination: with storage.type filesystem Fluent Bit delivers them after "+
			"its next start, otherwise they are dropped", alerts, chunks))
	}
	return err
}
