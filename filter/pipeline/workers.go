package pipeline

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/recovery"
)

// A batch keeps to the thread of its call until that was busy for soloTime with items whose outcome was not remembered, or has looked at
// soloItems: to wake another thread takes about as long. It has help from the start when the batch before it took crewTime.
const (
	soloTime  = 50 * time.Microsecond
	soloItems = 100
	crewTime  = 6 * soloTime
)

// pace is how long the last batch of a filter was worked on, by all threads together, without what was remembered.
type pace struct{ busy atomic.Int64 }

func (p *pace) set(busy time.Duration) { p.busy.Store(int64(busy)) }

func (p *pace) slow() bool { return time.Duration(p.busy.Load()) >= crewTime }

// crew works on the items of one batch: the thread of the call, and helpers when there is much to do.
type crew struct {
	batch *batch
	work  func(*item, *scratch)
	next  atomic.Int64 // the first item that nobody has taken
	busy  atomic.Int64 // as in pace

	failure atomic.Pointer[failure] // of a helper

	mu     sync.Mutex
	closed bool // a helper that comes now is not needed
	inside sync.WaitGroup
}

// failure is what a helper has panicked with.
type failure struct{ cause any }

// each calls work for all items, on all cores when that takes a while, and settles them. The order in which they are worked on is open.
func (b *batch) each(work func(*item, *scratch)) {
	b.spread(work)
	b.settle(work)
}

func (b *batch) spread(work func(*item, *scratch)) {
	s := b.scratch()
	defer b.release(s)
	done := 0
	if !b.pace.slow() {
		done = b.solo(work, s)
	}
	if done == len(b.items) {
		b.pace.set(s.busy)
		return
	}
	c := &crew{batch: b, work: work}
	c.next.Store(int64(done))
	c.call(min(runtime.GOMAXPROCS(0), len(b.items)-done) - 1)
	defer c.close()
	c.run(s)
}

// call has others help.
func (c *crew) call(helpers int) {
	if helpers < 1 {
		return
	}
	for range helpers {
		go c.help()
	}
	// Go leaves the newest goroutine to the thread that made it, and others take it only after some 60 µs.
	go func() {}()
}

// solo works on items one after the other until they are done or others are to help, and returns how many are done.
func (b *batch) solo(work func(*item, *scratch), s *scratch) int {
	alone := runtime.GOMAXPROCS(0) < 2
	for i := range b.items {
		work(&b.items[i], s)
		if !alone && (s.busy > soloTime || i+1 == soloItems) {
			return i + 1
		}
	}
	return len(b.items)
}

func (c *crew) run(s *scratch) {
	for {
		i := int(c.next.Add(1)) - 1
		if i >= len(c.batch.items) {
			c.busy.Add(int64(s.busy))
			return
		}
		c.work(&c.batch.items[i], s)
	}
}

// help works until all items are taken. It leaves the batch alone when the call has returned before it got to run. A panic is one of the
// call, which has to know, and recovers.
func (c *crew) help() {
	if !c.enter() {
		return
	}
	defer c.inside.Done()
	recovery.Once(func(cause any, _ []byte) { c.failure.Store(&failure{cause}) }, func() {
		s := c.batch.scratch()
		defer c.batch.release(s)
		c.run(s)
	})
}

func (c *crew) enter() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.inside.Add(1)
	}
	return !c.closed
}

// close waits for the helpers that are inside, keeps others out, notes the pace, and panics where a helper did.
func (c *crew) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.inside.Wait()
	c.batch.pace.set(time.Duration(c.busy.Load()))
	if f := c.failure.Load(); f != nil {
		panic(f.cause)
	}
}

// scratch returns the memory for one goroutine that works on the batch.
func (b *batch) scratch() *scratch {
	s := scratches.Get().(*scratch)
	s.rules, s.defers, s.busy = b.rules.Set, b.defers, 0
	s.spending.start(b.budget)
	return s
}

// release notes what a goroutine has spent of the budget, and puts its scratch back.
func (b *batch) release(s *scratch) {
	for spent := int64(s.spending.total); ; {
		longest := b.longest.Load()
		if spent <= longest || b.longest.CompareAndSwap(longest, spent) {
			break
		}
	}
	s.spending.charge(&runs.shares)
	s.putBack()
}
