package engine

import (
	"fmt"
	"io"
	"time"

	"github.com/corazawaf/coraza/v3/debuglog"
)

// Coraza has no hook around the evaluation of a rule, but writes to its debug log when one starts and ends. The loggers below
// listen to that and write nothing.
const (
	ruleStarts = "Evaluating rule"
	ruleEnds   = "Finished rule evaluation"
)

// ruleLog is the log of a profiled engine.
type ruleLog struct {
	silent
	profile *profile
}

func (l ruleLog) WithOutput(io.Writer) debuglog.Logger     { return l }
func (l ruleLog) WithLevel(debuglog.Level) debuglog.Logger { return l }
func (l ruleLog) With(f ...debuglog.ContextField) debuglog.Logger {
	var id ruleField
	for _, field := range f {
		field(&id)
	}
	if id.rule == 0 {
		return l
	}
	return &evaluation{silentEvent: silentEvent{true}, profile: l.profile, rule: id.rule}
}

// evaluation is the log of one rule while it is evaluated, on one goroutine, and each line of it. Chained rules use that of
// their first one.
type evaluation struct {
	silent
	silentEvent
	profile *profile
	rule    int
	depth   int // of the rules of a chain that have started
	start   time.Time
}

func (e *evaluation) WithOutput(io.Writer) debuglog.Logger          { return e }
func (e *evaluation) WithLevel(debuglog.Level) debuglog.Logger      { return e }
func (e *evaluation) With(...debuglog.ContextField) debuglog.Logger { return e }
func (e *evaluation) Debug() debuglog.Event                         { return e }

// Msg reads one line.
func (e *evaluation) Msg(text string) {
	switch text {
	case ruleStarts:
		if e.depth++; e.depth == 1 {
			e.start = time.Now()
		}
	case ruleEnds:
		if e.depth--; e.depth == 0 {
			e.profile.ran(e.rule, time.Since(e.start))
		}
	}
}

// ruleField takes the id of a rule from the fields of a logger.
type ruleField struct {
	silentEvent
	rule int
}

func (f *ruleField) Int(key string, i int) debuglog.Event {
	if key == "rule_id" {
		f.rule = i
	}
	return f
}

// silent are the methods of a logger that is asked for debug lines and writes none.
type silent struct{}

func (silent) Trace() debuglog.Event { return silentEvent{} }
func (silent) Debug() debuglog.Event { return silentEvent{true} }
func (silent) Info() debuglog.Event  { return silentEvent{} }
func (silent) Warn() debuglog.Event  { return silentEvent{} }
func (silent) Error() debuglog.Event { return silentEvent{} }

// silentEvent is a line that is not written.
type silentEvent struct{ enabled bool }

func (silentEvent) Msg(string)                                     {}
func (e silentEvent) Str(string, string) debuglog.Event            { return e }
func (e silentEvent) Err(error) debuglog.Event                     { return e }
func (e silentEvent) Bool(string, bool) debuglog.Event             { return e }
func (e silentEvent) Int(string, int) debuglog.Event               { return e }
func (e silentEvent) Uint(string, uint) debuglog.Event             { return e }
func (e silentEvent) Stringer(string, fmt.Stringer) debuglog.Event { return e }
func (e silentEvent) IsEnabled() bool                              { return e.enabled }
