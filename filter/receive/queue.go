package receive

import (
	"sync"
	"sync/atomic"
)

// Queue holds received records until the pipeline takes them, in batches that grow with the load, within a limit in bytes.
type Queue struct {
	mu        sync.Mutex
	changed   sync.Cond // on every change of the fields below
	batches   []Batch   // oldest first
	bytes     int64     // of the batches, and of those that are taken and not yet given back
	spare     [][]byte  // memory of former batches
	closed    bool
	abandoned bool

	limit      int64
	batch      int // bytes of a batch, unless a single message has more
	dropOldest bool
	waiting    atomic.Int64  // records in the batches
	dropped    atomic.Uint64 // records
}

// Batch is a run of whole events.
type Batch struct {
	Events  []byte
	Records int
}

const (
	// DefaultBatch is how many bytes of events a batch has at most without being told.
	DefaultBatch = 1 << 20
	maxSpare     = 8
)

// NewQueue returns a queue for limit bytes of events in batches of some bytes. When it is full, Put drops the oldest records or
// those it is to take.
func NewQueue(limit int64, batch int, dropOldest bool) *Queue {
	q := &Queue{limit: limit, batch: batch, dropOldest: dropOldest}
	q.changed.L = &q.mu
	return q
}

// Put takes a copy of events, or drops records and counts them.
func (q *Queue) Put(events []byte, records int) {
	if len(events) == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.isFull(len(events)) {
		if !q.dropOldest || len(q.batches) == 0 {
			q.dropped.Add(uint64(records))
			return
		}
		q.dropFirst()
	}
	q.add(events, records)
}

// reserve takes memory of the limit for bytes that are not events yet. It reports whether there was room.
func (q *Queue) reserve(bytes int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.isFull(bytes) {
		return false
	}
	q.bytes += int64(bytes)
	return true
}

// release gives reserved memory back.
func (q *Queue) release(bytes int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.bytes -= int64(bytes)
	q.changed.Broadcast()
}

// PutWait takes a copy of events as soon as there is room.
func (q *Queue) PutWait(events []byte, records int) {
	if len(events) == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.isFull(len(events)) {
		if q.abandoned {
			q.dropped.Add(uint64(records))
			return
		}
		q.changed.Wait()
	}
	q.add(events, records)
}

// Abandon says that nothing is taken any more: PutWait drops what finds the queue full.
func (q *Queue) Abandon() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.abandoned = true
	q.changed.Broadcast()
}

// isFull reports whether so many more bytes are too many. What is larger than the limit fits into an empty queue.
func (q *Queue) isFull(more int) bool { return q.bytes > 0 && q.bytes+int64(more) > q.limit }

func (q *Queue) add(events []byte, records int) {
	last := len(q.batches) - 1
	if last < 0 || len(q.batches[last].Events)+len(events) > q.batch {
		q.batches = append(q.batches, Batch{Events: q.memory(len(events))})
		last++
	}
	b := &q.batches[last]
	b.Events = append(b.Events, events...)
	b.Records += records
	q.bytes += int64(len(events))
	q.waiting.Add(int64(records))
	q.changed.Broadcast()
}

func (q *Queue) memory(size int) []byte {
	if n := len(q.spare) - 1; n >= 0 && size <= cap(q.spare[n]) {
		memory := q.spare[n]
		q.spare = q.spare[:n]
		return memory[:0]
	}
	return make([]byte, 0, max(size, q.batch/16))
}

func (q *Queue) dropFirst() {
	first := q.shift()
	q.dropped.Add(uint64(first.Records))
	q.free(first)
}

func (q *Queue) shift() Batch {
	first := q.batches[0]
	q.batches[0] = Batch{}
	q.batches = q.batches[1:]
	q.waiting.Add(int64(-first.Records))
	return first
}

func (q *Queue) free(b Batch) {
	q.bytes -= int64(len(b.Events))
	if len(q.spare) < maxSpare && cap(b.Events) <= 2*q.batch {
		q.spare = append(q.spare, b.Events)
	}
	q.changed.Broadcast()
}

// Waiting returns how many records there are to take.
func (q *Queue) Waiting() int64 { return q.waiting.Load() }

// Bytes returns how many bytes of events the queue answers for.
func (q *Queue) Bytes() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.bytes
}

// Take returns the oldest batch, which is to be given back by Done or Return. It reports false when there is none.
func (q *Queue) Take() (b Batch, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.batches) == 0 {
		return b, false
	}
	return q.shift(), true
}

// Wait is Take that waits for a batch. It reports false once the queue is closed and empty.
func (q *Queue) Wait() (b Batch, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.batches) == 0 {
		if q.closed {
			return b, false
		}
		q.changed.Wait()
	}
	return q.shift(), true
}

// Done gives back the memory of a batch that is no longer needed.
func (q *Queue) Done(b Batch) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.free(b)
}

// Return puts a batch back that could not be used, as the oldest.
func (q *Queue) Return(b Batch) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.batches = append([]Batch{b}, q.batches...)
	q.waiting.Add(int64(b.Records))
	q.changed.Broadcast()
}

// Close says that no more records come.
func (q *Queue) Close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.changed.Broadcast()
}
