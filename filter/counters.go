package filter

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

	Suppressed uint64 // alerts that flood control has summed up or left out
	Summaries  uint64 // summaries and notices about these that the host took; they are in no other counter

	Sources []SourceCount // records by the field map that was used; those that were not read are in none
}

// SourceCount is how many records were read with a field map.
type SourceCount struct {
	Map     string // name of the field map, "none" for records that no map fits
	Records uint64
}

// counters are behind Counts.
type counters struct {
	clean, alerts, notHTTP, broken, skipped, late, partial, emitted, failed, panics, suppressed, summaries atomic.Uint64

	maps   []string        // names of the field maps
	byMap  []atomic.Uint64 // records by field map, those of no map first
	logMap Logger          // of the first record of each
}

func newCounters(maps []string, log Logger) *counters {
	return &counters{maps: maps, byMap: make([]atomic.Uint64, 1+len(maps)), logMap: log}
}

// addSource counts records by the field map that has read them: 1 + its place, or 0 for none. The first record of each map is logged, so
// that a wrong guess shows.
func (c *counters) addSource(source int, n uint64) {
	if c.byMap[source].Add(n) == n && source > 0 {
		c.logMap(LevelInfo, fmt.Sprintf("records are read with field map %s", c.maps[source-1]))
	}
}

// sources returns the counts of the field maps that were used, those without a map last.
func (c *counters) sources() (counts []SourceCount) {
	for i, name := range append(c.maps[:len(c.maps):len(c.maps)], "none") {
		if n := c.byMap[(i+1)%len(c.byMap)].Load(); n > 0 {
			counts = append(counts, SourceCount{name, n})
		}
	}
	return counts
}

// read returns the counters as they stand.
func (c *counters) read() Counts {
	n := Counts{
		Clean: c.clean.Load(), Alerts: c.alerts.Load(), NotHTTP: c.notHTTP.Load(),
		Broken: c.broken.Load(), Skipped: c.skipped.Load(), Late: c.late.Load(), Partial: c.partial.Load(), Emitted: c.emitted.Load(), Failed: c.failed.Load(),
		Panics: c.panics.Load(), Suppressed: c.suppressed.Load(), Summaries: c.summaries.Load(), Sources: c.sources(),
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
