package main

import (
	"sync"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/recovery"
)

// notYet is the answer of work that is not done; the numbers of fluent-bit-go are not negative.
const notYet = -1

// turns runs one piece of work after the other, in the order in which they queued, on goroutines of their own. Nobody has to
// wait for the answer: take is called again and again until it is there. Its zero value is ready for use.
type turns struct {
	mu      sync.Mutex
	last    uint64 // turn that was given out last
	serving uint64 // turns that are over
	started bool   // the next turn's work is under way or done
	answer  int
	running sync.WaitGroup

	caught recovery.Caught // gets the panics of work
	failed int             // the answer of work that panics
}

// queue gives out the next turn.
func (t *turns) queue() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last++
	return t.last
}

// take starts the work when its turn has come, and ends the turn with the work's answer. Until then it returns notYet. prepare
// is called once, by the take that starts the work. A panic of either ends the turn as well: others wait for it.
func (t *turns) take(turn uint64, prepare func() func() int) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if turn != t.serving+1 {
		return notYet
	}
	if !t.started {
		t.start(prepare)
		return notYet
	}
	if t.answer != notYet {
		t.serving++
		t.started = false
	}
	return t.answer
}

// start starts the work of the current turn. Where that cannot be prepared the turn is over.
func (t *turns) start(prepare func() func() int) {
	defer func() {
		if !t.started {
			t.serving++
		}
	}()
	work := prepare()
	t.started, t.answer = true, notYet
	t.running.Go(func() {
		answer := t.failed
		defer func() {
			t.mu.Lock()
			defer t.mu.Unlock()
			t.answer = answer
		}()
		recovery.Once(t.caught, func() { answer = work() })
	})
}

// waiting returns how many turns are not over.
func (t *turns) waiting() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return int(t.last - t.serving)
}

// wait returns when no work is under way.
func (t *turns) wait() { t.running.Wait() }
