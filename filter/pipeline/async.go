package pipeline

import (
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/telemetry"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/recovery"
)

// mostSpare is how many empty blocks are kept.
const mostSpare = 8

// maxPutWait is how long a chunk waits for room. The host may be waiting for it with all else, so that no wait can be without an end.
const maxPutWait = 10 * time.Second

// async inspects chunks beside the pipeline: copies wait in a queue of bounded size, and alerts wait for a call that takes them
// to the host. Records that keep the engine busy wait in a queue of their own, by sender.
type async struct {
	inspector *inspector
	log       telemetry.Logger
	panics    *telemetry.Panics
	limit     int64 // bytes of the chunks that wait, and of the alerts
	skips     bool  // chunks for which there is no room, instead of waiting
	stopped   chan struct{}

	mu      sync.Mutex
	changed sync.Cond // of what follows
	queue   []*block
	spare   []*block
	bytes   int64 // of all chunks that wait or are being inspected
	emits   []Emit
	waiting int64   // bytes of emits
	waiters []*byte // calls that wait for room, the longest first
	slow    slowQueue
	closed  bool

	recent recentSenders // only for the goroutine that inspects

	slowWorkers sync.WaitGroup
}

func startAsync(i *inspector, c *asyncConfig) *async {
	q := &async{inspector: i, log: i.counts.log, panics: i.evaluator.panics, limit: c.limit, skips: c.skips, stopped: make(chan struct{})}
	q.changed.L = &q.mu
	q.startSlowWorkers()
	go func() {
		defer close(q.stopped)
		recovery.Loop(nil, q.panics.Caught("asynchronous inspection"), q.run)
	}()
	return q
}

// put queues a copy of a chunk. It reports false when there is no room for it, and will be none soon. A chunk that is larger than the whole
// queue goes when the queue is empty. Inspection needs room for alerts, and the thread that waits here may be the one that makes it: while it
// waits it takes the alerts that are ready.
func (q *async) put(chunk []byte, tag string, emits *[]Emit) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.skips {
		q.waitForRoom(len(chunk), emits)
	}
	if q.isFull(len(chunk)) {
		return false
	}
	if q.closed {
		return false
	}
	q.bytes += int64(len(chunk))
	if n := len(q.queue); n == 0 || !q.queue[n-1].hasRoom(chunk) {
		q.queue = append(q.queue, q.empty(len(chunk)))
	}
	q.queue[len(q.queue)-1].add(chunk, tag)
	q.changed.Broadcast()
	return true
}

// waitForRoom waits until a chunk has room, behind the chunks that have waited longer: small ones would take all room from a large one. It takes
// alerts meanwhile.
func (q *async) waitForRoom(size int, emits *[]Emit) {
	if len(q.waiters) == 0 && !q.isFull(size) {
		return
	}
	me := new(byte)
	q.waiters = append(q.waiters, me)
	until := time.Now().Add(maxPutWait)
	for (q.waiters[0] != me || q.isFull(size)) && !q.closed {
		if q.takeInto(emits); !q.await(until) {
			break
		}
	}
	q.waiters = slices.DeleteFunc(q.waiters, func(other *byte) bool { return other == me })
	q.changed.Broadcast()
}

func (q *async) isFull(more int) bool {
	return q.bytes > 0 && q.bytes+q.slow.bytes+int64(more) > q.limit
}

// await waits until something changes, and reports false when it is later than that. The lock is held.
func (q *async) await(until time.Time) bool {
	left := time.Until(until)
	if left <= 0 {
		return false
	}
	timer := time.AfterFunc(left, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.changed.Broadcast()
	})
	defer timer.Stop()
	q.changed.Wait()
	return true
}

// empty returns a block with room for a chunk.
func (q *async) empty(size int) *block {
	if n := len(q.spare); n > 0 && size <= blockSize {
		k := q.spare[n-1]
		q.spare[n-1] = nil
		q.spare = q.spare[:n-1]
		return k
	}
	return &block{data: make([]byte, 0, max(size, blockSize))}
}

