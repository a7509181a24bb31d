package pipeline

import (
	"sync/atomic"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/telemetry"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// recordCounts counts what becomes of records.
type recordCounts struct {
	counts *telemetry.Counters
	meter  *telemetry.Meter
	log    telemetry.Logger
	late   string // why records pass without inspection
}

// count adds what became of a batch to the counters.
func (c *recordCounts) count(b *batch) {
	c.countKinds(b)
	c.countSources(b)
}

// countSources counts the records of a batch by field map.
func (c *recordCounts) countSources(b *batch) {
	for i := 0; i < len(b.items); {
		source, first := b.items[i].source, i
		if b.items[i].kind == several {
			i++
			continue
		}
		for i < len(b.items) && b.items[i].source == source && b.items[i].kind != several {
			i++
		}
		c.counts.AddSource(source, uint64(i-first))
	}
}

// countLost counts what a panic has left behind in a batch whose records are counted: those that wait, and alerts that were not collected.
func (c *recordCounts) countLost(b *batch, out *Outcome) {
	if !out.counted {
		return
	}
	var left []item
	for i := range b.items {
		switch it := &b.items[i]; {
		case it.kind == waiting:
			left = append(left, item{kind: Broken})
		case it.emit != nil:
			c.counts.Failed.Add(1)
		}
	}
	c.countKinds(&batch{items: left})
}

// countKinds adds the kinds of a batch to the counters, but for items that wait still.
func (c *recordCounts) countKinds(b *batch) {
	var kinds [several + 1]uint64
	var ways [rules.Evaluated + 1]uint64
	for i := range b.items {
		it := &b.items[i]
		kinds[it.kind]++
		if it.verdict != nil {
			ways[it.way]++
		}
		if it.partial != 0 {
			c.counts.Partial.Add(1)
		}
		if it.kind == Alert {
			c.meter.Alert(it.verdict, it.outcome)
		}
	}
	c.meter.AddWays(&ways)
	kinds[Broken] += b.unread
	if late := kinds[Late]; late > 0 {
		kinds[Skipped] += late
		c.logLate(late)
	}
	n := c.counts
	for i, counter := range [...]*atomic.Uint64{NotHTTP: &n.NotHTTP, Clean: &n.Clean, Alert: &n.Alerts, Broken: &n.Broken, Skipped: &n.Skipped} {
		if kinds[i] > 0 {
			counter.Add(kinds[i])
		}
	}
}

// logLate counts records that were not inspected, and logs it once.
func (c *recordCounts) logLate(n uint64) {
	if c.counts.Late.Add(n) > n {
		return
	}
	c.log.Safely(telemetry.LevelWarn, "records pass without inspection because "+c.late+"; they are counted")
}
