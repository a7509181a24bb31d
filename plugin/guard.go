package main

import (
	"fmt"
	"runtime/debug"
	"sync/atomic"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
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
	if g.panics.Add(1) > 1 {
		return
	}
	g.log(filter.LevelError, fmt.Sprintf("%s: recovered from a panic, %s; the data passes unchanged, further ones are only counted",
		where, describe(cause)))
	g.log(filter.LevelDebug, string(debug.Stack()))
}

// describe names a panic without the contents of records: only the runtime's own messages are known to hold none.
func describe(cause any) string {
	if err, ok := cause.(interface{ RuntimeError() }); ok {
		return fmt.Sprint(err)
	}
	return fmt.Sprintf("a %T", cause)
}
