package main

import "sync"

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
}

// queue gives out the next turn.
func (t *turns) queue() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last++
	return t.last
}

// take starts the work when its turn has come, and ends the turn with the work's answer. Until then it returns notYet. prepare
// is called once, by the take that starts the work.
func (t *turns) take(turn uint64, prepare func() func() int) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if turn != t.serving+1 {
		return notYet
	}
	if !t.started {
		t.started, t.answer = true, notYet
		work := prepare()
		t.running.Go(func() {
			answer := work()
			t.mu.Lock()
			defer t.mu.Unlock()
			t.answer = answer
		})
		return notYet
	}
	if t.answer != notYet {
		t.serving++
		t.started = false
	}
	return t.answer
}

// waiting returns how many turns are not over.
func (t *turns) waiting() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return int(t.last - t.serving)
}

// wait returns when no work is under way.
func (t *turns) wait() { t.running.Wait() }
