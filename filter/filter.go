// Package filter is the pipeline without Fluent Bit: a chunk of records goes in, each HTTP record becomes a transaction, the
// rules give a verdict, and the chunk comes out with the verdict written where the operator wants it.
package filter

import (
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

// Level is the importance of a log line, in Fluent Bit's numbers.
type Level int

// The levels of Fluent Bit's flb_log_print.
const (
	LevelError Level = 1
	LevelWarn  Level = 2
	LevelInfo  Level = 3
	LevelDebug Level = 4
)

// Logger writes one line to the host's log. It may be called from any goroutine.
type Logger func(level Level, line string)

// Filter evaluates chunks with one configuration. Its methods may be called from several threads at once.
type Filter struct{}

// Emit is one record for another tag.
type Emit struct {
	Tag   string
	Event []byte // one msgpack event, [[timestamp, metadata], body]
}

// Outcome is what became of a chunk. Its memory belongs to the Outcome and is reused by the next Process with it.
type Outcome struct {
	Changed bool   // Data replaces the chunk; when false the chunk continues as it is
	Data    []byte // the changed chunk; empty when all of its records are dropped
	Emits   []Emit // alerts for the emit tag, in record order
}

// Properties are all settings of the filter in the order in which help lists them.
func Properties() []setting.Property { return nil }

// New returns a filter, or all problems of its configuration as one error.
func New(get setting.Getter, log Logger) (*Filter, error) { return nil, nil }

// Process evaluates one chunk of msgpack events that arrived under a tag. It never fails: what cannot be evaluated
// continues as it came and is counted. The chunk is borrowed for the call.
func (f *Filter) Process(chunk []byte, tag string, out *Outcome) {}

// EmitFailed counts an alert that the host did not take.
func (f *Filter) EmitFailed() {}

// Close releases the rules. The Filter must not be used after it.
func (f *Filter) Close() {}
