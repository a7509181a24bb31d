package filter

import (
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/fieldmap"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/logtime"
)

// Period is from when to when the transactions in one event took place, by the times that its records name. It is zero where they
// name none.
type Period struct{ First, Last time.Time }

// Periods returns one period for each event of a chunk. Nothing is inspected and nothing counted.
func (f *Filter) Periods(chunk []byte) []Period {
	b := f.getBatch(chunk, "")
	defer f.putBatch(b)
	periods := make([]Period, len(b.items))
	s := scratches.Get().(*scratch)
	defer s.putBack()
	for i := range b.items {
		it, p := &b.items[i], &periods[i]
		switch f.read(it, &s.values) {
		case fieldmap.NoMap:
		case fieldmap.Several:
			for _, body := range s.values.OwnRequests() {
				part := *it
				if part.event.Body = body; f.read(&part, &s.values) >= 0 {
					p.include(&s.values)
				}
			}
		default:
			p.include(&s.values)
		}
	}
	return periods
}

func (p *Period) include(values *fieldmap.Values) {
	at, ok := logtime.Parse(values.Get(fieldmap.Time), nil)
	if !ok {
		return
	}
	if p.First.IsZero() || at.Before(p.First) {
		p.First = at
	}
	if at.After(p.Last) {
		p.Last = at
	}
}
