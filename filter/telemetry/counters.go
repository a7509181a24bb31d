// Package telemetry counts and measures what a filter does: what becomes of records, how verdicts are found and how long that takes, alerts by
// severity and rule, and panics. It shows that as counts for the log, to Prometheus, and as records of metrics. Counting a clean record takes
// no lock and no memory.
package telemetry

import (
	"fmt"
	"strings"
	"sync/atomic"
)

// Counts shows what became of all records of a filter. Records is the sum of Clean, Alerts, NotHTTP, Broken and Skipped. Where
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

	Suppressed uint64 // alerts that flood control has summed up or skipped
	Summaries  uint64 // summaries and notices about these that the host took; they are in no other counter

	Sources []SourceCount // records by the field map that was used; those that were not read are in none
}

// SourceCount is how many records were read with a field map.
type SourceCount struct {
	Map     string // name of the field map, "none" for records that no map fits
	Records uint64
}

// Counters are behind Counts.
type Counters struct {
	Clean, Alerts, NotHTTP, Broken, Skipped, Late, Partial, Emitted, Failed, panics, Suppressed, Summaries atomic.Uint64

	maps   []string        // names of the field maps
	byMap  []atomic.Uint64 // records by field map, those of no map first
	logMap Logger          // of the first record of each
}

func NewCounters(maps []string, log Logger) *Counters {
	return &Counters{maps: maps, byMap: make([]atomic.Uint64, 1+len(maps)), logMap: log}
}

// AddSource counts records by the field map that has read them: 1 + its place, or 0 for none. The first record of each map is logged, so
// that a wrong guess shows.
func (c *Counters) AddSource(source int, n uint64) {
	if c.byMap[source].Add(n) == n && source > 0 {
		c.logMap(LevelInfo, fmt.Sprintf("records are read with field map %s", c.maps[source-1]))
	}
}

// sources returns the counts of the field maps that were used, those without a map last.
func (c *Counters) sources() (counts []SourceCount) {
	for i, name := range append(c.maps[:len(c.maps):len(c.maps)], "none") {
		if n := c.byMap[(i+1)%len(c.byMap)].Load(); n > 0 {
			counts = append(counts, SourceCount{name, n})
		}
	}
	return counts
}

// Read returns the counters as they stand.
func (c *Counters) Read() Counts {
	n := Counts{
		Clean: c.Clean.Load(), Alerts: c.Alerts.Load(), NotHTTP: c.NotHTTP.Load(),
		Broken: c.Broken.Load(), Skipped: c.Skipped.Load(), Late: c.Late.Load(), Partial: c.Partial.Load(), Emitted: c.Emitted.Load(), Failed: c.Failed.Load(),
		Panics: c.panics.Load(), Suppressed: c.Suppressed.Load(), Summaries: c.Summaries.Load(), Sources: c.sources(),
	}
	n.Records = n.Clean + n.Alerts + n.NotHTTP + n.Broken + n.Skipped
	return n
}

// String writes the counters for a log line.
func (c Counts) String() string {
	text := fmt.Sprintf("records %d: clean %d, alerts %d, not http %d, broken %d, skipped %d (%d of them late); alerts emitted %d, failed %d",
		c.Records, c.Clean, c.Alerts, c.NotHTTP, c.Broken, c.Skipped, c.Late, c.Emitted, c.Failed)
	if c.Partial > 0 {
		text += fmt.Sprintf(", partly inspected %d", c.Partial)
	}
	if c.Suppressed > 0 {
		text += fmt.Sprintf(", suppressed %d, summaries %d", c.Suppressed, c.Summaries)
	}
	return text + sourcesText(c.Sources)
}

func sourcesText(counts []SourceCount) string {
	if len(counts) == 0 {
		return ""
	}
	words := make([]string, len(counts))
	for i, c := range counts {
		words[i] = fmt.Sprintf("%s %d", c.Map, c.Records)
	}
	return "; field maps: " + strings.Join(words, ", ")
}
