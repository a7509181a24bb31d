package filter

import (
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/pipeline"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/telemetry"
)

// Names that users of a Filter need, from the packages that define them.
type (
	// Level is the importance of a log line, in Fluent Bit's numbers.
	Level = telemetry.Level
	// Logger writes one line to the host's log. It may be called from any goroutine.
	Logger = telemetry.Logger
	// Counts shows what became of all records of a filter.
	Counts = telemetry.Counts
	// SourceCount is how many records were read with a field map.
	SourceCount = telemetry.SourceCount

	// Outcome is what became of a chunk.
	Outcome = pipeline.Outcome
	// Emit is one alert as a record for another tag.
	Emit = pipeline.Emit
	// Producer is the program that has made an alert, and what it does about attacks.
	Producer = alert.Producer
	// Kind is what became of one record.
	Kind = pipeline.Kind
	// Finding is what the filter finds in one record.
	Finding = pipeline.Finding
	// Summary is what one line about an alert says.
	Summary = pipeline.Summary
)

// The levels of Fluent Bit's flb_log_print.
const (
	LevelError = telemetry.LevelError
	LevelWarn  = telemetry.LevelWarn
	LevelInfo  = telemetry.LevelInfo
	LevelDebug = telemetry.LevelDebug
)

// The kinds of records; every record is of exactly one.
const (
	NotHTTP = pipeline.NotHTTP
	Clean   = pipeline.Clean
	Alert   = pipeline.Alert
	Broken  = pipeline.Broken
	Skipped = pipeline.Skipped
	Late    = pipeline.Late
)
