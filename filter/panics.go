package filter

import (
	"fmt"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/recovery"
)

// Caught returns what counts a panic in a goroutine of the filter, or of the program around it, and logs the first.
func (f *Filter) Caught(where string) recovery.Caught {
	return func(cause any, stack []byte) {
		if f.counts.panics.Add(1) == 1 {
			f.log(LevelError, f.config.redactor.Line(fmt.Sprintf("%s: recovered from a panic, %s; further ones are only counted\n%s", where,
				recovery.Describe(cause), stack)))
		}
	}
}