// run inspects chunks until the filter ends.
func (q *async) run() {
	for {
		k, more := q.next()
		if !more {
			return
		}
		q.done(k, q.inspect(k))
	}
}

// next waits for chunks, and for room for their alerts.
func (q *async) next() (k *block, more bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.closed && (len(q.queue) == 0 || q.waiting > q.limit) {
		q.changed.Wait()
	}
	if q.closed {
		return nil, false
	}
	k = q.queue[0]
	q.queue[0] = nil
	q.queue = q.queue[1:]
	return k, true
}

// done makes room for other chunks, and has the alerts wait.
func (q *async) done(k *block, emits []Emit) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.bytes -= int64(len(k.data))
	if cap(k.data) == blockSize && len(q.spare) < mostSpare {
		k.data, k.parts = k.data[:0], k.parts[:0]
		q.spare = append(q.spare, k)
	}
	q.addEmits(emits)
}

// addEmits has alerts wait. The lock is held.
func (q *async) addEmits(emits []Emit) {
	q.emits = append(q.emits, emits...)
	for i := range emits {
		q.waiting += int64(len(emits[i].Event))
	}
	q.changed.Broadcast()
}

// inspect returns the alerts for chunks, except of records that keep the engine busy, which it queues. After a panic that is not one of a
// single record, those that have no verdict yet count as broken, and alerts that were not collected as failed.
func (q *async) inspect(k *block) (emits []Emit) {
	i := q.inspector
	var out Outcome
	defer q.recovered("chunks", func() {
		k.chunks(func(_ *part, chunk []byte) { i.abandon(chunk, &out) })
		emits = out.Emits
	})
	b := i.batches.get(nil, "")
	defer i.batches.put(b)
	whole := false
	defer func() {
		if !whole {
			i.counts.countLost(b, &out)
		}
	}()
	b.defers = true
	k.chunks(func(p *part, chunk []byte) { p.items = b.add(chunk, p.tag) })
	b.each(i.evaluateInto)
	incidents := i.correlate(b, "", i.incidentTag, i.afterwards)
	i.count(b)
	out.counted = true
	q.recent.note(b.items, time.Now())
	items := b.items
	for _, p := range k.parts {
		n := itemsOf(items, p.items)
		q.deferItems(b, items[:n], p.tag)
		i.writer.collectEmits(items[:n], p.tag, &out)
		items = items[n:]
	}
	whole = true
	return append(out.Emits, incidents...)
}

// recovered, deferred, counts a panic and does what is to be done then.
func (q *async) recovered(of string, then func()) {
	cause := recover()
	if cause == nil {
		return
	}
	q.panics.Add(func() string {
		return fmt.Sprintf("panic during background inspection of %s: %v\n%s", of, cause, debug.Stack())
	})
	then()
}

// take appends the alerts that are ready.
func (q *async) take(emits []Emit) []Emit {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.takeInto(&emits)
	return emits
}

// takeInto is take with the lock held.
func (q *async) takeInto(emits *[]Emit) {
	if len(q.emits) == 0 {
		return
	}
	*emits = append(*emits, q.emits...)
	clear(q.emits)
	q.emits, q.waiting = q.emits[:0], 0
	q.changed.Broadcast()
}

// close stops after the chunks that are being inspected. What has not been inspected, and alerts that nobody took, are counted.
func (q *async) close() {
	q.mu.Lock()
	q.closed = true
	q.changed.Broadcast()
	q.mu.Unlock()
	<-q.stopped
	q.closeSlow()
	i := q.inspector
	for _, k := range q.queue {
		k.chunks(func(_ *part, chunk []byte) { i.countAll(chunk, Late) })
	}
	if n := uint64(len(q.take(nil))); n > 0 {
		i.writer.counts.Failed.Add(n)
		q.log(telemetry.LevelWarn, fmt.Sprintf("%d alerts were found after the pipeline ended and could not be emitted", n))
	}
}
