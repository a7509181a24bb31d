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

// largeTransaction is the size in bytes from which even the gate may take milliseconds.
const largeTransaction = 16 << 10

// hugeTransaction is the size in bytes from which the gate itself keeps a thread busy for long.
const hugeTransaction = 1 << 20

// A cold engine is slow: nothing is in the processor's caches yet, and other programs start at the same time. Until it has run for some
// records, among which may be the first attack that a new user tries, a chunk has more time, unless the operator has set it.
const (
	coldRuns   = 32 // of the engine
	coldBudget = time.Second
)

// deadline has chunks inspected within a budget.
type deadline struct {
	budget    time.Duration // for inspecting one chunk; 0 inspects everything
	isDefault bool          // the operator has not set it
	evaluator *evaluator
}

// next returns the time for inspecting the next chunk, 0 for any.
func (l *deadline) next() time.Duration {
	if l.budget > 0 && l.isDefault && l.evaluator.meter.Ways[rules.Evaluated].Load() < coldRuns {
		return max(l.budget, coldBudget)
	}
	return l.budget
}

func size(t *rules.Transaction) int {
	return len(t.URI) + len(t.RequestBody) + len(t.ResponseBody)
}

// round is the work of the engine for the waiting items of one batch. It copies their events when it begins with them, because the chunk is
// gone when the call returns before the engine.
type round struct {
	evaluator *evaluator
	demand    *demand
	rules     *ruleset.InUse
	limit     limit
	jobs      []job
	done      chan *job // takes all jobs without waiting
	ended     chan struct{}

	mu      sync.Mutex
	quick   []*job // that nobody has taken
	slow    []*job
	working int             // on the slow ones
	running map[*job]*place // jobs that the engine is at
	over    bool
}

// job is one waiting item.
type job struct {
	at   int // in the batch
	item item
	err  error // why there can be no verdict

	sender sender
	bytes  int           // of what rules look at
	own    bool          // the item is a copy
	turn   time.Duration // what its sender will have used of the engine
	begun  time.Time     // when the engine has begun
	alone  bool          // it runs only when there is a place at once: its sender has had its share
}

// limit is until when inspection may take its time. Making what rules need for their first values, which happens once, comes on
// top.
type limit struct {
	end  time.Time
	made time.Duration // rules.MakingTime when the limit was set
}

func limitOf(budget time.Duration) limit { return limit{time.Now().Add(budget), rules.MakingTime()} }

func (l limit) left() time.Duration { return time.Until(l.end.Add(rules.MakingTime() - l.made)) }

