package cli

import (
	"sync"
	"time"
)

// Limiter lets one thing through at a time.
type Limiter struct {
	Every time.Duration
	mu    sync.Mutex
	Last  time.Time
	held  uint64
}

// May reports whether the next thing may pass, and how many were held back since the last that did.
func (l *Limiter) May(now time.Time) (held uint64, may bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.Last) < l.Every {
		l.held++
		return 0, false
	}
	held, l.Last, l.held = l.held, now, 0
	return held, true
}
