// Package recovery keeps a panic in a goroutine from ending the process, which belongs to the host. Every goroutine
// starts with [Once] or [Loop], or defers a recovery of its own. A test of this package looks at each go statement of
// the repository.
package recovery

import (
	"fmt"
	"runtime/debug"
	"time"
)

// Caught counts and logs a panic. It is called on the goroutine that panicked, with the stack as it was then.
type Caught func(cause any, stack []byte)

// After a panic, Loop waits before it calls its work again, longer each time unless the work ran for a while in between: work that
// always panics must cost next to nothing.
const (
	shortestPause = 10 * time.Millisecond
	longestPause  = time.Second
)

// Once calls work, and reports whether it returned. A panic ends the work and is given to caught.
func Once(caught Caught, work func()) (returned bool) {
	defer func() {
		if cause := recover(); cause != nil {
			report(caught, cause)
		}
	}()
	work()
	return true
}

// Loop calls work again after each panic until it returns, or stop is closed. A nil stop never is.
func Loop(stop <-chan struct{}, caught Caught, work func()) {
	for pause := shortestPause; ; pause = min(2*pause, longestPause) {
		start := time.Now()
		if Once(caught, work) {
			return
		}
		if time.Since(start) > longestPause {
			pause = shortestPause
		}
		select {
		case <-stop:
			return
		case <-time.After(pause):
		}
	}
}

// report hands a panic over. What it is handed to may be what panicked.
func report(caught Caught, cause any) {
	defer func() { _ = recover() }()
	caught(cause, debug.Stack())
}

// Describe names a panic without the contents of records: only the runtime's own messages are known to hold none.
func Describe(cause any) string {
	if err, ok := cause.(interface{ RuntimeError() }); ok {
		return fmt.Sprint(err)
	}
	return fmt.Sprintf("a %T", cause)
}
