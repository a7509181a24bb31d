package main

import (
	"sync"
	"time"
)

// tellEvery bounds how often failed deliveries are written to the log: Fluent Bit's own lines tell of each retry.
const tellEvery = 10 * time.Second

// limiter lets an event through every so often and counts the others. Its zero value is ready for use.
type limiter struct {
	mu   sync.Mutex
	told time.Time
	held int
}

// may reports whether the event may be told now, and how many there were since the last that was, itself included.
func (l *limiter) may() (events int, now bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held++
	if time.Since(l.told) < tellEvery {
		return 0, false
	}
	events = l.held
	l.told, l.held = time.Now(), 0
	return events, true
}
