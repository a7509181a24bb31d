package filter

import (
	"fmt"
	"runtime/debug"
	"sync"
)

// mostSpare is how many empty blocks are kept.
const mostSpare = 8

// background inspects chunks beside the pipeline: copies wait in a queue of bounded size, and alerts wait for a call that takes them
// to the host.
type background struct {
	filter *Filter
	limit  int64 // bytes of the chunks that wait, and of the alerts
	skips  bool  // chunks for which there is no room, instead of waiting
	idle   chan struct{}

	mu      sync.Mutex
	changed sync.Cond // of what follows
	queue   []*block
	spare   []*block
	bytes   int64 // of all chunks that wait or are being inspected
	emits   []Emit
	waiting int64 // bytes of emits
	over    bool
}

func startBackground(f *Filter) *background {
	q := &background{filter: f, limit: f.config.queueLimit, skips: f.config.queueSkips, idle: make(chan struct{})}
	q.changed.L = &q.mu
	go q.run()
	return q
}

// put queues a copy of a chunk. It reports false when there is no room for it and chunks are not waited for. A chunk that is larger
// than the whole queue goes when the queue is empty.
func (q *background) put(chunk []byte, tag string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.bytes > 0 && q.bytes+int64(len(chunk)) > q.limit && !q.over {
		if q.skips {
			return false
		}
		q.changed.Wait()
	}
	if q.over {
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

// empty returns a block with room for a chunk.
func (q *background) empty(size int) *block {
	if n := len(q.spare); n > 0 && size <= blockSize {
		k := q.spare[n-1]
		q.spare[n-1] = nil
		q.spare = q.spare[:n-1]
		return k
	}
	return &block{data: make([]byte, 0, max(size, blockSize))}
}

// run inspects chunks until the filter ends.
func (q *background) run() {
	defer close(q.idle)
	for {
		k, more := q.next()
		if !more {
			return
		}
		q.done(k, q.inspect(k))
	}
}

// next waits for chunks, and for room for their alerts.
func (q *background) next() (k *block, more bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.over && (len(q.queue) == 0 || q.waiting > q.limit) {
		q.changed.Wait()
	}
	if q.over {
		return nil, false
	}
	k = q.queue[0]
	q.queue[0] = nil
	q.queue = q.queue[1:]
	return k, true
}

// done makes room for other chunks, and has the alerts wait.
func (q *background) done(k *block, emits []Emit) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.bytes -= int64(len(k.data))
	if cap(k.data) == blockSize && len(q.spare) < mostSpare {
		k.data, k.parts = k.data[:0], k.parts[:0]
		q.spare = append(q.spare, k)
	}
	q.emits = append(q.emits, emits...)
	for i := range emits {
		q.waiting += int64(len(emits[i].Event))
	}
	q.changed.Broadcast()
}

// inspect returns the alerts for chunks. A panic that is not one of a single record costs them their alerts, and their records count
// as broken.
func (q *background) inspect(k *block) []Emit {
	f := q.filter
	var out Outcome
	defer func() {
		cause := recover()
		if cause == nil {
			return
		}
		if f.counts.panics.Add(1) == 1 {
			f.log(LevelError, fmt.Sprintf("panic while inspecting chunks in the background: %v\n%s", cause, debug.Stack()))
		}
		k.chunks(func(_ *part, chunk []byte) { f.Abandon(chunk, &out) })
	}()
	b := f.getBatch(nil)
	defer f.putBatch(b)
	k.chunks(func(p *part, chunk []byte) { p.items = b.add(chunk) })
	b.each(f.evaluateInto)
	f.count(b)
	out.counted = true
	items := b.items
	for _, p := range k.parts {
		f.collectEmits(items[:p.items], p.tag, &out)
		items = items[p.items:]
	}
	return out.Emits
}

// take appends the alerts that are ready.
func (q *background) take(emits []Emit) []Emit {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.emits) == 0 {
		return emits
	}
	emits = append(emits, q.emits...)
	clear(q.emits)
	q.emits, q.waiting = q.emits[:0], 0
	q.changed.Broadcast()
	return emits
}

// end stops after the chunks that are being inspected. What has not been inspected, and alerts that nobody took, are counted.
func (q *background) end() {
	q.mu.Lock()
	q.over = true
	q.changed.Broadcast()
	q.mu.Unlock()
	<-q.idle
	f := q.filter
	for _, k := range q.queue {
		k.chunks(func(_ *part, chunk []byte) { f.countAll(chunk, Late) })
	}
	if n := uint64(len(q.emits)); n > 0 {
		f.counts.failed.Add(n)
		f.log(LevelWarn, fmt.Sprintf("%d alerts were found after the pipeline had ended, and could not be emitted", n))
	}
}

// Ticks reports whether records become ready beside Process, so that the host has to ask for them with Due.
func (f *Filter) Ticks() bool {
	return f.config.emitTag != nil && (f.background != nil || f.flood != nil) || f.config.metricsTag != ""
}

// Due appends what has become ready since the last call or Process: alerts that were found beside the pipeline, summaries of
// suppressed ones, and metrics. It does not wait.
func (f *Filter) Due(emits []Emit) []Emit {
	if f.background != nil {
		emits = f.background.take(emits)
	}
	if f.config.emitTag != nil {
		emits = append(emits, f.Summaries(false)...)
	}
	return f.emitMetrics(emits)
}
