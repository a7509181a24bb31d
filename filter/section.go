package filter

import (
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/incident/digest"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/pipeline"
)

// Section digests the records of a span of a stream, apart from others: who reads the span again makes the same digest of it. It is for one
// goroutine.
type Section = pipeline.Section

// Span names the records of a section.
type Span = digest.Span

// NewSection returns an empty section, nil where the filter sends no digests.
func (f *Filter) NewSection() *Section { return f.pipeline.NewSection() }

// ProcessIn is Process for records that a section digests, or for nil as for others.
func (f *Filter) ProcessIn(section *Section, chunk []byte, tag string, out *Outcome) {
	f.pipeline.ProcessIn(section, chunk, tag, out)
}

// DigestEvery returns how much time digests sum up, where the filter sends some.
func (f *Filter) DigestEvery() time.Duration { return f.pipeline.DigestEvery() }

// Digests returns how many digests the filter got, with those that had come before.
func (f *Filter) Digests() uint64 { return f.pipeline.Digests() }

// HoldState has SaveState alone save what incident_state keeps, so that it goes together with what the host has delivered. It reports whether
// there is something to save.
func (f *Filter) HoldState() bool { return f.pipeline.HoldState() }

// SaveState saves what incident_state keeps, and reports whether it could.
func (f *Filter) SaveState() bool { return f.pipeline.SaveState() }