// judgeWaiting has the engine judge the waiting items with what is left of the budget. Those that are not judged by then are late.
func (l *deadline) judgeWaiting(b *batch, d *demand) {
	first := b.first(waiting)
	if first < 0 {
		return
	}
	r := &round{evaluator: l.evaluator, demand: d, rules: b.rules}
	for i := first; i < len(b.items); i++ {
		if b.items[i].kind == waiting {
			it := &b.items[i]
			r.jobs = append(r.jobs, job{at: i, item: *it, sender: it.sender, bytes: it.pending.bytes})
		}
	}
	r.compile()
	r.limit = limitOf(b.budget - time.Duration(b.longest.Load())) // compiling happens once, and is not inspection
	if !runs.isStuck() {
		r.sort()
		r.run(b)
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
func (r *round) compile() {
	for i := range r.jobs {
		if c := &r.jobs[i].item.pending.rules; !c.Compiled() {
			if err := r.rules.Set.Compile(c); err != nil {
				r.jobs[i].err = err
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

// sort puts quick jobs before slow ones, those of senders that are behind last, and has senders take turns, those that have used little of the engine
// first: what one client sends in numbers waits behind what the others have sent.
func (r *round) sort() {
	now := time.Now()
	expected := map[sender]time.Duration{} // of the jobs so far
	for i := range r.jobs {
		j := &r.jobs[i]
		used, run := runs.shares.of(j.sender, j.bytes, now)
		j.turn, j.alone = used+expected[j.sender], used > fairShare
		expected[j.sender] += max(run, leastRun)
		if run > slowRun {
			r.slow = append(r.slow, j)
		} else {
			r.quick = append(r.quick, j)
		}
	}
	slices.SortStableFunc(r.quick, byTurn)
	slices.SortStableFunc(r.slow, byTurn)
}

func byTurn(a, b *job) int {
	switch behind := b.item.pending.behind; {
	case a.item.pending.behind == behind:
		return cmp.Or(cmp.Compare(a.turn, b.turn), cmp.Compare(a.bytes, b.bytes))
	case behind:
		return -1
	}
	return 1
}

// run starts the engine and takes what it has found until the deadline.
func (r *round) run(b *batch) {
	r.done, r.ended = make(chan *job, len(r.jobs)), make(chan struct{})
	r.running = map[*job]*place{}
	for range min(len(r.quick), cap(runs.quick)) {
		go r.work(r.nextQuick)
	}
	r.mu.Lock()
	r.helpSlow()
	r.mu.Unlock()
	timer := time.NewTimer(r.limit.left())
	defer timer.Stop()
	for taken := 0; taken < len(r.jobs); {
		select {
		case j := <-r.done:
			j.item.event = b.items[j.at].event // the copy has done its service
			b.items[j.at] = j.item
			taken++
		case <-timer.C:
			left := r.limit.left()
			if left <= 0 {
				r.giveUp()
				return
			}
			timer.Reset(left)
		}
	}
}

// giveUp keeps jobs from starting, and notes those that run as overdue.
func (r *round) giveUp() {
	close(r.ended)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over = true
	for j, p := range r.running {
		p.outlive()
		runs.shares.charge(j.sender, j.bytes, time.Since(j.begun), time.Now()) // its next records wait behind others at once
	}
}

// work takes jobs until there are none, or the deadline has passed.
func (r *round) work(next func() (*job, *place)) {
	recovery.Once(r.evaluator.panics.Caught("inspection"), func() {
		for {
			j, p := next()
			if j == nil {
				return
			}
			if r.workOn(j, p) {
				r.done <- j
			}
		}
	})
}

// workOn evaluates a job, and reports whether it is done: one without a place waits still, and is.
func (r *round) workOn(j *job, p *place) (done bool) {
	if p == nil || !r.begin(j, p) {
		return true
	}
	defer r.end(j, p)
	return r.judge(j)
}

// nextQuick returns the next quick job and its place.
func (r *round) nextQuick() (*job, *place) {
	j := r.take(&r.quick)
	if j == nil {
		return nil, nil
	}
	return j, runs.get(runs.quick, r.ended)
}

// nextSlow returns the next slow job and its place. One of a sender that has had its share has none unless there is one at once.
func (r *round) nextSlow() (*job, *place) {
	r.mu.Lock()
	if len(r.slow) == 0 {
		r.working--
		r.mu.Unlock()
		return nil, nil
	}
	j := r.slow[0]
	r.slow = r.slow[1:]
	r.mu.Unlock()
	if j.alone {
		return j, runs.try(runs.slow)
	}
	return j, runs.get(runs.slow, r.ended)
}

func (r *round) take(from *[]*job) *job {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(*from) == 0 {
		return nil
	}
	j := (*from)[0]
	*from = (*from)[1:]
	return j
}

// helpSlow has enough goroutines work on slow jobs. The round is locked.
func (r *round) helpSlow() {
	for r.working < min(len(r.slow), cap(runs.slow)) {
		r.working++
		go r.work(r.nextSlow)
	}
}

// judge evaluates a job, and reports whether it is done. A large one of which the prefilter cannot tell becomes a slow one.
func (r *round) judge(j *job) (done bool) {
	runs.timed(j.sender, j.bytes, func() { done = r.evaluator.judgeAlone(j, r.rules.Set, r.demand) })
	if done {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.slow = append(r.slow, j)
	r.helpSlow()
	return false
}

// begin makes a job's item its own, and reports false when the call has returned.
func (r *round) begin(j *job, p *place) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		p.leave()
		return false
	}
	if !j.own {
		j.item, j.own = j.item.copied(), true
	}
	r.running[j], j.begun = p, time.Now()
	r.rules.Share() // the call that waits has them still
	return true
}

func (r *round) end(j *job, p *place) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running[j] == p { // not the place of the slow run that has followed
		delete(r.running, j)
	}
	p.leave()
	r.rules.Done()
}
