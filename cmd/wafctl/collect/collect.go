// Package collect is the command "wafctl run": a collector that receives records over UDP and TCP, evaluates them and
// delivers alerts. Records wait in a queue of bounded size, and each that is lost is counted. It ends on a signal, or
// with the standard input, after everything received is finished.
package collect

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/evaluation"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/kafka"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/outbox"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/delivery"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/receive"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/recovery"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

var runFlags = []setting.Property{
	{Name: "listen", Default: "udp://127.0.0.1:15155",
		Help: "listen addresses, comma separated: udp://HOST:PORT, tcp://HOST:PORT, " + kafka.Form + ", or - for standard input"},
	{Name: "alert_to", Default: "stdout", Help: "destinations of alerts, comma separated; off delivers none"},
	{Name: "output", Help: "write all records with their verdicts to stdout (or -), or append them to a file"},
	{Name: "tag", Default: "wafctl", Help: "tag of records, for $TAG in --emit-tag"},
}

// defaultEmitTag makes the filter write alerts when no tag for them is set.
const defaultEmitTag = "alert.$TAG"

// defaultIncidentTag is that of events about incidents.
const defaultIncidentTag = "incident"

func New(c *cli.Console, args []string) *cobra.Command {
	var f cli.Flags
	cmd := &cobra.Command{
		Use:   "run [flags]",
		Short: "Receive records, detect attacks in them, and deliver alerts",
		Long: `Receive JSON records or access log lines, evaluate HTTP transactions, and deliver an alert for each attack: a collector
for machines without Fluent Bit.

A datagram or line has one or several JSON objects. Alerts wait until their destination accepts them, in at most
--emit-limit of memory per destination. On SIGINT and SIGTERM, and at the end of standard input if that is the only
source, run finishes what it received and prints totals.`,
		Example: `  wafctl run --alert-to syslog+udp://siem.example:514
  wafctl run --listen udp://0.0.0.0:15155,tcp://0.0.0.0:15155 --alert-to 'syslog+tls://siem.example?ca=/etc/ca.pem,stdout'
  zcat nano.ndjson.gz | wafctl run --listen - --output checked.ndjson --alert-to off`,
		Annotations: map[string]string{cli.Appendix: "Destinations of alerts\n" + delivery.Help() + "\n" + kafka.Help()},
		Args:        cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := openCollector(c, &f)
			if err := f.Usage(cmd, args, err); err != nil {
				return err
			}
			return r.Run(cmd.Context())
		},
	}
	cli.Strict(cmd)
	f.Add(cmd.Flags(), runFlags)
	c.QuietFlag(cmd, "log warnings and errors only")
	f.Add(cmd.Flags(), receive.Properties())
	f.Add(cmd.Flags(), filter.Properties())
	return cmd
}

// collector is one run: from the places where records arrive to the destinations of alerts.
type collector struct {
	console  *cli.Console
	filter   *filter.Filter
	tag      string
	intakes  *intakes
	outboxes []*outbox.Outbox
	stream   *evaluation.Stream

	sections map[*kafka.Consumer]*sections // of topics whose records are digested
	keeper   keeper

	writing sync.Mutex // of the stream
	failed  error      // of writing to it
	end     func()     // asks for the end
}

