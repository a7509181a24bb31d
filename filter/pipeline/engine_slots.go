package pipeline

import (
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// engineRuns bounds how many transactions the engine judges at a time for calls with a deadline, in the whole process. A run that takes
// longer than its call goes on, since nothing can end it, and must keep neither its share of the machine nor its place from others: runs of
// which it is known that they take long have places of their own, half as many as there are cores, and a run that turns out to take long
// gives its place up.
type engineRuns struct {
	shares shares
	quick  chan struct{}
	slow   chan struct{}

	mu      sync.Mutex
	overdue int // runs that go on after their call, in whichever place
	without int // those of them that have given their place up
	held    int // those of them that are in quick places
}

var runs = newEngineRuns(runtime.GOMAXPROCS(0))

func newEngineRuns(cores int) *engineRuns {
	return &engineRuns{quick: make(chan struct{}, cores), slow: make(chan struct{}, max(1, cores/2))}
}

// takesLong reports whether a record is to wait behind others: a large one, or one of a sender whose records take long. With strict it also
// waits when its sender has had its share.
func (r *engineRuns) takesLong(bytes int, from sender, strict bool) bool {
	if bytes > largeTransaction {
		return true
	}
	used, run := r.shares.of(from, bytes, time.Now())
	return run > slowRun || strict && used > fairShare
}

// place is what a run holds of the machine.
type place struct {
	runs *engineRuns
	of   chan struct{} // nil when it has given its place up

	overdue bool
	held    bool
}

// get waits for a place until a channel is closed. It returns nil when there was none until then.
func (r *engineRuns) get(of, ended chan struct{}) *place {
	select {
	case of <- struct{}{}:
		return &place{runs: r, of: of}
	case <-ended:
		return nil
	}
}

// try is get without waiting.
func (r *engineRuns) try(of chan struct{}) *place {
	select {
	case of <- struct{}{}:
		return &place{runs: r, of: of}
	default:
		return nil
	}
}

// outlive notes that a run goes on after its call. A quick one gives its place up, unless too many have: each takes from the cores that are
// left.
func (p *place) outlive() {
	r := p.runs
	r.mu.Lock()
	defer r.mu.Unlock()
	p.overdue = true
	r.overdue++
	switch {
	case p.of != r.quick:
	case r.without < 2*cap(r.quick):
		<-p.of
		p.of = nil
		r.without++
	default:
		p.held = true
		r.held++
	}
}

// leave ends a run.
func (p *place) leave() {
	r := p.runs
	r.mu.Lock()
	defer r.mu.Unlock()
	if p.overdue {
		r.overdue--
	}
	if p.held {
		r.held--
	}
	if p.of != nil {
		<-p.of
	} else {
		r.without--
	}
}

// isStuck reports whether runs that go on after their calls have all quick places.
func (r *engineRuns) isStuck() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.held == cap(r.quick)
}

// late returns how many runs go on after their calls.
func (r *engineRuns) late() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.overdue
}

// EngineRunsOn reports whether runs go on after their calls. They use rules, and nothing can end them.
func EngineRunsOn() bool { return runs.late() > 0 }

// timed runs a function on a thread of its own and charges a sender with the time that it takes of the processor: on a busy machine the
// clock goes on while others run.
func (r *engineRuns) timed(from sender, bytes int, run func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	begin, made := threadTime(), rules.MakingTime()
	defer func() {
		took := threadTime() - begin - (rules.MakingTime() - made) // what rules need for their first values is nobody's fault
		r.shares.charge(from, bytes, max(0, took), time.Now())
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
