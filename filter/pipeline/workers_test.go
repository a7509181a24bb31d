package pipeline

import (
	"bytes"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// numberedBatch returns a batch of n items, each of which knows its place.
func numberedBatch(t *testing.T, n int) *batch {
	in := newFilter(t, nil).rules.Use()
	t.Cleanup(in.Done)
	b := &batch{items: make([]item, n), rules: in, lastTime: &batchTime{}}
	for i := range b.items {
		b.items[i].source = i
	}
	return b
}

func twoThreads(t *testing.T) {
	before := runtime.GOMAXPROCS(2)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
}

// meeting returns work that is slow for the first items, as many as are to be done alone, and holds up all others until two threads have
// met.
func meeting(t *testing.T, alone int32, calls *atomic.Int32) func(*item, *scratch) {
	var inside atomic.Int32
	met := make(chan struct{})
	meet := sync.OnceFunc(func() { close(met) })
	return func(it *item, s *scratch) {
		it.body = []byte{byte(it.source)}
		if calls.Add(1) <= alone {
			s.busy = 2 * sequentialTime
			return
		}
		if inside.Add(1) == 2 {
			meet()
		}
		select { // however late the second thread gets a processor
		case <-met:
		case <-time.After(10 * time.Second):
			t.Error("nobody helps")
			meet()
		}
		inside.Add(-1)
	}
}

func requireDone(t *testing.T, b *batch) {
	t.Helper()
	for i := range b.items {
		require.Equal(t, []byte{byte(i)}, b.items[i].body)
	}
}

func TestSlowItemsAreSharedByThreads(t *testing.T) {
	twoThreads(t)
	b := numberedBatch(t, 9)
	var calls atomic.Int32
	b.each(meeting(t, 1, &calls))
	require.EqualValues(t, 9, calls.Load())
	requireDone(t, b)
}

func TestABatchAfterASlowOneIsSharedFromTheStart(t *testing.T) {
	twoThreads(t)
	b := numberedBatch(t, 9)
	b.lastTime.set(parallelTime)
	var calls atomic.Int32
	b.each(meeting(t, 0, &calls))
	require.EqualValues(t, 9, calls.Load())
	requireDone(t, b)
	require.False(t, b.lastTime.isLong(), "nothing was busy")
}

func TestBatchTimeCountsAllThreads(t *testing.T) {
	twoThreads(t)
	for name, items := range map[string]int{"one item": 1, "several": 8} {
		t.Run(name, func(t *testing.T) {
			b := numberedBatch(t, items)
			share := parallelTime / time.Duration(items)
			b.each(func(_ *item, s *scratch) { s.busy += share })
			require.True(t, b.lastTime.isLong())
			b.each(func(_ *item, s *scratch) { s.busy += share / 2 })
			require.False(t, b.lastTime.isLong())
		})
	}
}

func TestThreadThatComesTooLateLeavesTheBatchAlone(t *testing.T) {
	b := numberedBatch(t, 3)
	calls := 0
	p := &workerPool{batch: b, work: func(*item, *scratch) { calls++ }}
	s := b.scratch()
	defer s.putBack()
	p.run(s)
	p.wait()
	p.next.Store(0) // as if the batch had been used again
	p.worker()
	require.Equal(t, 3, calls)
}

func TestManyItemsAreSharedByThreads(t *testing.T) {
	b := numberedBatch(t, sequentialItems+2)
	twoThreads(t)
	s := b.scratch()
	defer s.putBack()
	calls := 0
	require.Equal(t, sequentialItems, b.sequential(func(*item, *scratch) { calls++ }, s))
	require.Equal(t, sequentialItems, calls)
}

// To wake a thread costs as much as many records that are known.
func TestCachedRecordsStayOnTheThreadOfTheCall(t *testing.T) {
	twoThreads(t)
	f := newFilter(t, nil)
	b := f.inspector.batches.get(bytes.Repeat(clean("/shop?q=lamp"), sequentialItems-1), "")
	defer f.inspector.batches.put(b)
	b.items = b.items[:1]
	f.evaluateBatch(b) // the first one is inspected
	require.Equal(t, Clean, b.items[0].kind)
	b.items = b.items[:sequentialItems-1]
	s := b.scratch()
	defer s.putBack()
	before := f.rules.Set().Speed().Cached
	require.Len(t, b.items, b.sequential(f.inspector.evaluateInto, s))
	require.Zero(t, s.busy)
	require.EqualValues(t, sequentialItems-1, f.rules.Set().Speed().Cached-before)
}