// openCollector opens everything that the flags name, or returns all problems with it.
func openCollector(c *cli.Console, f *cli.Flags) (r *collector, err error) {
	settings := setting.NewReader(f, slices.Concat(runFlags, receive.Properties(), filter.Properties()))
	settings.Noun = "flag"
	r = &collector{console: c, tag: settings.Text("tag")}
	problems := []error{r.openFilter(f), r.openOutputs(f, settings)}
	r.intakes = listen(settings, c, r.caughtIn("kafka"))
	if r.filter != nil {
		r.filter.MeasureDelivery(r.stats)
		if r.intakes.Receiver != nil {
			r.filter.Measure(r.intakes.Collector())
			for _, topic := range r.intakes.topics {
				r.filter.Measure(topic.Collector())
			}
			r.filter.MeasurePanics(func() int64 { return int64(r.intakes.Counts().Panics) })
		}
	}
	if err := errors.Join(append(problems, settings.Err())...); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

func (r *collector) openFilter(f *cli.Flags) (err error) {
	if strings.TrimSpace(f.Values["emit_tag"]) == "" {
		f.Values["emit_tag"] = defaultEmitTag
	}
	if strings.EqualFold(strings.TrimSpace(f.Values["incidents"]), "on") && f.Values["incident_tag"] == "" && f.Values["incident_digest_tag"] == "" {
		f.Values["incident_tag"] = defaultIncidentTag
	}
	if f.Values["inspect_budget"] == "" {
		f.Values["inspect_budget"] = "off" // there is no pipeline that it would hold up
	}
	if f.Values["mode"] == "async" {
		return errors.New("--mode async: not supported outside Fluent Bit")
	}
	if r.filter, err = filter.New(r.console.Host, f, r.console.Log(true)); err != nil {
		return err
	}
	if r.filter.IsEmitTag(r.tag) {
		return fmt.Errorf("--tag %s: --emit-tag gives alerts the same tag as records", r.tag)
	}
	return nil
}

func (r *collector) openOutputs(f *cli.Flags, settings *setting.Reader) (err error) {
	destinations, output := kafka.Join(settings.List("alert_to")), settings.Text("output")
	if slices.Equal(destinations, []string{"off"}) {
		destinations = nil
	}
	limit := setting.NewReader(f, filter.Properties()).Size("emit_limit") // filter.New tells what is wrong with it
	if r.outboxes, err = outbox.Open(destinations, r.console, limit, r.caughtIn("delivery")); err != nil {
		settings.Problem("alert_to", err)
	} else if err := delivery.CheckDigests(destinations, f.Values["incident_digest_tag"] != ""); err != nil {
		settings.Problem("alert_to", err)
	}
	if output == "-" {
		output = "stdout"
	}
	if output == "stdout" && slices.Contains(destinations, "stdout") {
		settings.Problem("output", errors.New("alerts also go to stdout (want a file, or another --alert-to)"))
		return nil
	}
	if r.stream, err = evaluation.OpenStream(output, r.console.Out); err != nil {
		settings.Problem("output", fmt.Errorf("%w (want stdout or a file)", err))
	}
	return nil
}

// caughtIn counts panics, once there is a filter.
func (r *collector) caughtIn(where string) recovery.Caught {
	return func(cause any, stack []byte) { r.filter.Caught(where)(cause, stack) }
}

func (r *collector) stats() []delivery.Stats { return outbox.Stats(r.outboxes) }

// close releases what is open without having run.
func (r *collector) close() {
	if r.filter != nil {
		r.filter.Close()
	}
	if r.intakes != nil {
		r.intakes.closeAll()
	}
	for _, o := range r.outboxes {
		o.Discard()
	}
	r.stream.End() //nolint:errcheck // nothing was written
}

// Run collects until ctx ends, a signal asks for the end, or the standard input ends as the only source.
func (r *collector) Run(ctx context.Context) error {
	defer r.filter.Close()
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	r.end = cancel
	r.digest()
	for _, topic := range r.intakes.topics {
		if err := topic.Start(); err != nil {
			r.intakes.closeAll()
			return err
		}
	}
	r.greet()

	for _, o := range r.outboxes {
		go o.Run(r.filter.Caught("delivery"))
	}
	ending := make(chan struct{})
	var summarizing sync.WaitGroup
	summarizing.Go(func() {
		recovery.Once(r.filter.Caught("summaries"), func() { outbox.SendDue(r.filter, ending, r.sendDue) })
	})
	summarizing.Go(func() { recovery.Loop(ending, r.filter.Caught("saving incidents"), func() { r.keeper.run(ending) }) })
	var processing sync.WaitGroup
	processing.Go(func() { recovery.Loop(nil, r.filter.Caught("processing"), r.process) })
	for _, topic := range r.intakes.topics {
		processing.Go(func() { recovery.Loop(ctx.Done(), r.filter.Caught("kafka"), func() { r.consume(ctx, topic) }) })
	}
	r.intakes.Run(ctx)
	r.intakes.Queue.Close()
	for _, o := range r.outboxes {
		o.Last()
	}
	processing.Wait()
	for _, topic := range r.intakes.topics {
		topic.EndHandovers()
	}
	r.endSections()
	close(ending)
	summarizing.Wait()
	err := r.finish()
	if err == nil || r.keeper.digests() == 0 {
		r.keeper.save() // digests whose incidents were not delivered are to come again
	}
	err = errors.Join(r.failed, err, r.stream.End())
	for _, topic := range r.intakes.topics {
		topic.Close() // commits what finish has delivered
	}
	return err
}

// digest has the records of topics digested, where the filter sends digests, and the state of incidents kept, where it makes incidents of them.
func (r *collector) digest() {
	if len(r.intakes.topics) == 0 {
		return
	}
	if r.filter.HoldState() {
		r.keeper.filter, r.keeper.settled = r.filter, r.isSettled
	}
	if r.filter.NewSection() == nil {
		return
	}
	r.sections = map[*kafka.Consumer]*sections{}
	for _, topic := range r.intakes.topics {
		r.sections[topic] = newSections(r, topic)
	}
}

// isSettled reports whether everything that was emitted is delivered.
func (r *collector) isSettled() bool {
	return !slices.ContainsFunc(r.outboxes, (*outbox.Outbox).IsBusy)
}

// endSections ends the sections of topics when alerts are delivered, or their destinations are given up.
func (r *collector) endSections() {
	if len(r.sections) == 0 {
		return
	}
	for !r.isSettled() && !slices.ContainsFunc(r.outboxes, (*outbox.Outbox).HasStopped) {
		time.Sleep(settleTick)
	}
	for _, s := range r.sections {
		s.end()
	}
}

// settleTick is how often destinations are looked at while nothing else happens.
const settleTick = 10 * time.Millisecond

func (r *collector) greet() {
	var destinations []string
	for _, o := range r.outboxes {
		destinations = append(destinations, o.Destination())
	}
	if len(destinations) == 0 {
		destinations = []string{"nowhere"}
	}
	r.console.Note("listening on " + strings.Join(r.intakes.places(), ", ") + "; alerts go to " + strings.Join(destinations, ", "))
}

// process runs what arrives through the filter until nothing more comes.
func (r *collector) process() {
	var outcome filter.Outcome
	for {
		batch, more := r.intakes.Queue.Wait()
		if !more {
			return
		}
		r.step(batch, &outcome)
	}
}

// step takes one batch.
func (r *collector) step(batch receive.Batch, outcome *filter.Outcome) {
	defer r.intakes.Queue.Done(batch)
	r.keeper.emitting.RLock()
	defer r.keeper.emitting.RUnlock()
	r.evaluate(nil, batch.Events, outcome)
	r.send(outcome.Emits)
}

// evaluate runs events through the filter and writes the records that continue. Where the filter panics these are those that came.
func (r *collector) evaluate(section *filter.Section, events []byte, outcome *filter.Outcome) {
	continued := events
	outcome.Reset()
	if recovery.Once(r.filter.Caught("filter"), func() { r.filter.ProcessIn(section, events, r.tag, outcome) }) {
		if outcome.Changed {
			continued = outcome.Data
		}
	} else {
		r.filter.Abandon(events, outcome)
		outcome.Emits = nil
	}
	r.write(continued)
}

// write writes records. When it cannot it asks for the end, and alerts go on.
func (r *collector) write(records []byte) {
	r.writing.Lock()
	defer r.writing.Unlock()
	if r.failed != nil {
		return
	}
	if r.failed = r.stream.Write(records); r.failed != nil {
		r.end()
	}
}

// send puts alerts into all outboxes.
func (r *collector) send(emits []filter.Emit) { r.put(emits, false) }

// sendDue sends what has become ready beside records.
func (r *collector) sendDue(ready func() []filter.Emit) {
	r.keeper.emitting.RLock()
	defer r.keeper.emitting.RUnlock()
	r.send(ready())
}

// put is send that may be patient. It returns how to find out whether all destinations have taken the alerts, and reports whether none
// was given up.
func (r *collector) put(emits []filter.Emit, patient bool) (delivered func() bool, complete bool) {
	marks := make([]uint64, len(r.outboxes))
	complete = true
	if len(emits) > 0 {
		alerts := outbox.Messages(emits)
		for i, o := range r.outboxes {
			mark, whole := o.Put(alerts, patient)
			marks[i], complete = mark, complete && whole
		}
	}
	for i := range emits {
		r.filter.EmitTaken(&emits[i])
	}
	return func() bool {
		for i, o := range r.outboxes {
			if !o.HasSettled(marks[i]) {
				return false
			}
		}
		return true
	}, complete
}

// finish waits for the destinations and prints the totals. The error tells of alerts that were not delivered.
func (r *collector) finish() error {
	c := r.filter.Counts()
	r.console.Note(fmt.Sprintf("%s: %s, %s clean, %s not HTTP, %s broken", r.intakes.summary(), cli.Count(c.Alerts, "alert"), cli.Grouped(c.Clean),
		cli.Grouped(c.NotHTTP), cli.Grouped(c.Broken)))
	if c.Suppressed > 0 {
		r.console.Note(cli.Count(c.Suppressed, "alert") + " suppressed by flood control, summarized in " + cli.Count(c.Summaries, "alert"))
	}
	var problems []error
	for _, o := range r.outboxes {
		taken, lost := o.Close()
		r.console.Note(o.Count(taken) + " delivered to " + o.Destination())
		if lost > 0 {
			problems = append(problems, fmt.Errorf("%s not delivered to %s", o.Count(lost), o.Destination()))
		}
	}
	return errors.Join(problems...)
}
