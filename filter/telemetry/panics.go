package telemetry

import (
	"fmt"
	"sync/atomic"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/redact"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/recovery"
)

// Panics counts what a filter and the program around it recover from, and logs the first, without secrets.
type Panics struct {
	count    *atomic.Uint64
	log      Logger
	redactor *redact.Redactor
	border   atomic.Pointer[func() int64] // counts panics outside the filter
}

func NewPanics(c *Counters, log Logger, redactor *redact.Redactor) *Panics {
	return &Panics{count: &c.panics, log: log, redactor: redactor}
}

// Caught returns what counts a panic in a goroutine of the filter, or of the program around it, and logs the first.
func (p *Panics) Caught(where string) recovery.Caught {
	return func(cause any, stack []byte) {
		p.Add(func() string {
			return fmt.Sprintf("%s: recovered from a panic, %s; further ones are only counted\n%s", where, recovery.Describe(cause), stack)
		})
	}
}

// Add counts a panic, and logs a line about the first.
func (p *Panics) Add(line func() string) {
	if p.count.Add(1) == 1 {
		p.log.Safely(LevelError, p.redactor.Line(line()))
	}
}

// MeasureBorder has a function count the panics that the host's border has caught.
func (p *Panics) MeasureBorder(caught func() int64) { p.border.Store(&caught) }

// all returns how many were caught, by the filter and at the border to its host.
func (p *Panics) all() uint64 {
	n := p.count.Load()
	if border := p.border.Load(); border != nil {
		n += uint64((*border)())
	}
	return n
}
