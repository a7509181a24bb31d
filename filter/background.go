package filter

import (
	"bytes"
	"fmt"
	"runtime/debug"
	"sync"
)

// background inspects chunks beside the pipeline, one after the other: copies wait in a queue of bounded size, and alerts wait for
// a call that takes them to the host.
type background struct {
	filter *Filter
	limit  int64 // bytes of the chunks that wait, and of the alerts
	skips  bool  // chunks for which there is no room, instead of waiting
	idle   chan struct{}

	mu      sync.Mutex
	changed sync.Cond // of what follows
	chunks  []queuedChunk
	bytes   int64 // of all chunks that wait or are being inspected
	emits   []Emit
	waiting int64 // bytes of emits
	over    bool
}

type queuedChunk struct {
	data []byte
	tag  string
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
	q.chunks = append(q.chunks, queuedChunk{bytes.Clone(chunk), tag})
	q.changed.Broadcast()
	return true
}

// run inspects chunks until the filter ends.
func (q *background) run() {
	defer close(q.idle)
	for {
		c, more := q.next()
		if !more {
			return
		}
		emits := q.inspect(c)
		q.mu.Lock()
		q.bytes -= int64(len(c.data))
		q.emits = append(q.emits, emits...)
		for i := range emits {
			q.waiting += int64(len(emits[i].Event))
		}
		q.changed.Broadcast()
		q.mu.Unlock()
	}
}

// next waits for a chunk, and for room for its alerts.
func (q *background) next() (c queuedChunk, more bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.over && (len(q.chunks) == 0 || q.waiting > q.limit) {
		q.changed.Wait()
	}
	if q.over {
		return c, false
	}
	c = q.chunks[0]
	q.chunks[0] = queuedChunk{}
	q.chunks = q.chunks[1:]
	return c, true
}

// inspect returns the alerts for a chunk. A panic that is not one of a single record costs the chunk its alerts, and its records count
// as broken.
func (q *background) inspect(c queuedChunk) []Emit {
	f := q.filter
	var out Outcome
	defer func() {
		cause := recover()
		if cause == nil {
			return
		}
		if f.counts.panics.Add(1) == 1 {
			f.log(LevelError, fmt.Sprintf("panic while inspecting a chunk in the background: %v\n%s", cause, debug.Stack()))
		}
		f.Abandon(c.data, &out)
	}()
	b := f.getBatch(c.data)
	defer f.putBatch(b)
	b.each(f.evaluateInto)
	f.count(b)
	out.counted = true
	f.collectEmits(b, c.tag, &out)
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

// end stops after the chunk that is being inspected. What has not been inspected, and alerts that nobody took, are counted.
func (q *background) end() {
	q.mu.Lock()
	q.over = true
	q.changed.Broadcast()
	q.mu.Unlock()
	<-q.idle
	f := q.filter
	for _, c := range q.chunks {
		f.countAll(c.data, Late)
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
