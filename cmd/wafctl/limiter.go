package main

import (
	"sync"
	"time"
)

// limiter lets one thing through at a time.
type limiter struct {
	every time.Duration
	mu    sync.Mutex
	last  time.Time
	held  uint64
}

// may reports whether the next thing may pass, and how many were held back since the last that did.
func (l *limiter) may(now time.Time) (held uint64, may bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.last) < l.every {
		l.held++
		return 0, false
	}
	held, l.last, l.held = l.held, now, 0
	return held, true
}
