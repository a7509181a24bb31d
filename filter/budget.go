package filter

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// largeTransaction is the size in bytes from which even the gate may take milliseconds.
const largeTransaction = 16 << 10

func size(t *rules.Transaction) int {
	return len(t.URI) + len(t.RequestBody) + len(t.ResponseBody)
}

// engineRuns bounds how many transactions the engine judges at a time for calls with a deadline, in the whole process: one that
// takes longer than its call goes on, since nothing can end it, and must not keep more than its share of the machine busy.
var engineRuns = struct {
	slots   chan struct{}
	overdue atomic.Int32 // slots that calls hold which have returned
}{slots: make(chan struct{}, runtime.GOMAXPROCS(0))}

// round is the work of the engine for the waiting items of one batch. It has copies of their events, because the chunk is gone
// when the call returns before the engine.
type round struct {
	filter *Filter
	demand *demand
	rules  *loaded
	jobs   []job
	next   atomic.Int32
	done   chan *job // takes all jobs without waiting
	ended  chan struct{}

	mu      sync.Mutex
	running int // jobs that have a slot
	over    bool
}

// job is one waiting item.
type job struct {
	at   int // in the batch
	item item
	err  error // why there can be no verdict
}

// limit is until when inspection may take its time. Making what rules need for their first values, which happens once, comes on
// top.
type limit struct {
	end  time.Time     // zero when it may take as long as it wants
	made time.Duration // rules.MakingTime when the limit was set
}

func limitOf(budget time.Duration) limit { return limit{time.Now().Add(budget), rules.MakingTime()} }

func (l limit) isNone() bool { return l.end.IsZero() }

func (l limit) deadline() time.Time { return l.end.Add(rules.MakingTime() - l.made) }

func (l limit) left() time.Duration { return time.Until(l.deadline()) }

func (l limit) passed(now time.Time) bool {
	return !l.isNone() && now.After(l.end) && now.After(l.deadline())
}

// judgeWaiting has the engine judge the waiting items until the deadline of the batch. Those that are not judged by then are late.
func (f *Filter) judgeWaiting(b *batch, d *demand) {
	first := b.firstWaiting()
	if first < 0 {
		return
	}
	r := &round{filter: f, demand: d, rules: b.rules}
	for i := first; i < len(b.items); i++ {
		if b.items[i].kind == waiting {
			r.jobs = append(r.jobs, job{at: i, item: b.items[i].copied()})
		}
	}
	if r.compile() {
		b.limit = limitOf(f.config.budget) // compiling happens once, and is not inspection
	}
	if int(engineRuns.overdue.Load()) < cap(engineRuns.slots) {
		r.run(b)
	}
	for i := range b.items {
		if b.items[i].kind == waiting {
			b.items[i].kind = Late
		}
	}
}

// firstWaiting returns the place of the first waiting item, -1 when there is none.
func (b *batch) firstWaiting() int {
	for i := range b.items {
		if b.items[i].kind == waiting {
			return i
		}
	}
	return -1
}

// compile compiles the forms of the rules that jobs need, and reports whether that was to be done. A form that does not compile
// is an error of each job.
func (r *round) compile() (done bool) {
	for i := range r.jobs {
		if c := &r.jobs[i].item.pending.rules; !c.Compiled() {
			if err := r.rules.set.Compile(c); err != nil {
				r.jobs[i].err = err
			}
			done = true
		}
	}
	return done
}

// copied returns a waiting item with an event of its own.
func (it *item) copied() item {
	event, _, _ := record.Next(append([]byte(nil), it.event.Raw...)) // it has been read before
	return item{event: event, source: it.source, pending: it.pending}
}

// run starts the engine and takes what it has found until the deadline.
func (r *round) run(b *batch) {
	r.done, r.ended = make(chan *job, len(r.jobs)), make(chan struct{})
	for range min(len(r.jobs), cap(engineRuns.slots)) {
		go r.work()
	}
	timer := time.NewTimer(b.limit.left())
	defer timer.Stop()
	for taken := 0; taken < len(r.jobs); {
		select {
		case j := <-r.done:
			j.item.event = b.items[j.at].event // the copy has done its service
			b.items[j.at] = j.item
			taken++
		case <-timer.C:
			left := b.limit.left()
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
	engineRuns.overdue.Add(int32(r.running))
}

// work takes jobs until there are none, or the deadline has passed.
func (r *round) work() {
	for {
		i := int(r.next.Add(1)) - 1
		if i >= len(r.jobs) {
			return
		}
		select {
		case engineRuns.slots <- struct{}{}:
		case <-r.ended:
			return
		}
		if r.begin() {
			r.filter.judgeAlone(&r.jobs[i], r.rules.set, r.demand)
			r.done <- &r.jobs[i]
			r.end()
		}
		<-engineRuns.slots
	}
}

func (r *round) begin() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		return false
	}
	r.running++
	r.rules.users.Add(1) // the call that waits has them still
	return true
}

func (r *round) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running--
	if r.over {
		engineRuns.overdue.Add(-1)
	}
	r.rules.done()
}

// judgeAlone evaluates an item whose event is its own.
func (f *Filter) judgeAlone(j *job, set *rules.Set, d *demand) {
	it := &j.item
	defer f.recovered(it)
	if j.err != nil {
		f.failed(it, j.err)
		return
	}
	s := scratches.Get().(*scratch)
	defer s.putBack()
	s.rules = set
	f.maps.Read(it.event.Meta, it.event.Body, &s.values)
	s.values.Transaction(&s.transaction)
	if verdict := f.judge(it, s, &it.pending); verdict != nil {
		f.decide(it, s, d, verdict)
	}
}

// tellLate counts records that were not inspected, and says so in the log once.
func (f *Filter) tellLate(n uint64) {
	if f.counts.late.Add(n) > n {
		return
	}
	why := fmt.Sprintf("it would take longer than inspect_budget (%v) for one chunk", f.config.budget)
	if f.background != nil {
		why = fmt.Sprintf("more than async_limit (%d bytes) wait for it, or the pipeline has ended", f.config.queueLimit)
	}
	f.log(LevelWarn, "records pass without inspection because "+why+"; they are counted")
}
