package filter

import (
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/fieldmap"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/logtime"
)

// Period is from when to when the transactions in one event took place, by the times that its records name. It is zero where they
// name none.
type Period struct{ First, Last time.Time }

// Periods returns one period for each event of a chunk. Nothing is inspected and nothing counted.
func (f *Filter) Periods(chunk []byte) (periods []Period) {
	var values fieldmap.Values
	for len(chunk) > 0 {
		event, rest, err := record.Next(chunk)
		if err != nil {
			return periods
		}
		chunk = rest
		periods = append(periods, f.period(&event, &values))
	}
	return periods
}

func (f *Filter) period(event *record.Event, values *fieldmap.Values) (p Period) {
	switch f.maps.Read(event.Meta, event.Body, values) {
	case fieldmap.NoMap:
	case fieldmap.Several:
		for _, body := range values.OwnRequests() {
			if f.maps.Read(event.Meta, body, values) >= 0 {
				p.include(values)
			}
		}
	default:
		p.include(values)
	}
	return p
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
