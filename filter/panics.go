package filter

import (
	"fmt"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/recovery"
)

// Caught returns what counts a panic in a goroutine of the filter, or of the program around it, and logs the first.
func (f *Filter) Caught(where string) recovery.Caught {
	return func(cause any, stack []byte) {
		if f.counts.panics.Add(1) == 1 {
			f.logSafely(LevelError, f.config.redactor.Line(fmt.Sprintf("%s: recovered from a panic, %s; further ones are only counted\n%s", where,
				recovery.Describe(cause), stack)))
		}
	}
}

// logSafely logs what has gone wrong. A panic of the host's log must not make it worse.
func (f *Filter) logSafely(level Level, line string) {
	defer func() { _ = recover() }()
	f.log(level, line)
}
