package filter

import (
	"fmt"
	"sync/atomic"
)

// Counts tells what became of all records of a filter. Records is the sum of Clean, Alerts, NotHTTP, Broken and Skipped. Where
// alerts are emitted, Alerts is the sum of Emitted, Failed and Suppressed.
type Counts struct {
	Records uint64 // records seen
	Clean   uint64 // HTTP transactions without an alert
	Alerts  uint64 // HTTP transactions with an alert
	NotHTTP uint64 // records that are no HTTP transactions
	Broken  uint64 // bytes or transactions that could not be read or inspected; they pass
	Skipped uint64 // records under the filter's own emit tag, with a trusted verdict, or late
	Late    uint64 // HTTP transactions that were not inspected, for lack of time or of room in the queue
	Partial uint64 // records of which rules did not see everything, with an alert or without
	Emitted uint64 // alerts that the host took
	Failed  uint64 // alerts that the host did not take
	Panics  uint64 // panics caught

	Suppressed uint64 // alerts that flood control has summed up or left out
	Summaries  uint64 // summaries and notices about these that the host took; they are in no other counter

	Sources []SourceCount // records by the field map that was used; those that were not read are in none
}

type counters struct {
	clean, alerts, notHTTP, broken, skipped, late, partial, emitted, failed, panics, suppressed, summaries atomic.Uint64
}

// Counts returns the counters as they stand.
func (f *Filter) Counts() Counts {
	c := &f.counts
	n := Counts{
		Clean: c.clean.Load(), Alerts: c.alerts.Load(), NotHTTP: c.notHTTP.Load(),
		Broken: c.broken.Load(), Skipped: c.skipped.Load(), Late: c.late.Load(), Partial: c.partial.Load(), Emitted: c.emitted.Load(), Failed: c.failed.Load(),
		Panics: c.panics.Load(), Suppressed: c.suppressed.Load(), Summaries: c.summaries.Load(), Sources: f.sourceCounts(),
	}
	n.Records = n.Clean + n.Alerts + n.NotHTTP + n.Broken + n.Skipped
	return n
}

// String writes the counters for a log line.
func (c Counts) String() string {
	text := fmt.Sprintf("records %d: clean %d, alerts %d, not http %d, broken %d, skipped %d (%d of them late); alerts emitted %d, failed %d",
		c.Records, c.Clean, c.Alerts, c.NotHTTP, c.Broken, c.Skipped, c.Late, c.Emitted, c.Failed)
	if c.Partial > 0 {
		text += fmt.Sprintf(", inspected in part %d", c.Partial)
	}
	if c.Suppressed > 0 {
		text += fmt.Sprintf(", suppressed %d, told in %d summaries", c.Suppressed, c.Summaries)
	}
	return text + sourcesText(c.Sources)
}

// EmitTaken counts an alert that the host took.
func (f *Filter) EmitTaken(e *Emit) {
	switch {
	case e.metrics, e.incident:
	case e.Summary:
		f.counts.summaries.Add(1)
	default:
		f.counts.emitted.Add(1)
	}
}

// EmitFailed counts an alert that the host did not take, and says so in the log once. The alerts that a summary stands for are
// counted already.
func (f *Filter) EmitFailed(e *Emit) {
	if e.metrics {
		return // the next one tells the same
	}
	if e.digest != nil {
		f.correlation.again(e.digest)
		return
	}
	if e.incident {
		f.log(LevelWarn, "an event about an incident was not taken by the pipeline")
		return
	}
	if e.Summary {
		f.log(LevelWarn, "a summary was not taken by the pipeline; what it stands for is counted as suppressed")
		return
	}
	if f.counts.failed.Add(1) == 1 {
		f.log(LevelWarn, "an alert was not taken by the pipeline; its record continues (more are counted, not logged)")
	}
}
