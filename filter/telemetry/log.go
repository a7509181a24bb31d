package telemetry

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

// Safely logs what has gone wrong. A panic of the host's log must not make it worse.
func (log Logger) Safely(level Level, line string) {
	defer func() { _ = recover() }()
	log(level, line)
}
