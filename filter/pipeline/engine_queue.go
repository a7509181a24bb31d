package pipeline

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/ruleset"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/recovery"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// hugeTransaction is the size in bytes from which the prefilter itself keeps a thread busy for long.
const hugeTransaction = 1 << 20

// A cold engine is slow: nothing is in the processor's caches yet, and other programs start at the same time. Until it has run for some
// records, among which may be the first attack that a new user tries, a chunk has more time, unless the operator has set it.
const (
	coldRuns   = 32 // of the engine
	coldBudget = time.Second
)

// timeBudget has chunks inspected within a budget.
type timeBudget struct {
	budget    time.Duration // for inspecting one chunk; 0 inspects everything
	isDefault bool          // the operator has not set it
	evaluator *evaluator
}

// next returns the time for inspecting the next chunk, 0 for any.
func (t *timeBudget) next() time.Duration {
	if t.budget > 0 && t.isDefault && t.evaluator.meter.Ways[rules.Evaluated].Load() < coldRuns {
		return max(t.budget, coldBudget)
	}
	return t.budget
}

// engineQueue has the engine evaluate the waiting items of one batch. It copies their events when it starts with them, because the chunk is
// gone when the call returns before the engine.
type engineQueue struct {
	evaluator *evaluator
	slots     *EngineSlots
	handler   *verdictHandler
	rules     *ruleset.InUse
	deadline  deadline
	jobs      []job
	done      chan *job // takes all jobs without waiting
	ended     chan struct{}

	mu          sync.Mutex
	quick       []*job // that nobody has taken
	slow        []*job
	slowWorkers int
	running     map[*job]*slot // jobs that the engine works on
	expired     bool
}

// job is one waiting item.
type job struct {
	at   int // in the batch
	item item
	err  error // why there can be no verdict

	sender      sender
	bytes       int           // of what rules look at
	isCopy      bool          // the item is a copy
	virtualTime time.Duration // of fair queueing: what its sender will have used of the engine by then
	started     time.Time     // when the engine has begun
	noWait      bool          // it runs only when there is a slot at once: its sender has used its fair share
}

// deadline is when inspection of a chunk ends. Making what rules need for their first values, which happens once, comes on
// top.
type deadline struct {
	end  time.Time
	set  *rules.Set
	made time.Duration // its MakingTime when the deadline was set
}

func deadlineOf(budget time.Duration, set *rules.Set) deadline {
	return deadline{time.Now().Add(budget), set, set.MakingTime()}
}

func (d deadline) left() time.Duration { return time.Until(d.end.Add(d.set.MakingTime() - d.made)) }

// evaluateWaiting has the engine evaluate the waiting items with what is left of the budget. Items without a verdict by then are late.
func (t *timeBudget) evaluateWaiting(b *batch, h *verdictHandler) {
	first := b.first(waiting)
	if first < 0 {
		return
	}
	q := &engineQueue{evaluator: t.evaluator, slots: t.evaluator.slots, handler: h, rules: b.rules}
	for i := first; i < len(b.items); i++ {
		if b.items[i].kind == waiting {
			it := &b.items[i]
			q.jobs = append(q.jobs, job{at: i, item: *it, sender: it.sender, bytes: it.pending.bytes})
		}
	}
	q.compile()
	q.deadline = deadlineOf(b.budget-time.Duration(b.longest.Load()), b.rules.Set) // compiling happens once, and is not inspection
	if !q.slots.areExhausted() {
		q.sort()
		q.run(b)
	}
	for i := range b.items {
		if b.items[i].kind == waiting {
			b.items[i].kind = Late
		}
	}
}

// first returns the place of the first item of a kind, -1 when there is none.
func (b *batch) first(kind Kind) int {
	for i := range b.items {
		if b.items[i].kind == kind {
			return i
		}
	}
	return -1
}

// compile compiles the forms of the rules that jobs need. A form that does not compile is an error of each job.
func (q *engineQueue) compile() {
	for i := range q.jobs {
		if c := &q.jobs[i].item.pending.rules; !c.Compiled() {
			if err := q.rules.Set.Compile(c); err != nil {
				q.jobs[i].err = err
			}
		}
	}
}

// copied returns a waiting item with an event of its own.
func (it *item) copied() item {
	event, _, _ := record.Next(append([]byte(nil), it.event.Raw...)) // it has been read before
	return item{event: event, input: it.input, sender: it.sender, kind: it.kind, source: it.source, marked: it.marked, pending: it.pending, columns: it.columns,
		inner: it.inner}
}

// sort puts quick jobs before slow ones, those of senders over their budget last, and queues senders fairly, those that have used little of the engine
// first: what one client sends in numbers waits behind what the others have sent.
func (q *engineQueue) sort() {
	now := time.Now()
	expected := map[sender]time.Duration{} // by the jobs so far
	for i := range q.jobs {
		j := &q.jobs[i]
		used, run := q.slots.usage.lookup(j.sender, j.bytes, now)
		j.virtualTime, j.noWait = used+expected[j.sender], used > fairShare
		expected[j.sender] += max(run, leastRun)
		if run > slowRun {
			q.slow = append(q.slow, j)
		} else {
			q.quick = append(q.quick, j)
		}
	}
	slices.SortStableFunc(q.quick, byVirtualTime)
	slices.SortStableFunc(q.slow, byVirtualTime)
}

