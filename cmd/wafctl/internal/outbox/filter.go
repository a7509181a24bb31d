package outbox

import (
	"bytes"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/delivery"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/recovery"
)

// Messages copies alerts out of the filter's memory.
func Messages(emits []filter.Emit) []delivery.Message {
	all := make([]delivery.Message, 0, len(emits))
	for i := range emits {
		m := emits[i].Message()
		m.Record = bytes.Clone(m.Record)
		all = append(all, m)
	}
	return all
}

// Stats returns what has become of alerts at each destination.
func Stats(all []*Outbox) (stats []delivery.Stats) {
	for _, o := range all {
		stats = append(stats, o.Stats())
	}
	return stats
}

// SendDue sends what becomes ready in a filter beside records, such as summaries of suppressed alerts, until ending is closed, and then what
// is left. A panic of one attempt does not keep others.
func SendDue(f *filter.Filter, ending <-chan struct{}, send func(ready func() []filter.Emit)) {
	caught := f.Caught("summaries")
	recovery.Loop(ending, caught, func() {
		ticks := time.NewTicker(time.Second)
		defer ticks.Stop()
		for {
			select {
			case <-ticks.C:
				send(func() []filter.Emit { return f.Due(nil) })
			case <-ending:
				return
			}
		}
	})
	recovery.Once(caught, func() { send(f.Left) })
}
