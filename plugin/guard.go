package main

import (
	"fmt"
	"runtime/debug"
	"sync/atomic"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/recovery"
)

// guard counts the panics that were stopped at the border to C. The chunk that was being worked on passes unchanged.
type guard struct {
	log    filter.Logger
	panics atomic.Int64
}

// recovered is to be deferred by every function that C calls; failed tells the host that the call came to nothing.
func (g *guard) recovered(where string, failed func()) {
	cause := recover()
	if cause == nil {
		return
	}
	failed()
	g.caught(where)(cause, debug.Stack())
}

// caught returns what counts a panic and logs the first.
func (g *guard) caught(where string) recovery.Caught {
	return func(cause any, stack []byte) {
		if g.panics.Add(1) > 1 {
			return
		}
		g.log(filter.LevelError, fmt.Sprintf("%s: recovered from a panic, %s; the data passes unchanged, further ones are only counted",
			where, recovery.Describe(cause)))
		g.log(filter.LevelDebug, string(stack))
	}
}