func byVirtualTime(a, b *job) int {
	switch over := b.item.pending.overBudget; {
	case a.item.pending.overBudget == over:
		return cmp.Or(cmp.Compare(a.virtualTime, b.virtualTime), cmp.Compare(a.bytes, b.bytes))
	case over:
		return -1
	}
	return 1
}

// run starts the engine and takes what it has found until the deadline.
func (q *engineQueue) run(b *batch) {
	q.done, q.ended = make(chan *job, len(q.jobs)), make(chan struct{})
	q.running = map[*job]*slot{}
	for range min(len(q.quick), cap(q.slots.quick)) {
		go q.runWorker(q.nextQuick)
	}
	q.mu.Lock()
	q.startSlowWorkers()
	q.mu.Unlock()
	timer := time.NewTimer(q.deadline.left())
	defer timer.Stop()
	for taken := 0; taken < len(q.jobs); {
		select {
		case j := <-q.done:
			j.item.event = b.items[j.at].event // the copy is not needed any more
			b.items[j.at] = j.item
			taken++
		case <-timer.C:
			left := q.deadline.left()
			if left <= 0 {
				q.expire()
				return
			}
			timer.Reset(left)
		}
	}
}

// expire keeps jobs from starting, and marks running ones as overdue.
func (q *engineQueue) expire() {
	close(q.ended)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.expired = true
	for j, s := range q.running {
		s.markOverdue()
		q.slots.usage.charge(j.sender, j.bytes, time.Since(j.started), time.Now()) // its next records wait behind others at once
	}
}

// runWorker takes jobs until there are none, or the deadline has passed.
func (q *engineQueue) runWorker(next func() (*job, *slot)) {
	recovery.Once(q.evaluator.panics.Caught("inspection"), func() {
		for {
			j, s := next()
			if j == nil {
				return
			}
			if q.runJob(j, s) {
				q.done <- j
			}
		}
	})
}

// runJob evaluates a job, and reports whether it is done: one without a slot stays waiting, and is.
func (q *engineQueue) runJob(j *job, s *slot) (done bool) {
	if s == nil || !q.start(j, s) {
		return true
	}
	defer q.finish(j, s)
	return q.evaluate(j)
}

// nextQuick returns the next quick job and its slot.
func (q *engineQueue) nextQuick() (*job, *slot) {
	j := q.take(&q.quick)
	if j == nil {
		return nil, nil
	}
	return j, q.slots.acquire(q.slots.quick, q.ended)
}

// nextSlow returns the next slow job and its slot. A job that does not wait has none unless one is free.
func (q *engineQueue) nextSlow() (*job, *slot) {
	q.mu.Lock()
	if len(q.slow) == 0 {
		q.slowWorkers--
		q.mu.Unlock()
		return nil, nil
	}
	j := q.slow[0]
	q.slow = q.slow[1:]
	q.mu.Unlock()
	if j.noWait {
		return j, q.slots.tryAcquire(q.slots.slow)
	}
	return j, q.slots.acquire(q.slots.slow, q.ended)
}

func (q *engineQueue) take(from *[]*job) *job {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(*from) == 0 {
		return nil
	}
	j := (*from)[0]
	*from = (*from)[1:]
	return j
}

// startSlowWorkers starts as many workers as there are slow jobs and slots. The lock is held.
func (q *engineQueue) startSlowWorkers() {
	for q.slowWorkers < min(len(q.slow), cap(q.slots.slow)) {
		q.slowWorkers++
		go q.runWorker(q.nextSlow)
	}
}

// evaluate evaluates a job, and reports whether it is done. A large one that the prefilter cannot decide becomes a slow one.
func (q *engineQueue) evaluate(j *job) (done bool) {
	q.slots.measure(j.sender, j.bytes, q.rules.Set, func() { done = q.evaluator.evaluateCopy(j, q.rules.Set, q.handler) })
	if done {
		return true
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.slow = append(q.slow, j)
	q.startSlowWorkers()
	return false
}

// start makes a copy of a job's item, and reports false when the call has returned.
func (q *engineQueue) start(j *job, s *slot) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.expired {
		s.release()
		return false
	}
	if !j.isCopy {
		j.item, j.isCopy = j.item.copied(), true
	}
	q.running[j], j.started = s, time.Now()
	q.rules.Share() // the call that waits uses them, too
	return true
}

func (q *engineQueue) finish(j *job, s *slot) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.running[j] == s { // not the slot of the slow run that has followed
		delete(q.running, j)
	}
	s.release()
	q.rules.Done()
}
