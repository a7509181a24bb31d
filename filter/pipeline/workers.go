package pipeline

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/recovery"
)

// A batch keeps to the thread of its call until that was busy for sequentialTime with items whose verdict was not cached, or has worked on
// sequentialItems: to wake another thread takes about as long. It uses the pool from the start when the batch before it took parallelTime.
const (
	sequentialTime  = 50 * time.Microsecond
	sequentialItems = 100
	parallelTime    = 6 * sequentialTime
)

// batchTime is how long the last batch of a filter was worked on, by all threads together, without cached verdicts.
type batchTime struct{ busy atomic.Int64 }

func (t *batchTime) set(busy time.Duration) { t.busy.Store(int64(busy)) }

func (t *batchTime) isLong() bool { return time.Duration(t.busy.Load()) >= parallelTime }

// workerPool works on the items of one batch: the thread of the call, and workers when there is much to do.
type workerPool struct {
	batch *batch
	work  func(*item, *scratch)
	next  atomic.Int64 // the first item that nobody has taken
	busy  atomic.Int64 // as in batchTime

	failure atomic.Pointer[failure] // of a worker

	mu     sync.Mutex
	closed bool // a worker that starts now is not needed
	active sync.WaitGroup
}

// failure is what a worker has panicked with.
type failure struct{ cause any }

// each calls work for all items, on all cores when that takes a while, and settles them. The order in which they are worked on is open.
func (b *batch) each(work func(*item, *scratch)) {
	b.parallel(work)
	b.settle(work)
}

func (b *batch) parallel(work func(*item, *scratch)) {
	s := b.scratch()
	defer b.release(s)
	done := 0
	if !b.lastTime.isLong() {
		done = b.sequential(work, s)
	}
	if done == len(b.items) {
		b.lastTime.set(s.busy)
		return
	}
	p := &workerPool{batch: b, work: work}
	p.next.Store(int64(done))
	p.startWorkers(min(runtime.GOMAXPROCS(0), len(b.items)-done) - 1)
	defer p.wait()
	p.run(s)
}

// startWorkers starts workers besides the thread of the call.
func (p *workerPool) startWorkers(n int) {
	if n < 1 {
		return
	}
	for range n {
		go p.worker()
	}
	// Go leaves the newest goroutine to the thread that made it, and others take it only after some 60 µs.
	go func() {}()
}

// sequential works on items one after the other until they are done or workers are to be started, and returns how many are done.
func (b *batch) sequential(work func(*item, *scratch), s *scratch) int {
	alone := runtime.GOMAXPROCS(0) < 2
	for i := range b.items {
		work(&b.items[i], s)
		if !alone && (s.busy > sequentialTime || i+1 == sequentialItems) {
			return i + 1
		}
	}
	return len(b.items)
}

func (p *workerPool) run(s *scratch) {
	for {
		i := int(p.next.Add(1)) - 1
		if i >= len(p.batch.items) {
			p.busy.Add(int64(s.busy))
			return
		}
		p.work(&p.batch.items[i], s)
	}
}

// worker works until all items are taken. It leaves the batch alone when the call has returned before it got to run. A panic is one of the
// call, which has to know, and recovers.
func (p *workerPool) worker() {
	if !p.join() {
		return
	}
	defer p.active.Done()
	recovery.Once(func(cause any, _ []byte) { p.failure.Store(&failure{cause}) }, func() {
		s := p.batch.scratch()
		defer p.batch.release(s)
		p.run(s)
	})
}

func (p *workerPool) join() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.active.Add(1)
	}
	return !p.closed
}

// wait waits for the workers that have joined, keeps others out, notes the time, and panics where a worker did.
func (p *workerPool) wait() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.active.Wait()
	p.batch.lastTime.set(time.Duration(p.busy.Load()))
	if f := p.failure.Load(); f != nil {
		panic(f.cause)
	}
}

// scratch returns the memory for one goroutine that works on the batch.
func (b *batch) scratch() *scratch {
	s := scratches.Get().(*scratch)
	s.rules, s.defers, s.busy = b.rules.Set, b.defers, 0
	s.budget.start(b.budget)
	s.sightings = newSightings(b.observer)
	return s
}

// release notes what a goroutine has spent of the budget, and puts its scratch back.
func (b *batch) release(s *scratch) {
	for spent := int64(s.budget.total); ; {
		longest := b.longest.Load()
		if spent <= longest || b.longest.CompareAndSwap(longest, spent) {
			break
		}
	}
	s.budget.charge(b.usage)
	if s.sightings != nil {
		b.mu.Lock()
		b.seen = append(b.seen, s.sightings)
		b.mu.Unlock()
		s.sightings = nil
	}
	s.putBack()
}
