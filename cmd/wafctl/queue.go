package main

import (
	"sync"
)

// queue holds received records until the filter takes them: all that are there at once, so that chunks grow with the load
// and the filter has enough for all cores. Sources wait while it is full.
type queue struct {
	mu      sync.Mutex
	changed sync.Cond // on every change of the fields below
	chunk   []byte
	closed  bool
}

// queueLimit is the size in bytes from which sources wait.
const queueLimit = 4 << 20

func newQueue() *queue {
	q := &queue{}
	q.changed.L = &q.mu
	return q
}

// put adds whole events.
func (q *queue) put(events []byte) {
	if len(events) == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.chunk) >= queueLimit {
		q.changed.Wait()
	}
	q.chunk = append(q.chunk, events...)
	q.changed.Broadcast()
}

// take waits for events and returns all that are there; empty becomes the memory for the next ones. It reports false once
// the queue is closed and empty.
func (q *queue) take(empty []byte) (chunk []byte, more bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.chunk) == 0 && !q.closed {
		q.changed.Wait()
	}
	chunk, q.chunk = q.chunk, empty[:0]
	q.changed.Broadcast()
	return chunk, len(chunk) > 0
}

// close says that no more events come.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.changed.Broadcast()
}
