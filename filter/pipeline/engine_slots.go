package pipeline

import (
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// EngineSlots bounds how many transactions the engine evaluates at a time for calls with a deadline. All pipelines of a process share them. A run that takes
// longer than its call goes on, since nothing can end it, and must not keep cores or slots from others: runs that are known to be slow have
// slots of their own, half as many as there are cores, and a run that turns out to be slow gives its slot up.
type EngineSlots struct {
	usage senderUsage
	quick chan struct{}
	slow  chan struct{}

	// Runs for requests that wait for their verdict, large ones apart: these take long, and must not keep others from theirs. A run that
	// outlives its call keeps its slot, so that requests that take forever use up slots and not the machine.
	requests      chan struct{}
	largeRequests chan struct{}

	mu       sync.Mutex
	overdue  int // runs that go on after their call, with or without a slot
	released int // overdue runs that have given their slot up
	held     int // overdue runs in quick slots
}

// NewEngineSlots returns slots for as many runs as there are cores.
func NewEngineSlots() *EngineSlots { return newEngineSlots(runtime.GOMAXPROCS(0)) }

func newEngineSlots(cores int) *EngineSlots {
	return &EngineSlots{
		quick: make(chan struct{}, cores), slow: make(chan struct{}, max(1, cores/2)),
		requests: make(chan struct{}, 4*cores), largeRequests: make(chan struct{}, cores),
	}
}

// mustQueue reports whether a record waits behind others: a large one, or one of a sender whose records take long. With strict it also
// waits when its sender has used its fair share.
func (e *EngineSlots) mustQueue(bytes int, from sender, strict bool) bool {
	if bytes > rules.LargeTransaction {
		return true
	}
	used, run := e.usage.lookup(from, bytes, time.Now())
	return run > slowRun || strict && used > fairShare
}

// slot is the right of one run to use the engine.
type slot struct {
	slots *EngineSlots
	pool  chan struct{} // nil when the run has given its slot up

	overdue bool
	held    bool
}

// acquire waits for a slot until a channel is closed. It returns nil when there was none until then.
func (e *EngineSlots) acquire(pool, ended chan struct{}) *slot {
	select {
	case pool <- struct{}{}:
		return &slot{slots: e, pool: pool}
	case <-ended:
		return nil
	}
}

// tryAcquire is acquire without waiting.
func (e *EngineSlots) tryAcquire(pool chan struct{}) *slot {
	select {
	case pool <- struct{}{}:
		return &slot{slots: e, pool: pool}
	default:
		return nil
	}
}

// markOverdue notes that a run goes on after its call. A quick run gives its slot up, unless too many have: each uses one of the cores that
// are left.
func (s *slot) markOverdue() {
	e := s.slots
	e.mu.Lock()
	defer e.mu.Unlock()
	s.overdue = true
	e.overdue++
	switch {
	case s.pool != e.quick:
	case e.released < 2*cap(e.quick):
		<-s.pool
		s.pool = nil
		e.released++
	default:
		s.held = true
		e.held++
	}
}

// release ends a run.
func (s *slot) release() {
	e := s.slots
	e.mu.Lock()
	defer e.mu.Unlock()
	if s.overdue {
		e.overdue--
	}
	if s.held {
		e.held--
	}
	if s.pool != nil {
		<-s.pool
	} else {
		e.released--
	}
}

// areExhausted reports whether overdue runs have all quick slots.
func (e *EngineSlots) areExhausted() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.held == cap(e.quick)
}

// overdueRuns returns how many runs go on after their calls.
func (e *EngineSlots) overdueRuns() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.overdue
}

// HasOverdueRuns reports whether runs of the engine go on after their calls. They use rules, and nothing can end them.
func (e *EngineSlots) HasOverdueRuns() bool { return e.overdueRuns() > 0 }

// measure runs a function on a thread of its own and charges a sender with the processor time that it takes: on a busy machine the clock
// goes on while others run.
func (e *EngineSlots) measure(from sender, bytes int, set *rules.Set, run func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	begin, made := threadTime(), set.MakingTime()
	defer func() {
		took := threadTime() - begin - (set.MakingTime() - made) // what rules need for their first values is nobody's fault
		e.usage.charge(from, bytes, max(0, took), time.Now())
	}()
	run()
}

// threadTime returns the processor time of the thread.
func threadTime() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t) != nil {
		return 0 // cannot be: every Linux has this clock
	}
	return time.Duration(t.Nano())
}
