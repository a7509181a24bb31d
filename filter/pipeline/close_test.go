package pipeline

import (
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/telemetry"
	"github.com/stretchr/testify/require"
)

// closes requires that a filter closes soon, whatever it was doing.
func closes(t *testing.T, f *testFilter) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- f.Close() }()
	select {
	case err := <-done:
		require.NoError(t, err)
	case <-time.After(25 * time.Second):
		t.Fatal("Close hangs")
	}
}

// A reload waits for the records that were found with the rules of before, and these for somebody to take their alerts.
func TestCloseEndsAReloadThatWaits(t *testing.T) {
	file := filepath.Join(t.TempDir(), "own.conf")
	writeFile(t, file, ruleFor("large"))
	f, err := open(with(asynchronous, "rules", file, "reload_interval", "100ms", "async_limit", "256K"), func(telemetry.Level, string) {})
	require.NoError(t, err)
	old := f.rules.Set()
	var chunk []byte
	for i := range 40 {
		chunk = append(chunk, largeAttack(1, i)...)
	}
	var out Outcome
	f.Process(chunk, "nano", &out)
	waits := func() bool {
		f.async.mu.Lock()
		defer f.async.mu.Unlock()
		return f.async.slow.bytes > 0 && f.async.waiting > 0
	}
	require.Eventually(t, waits, 10*time.Second, time.Millisecond)
	writeFile(t, file, ruleFor("two"))
	require.Eventually(t, func() bool { return f.rules.Set() != old }, 10*time.Second, time.Millisecond)
	closes(t, f)
	require.EqualValues(t, 40, f.Counts().Records)
}

func TestALogThatPanicsLosesNoRecord(t *testing.T) {
	const records = 10
	var n atomic.Int32
	f, err := open(with(asynchronous, "async_limit", "64K", "async_full", "skip"), func(_ telemetry.Level, line string) {
		if strings.Contains(line, "pass without inspection") && n.Add(1) == 1 {
			panic("log")
		}
	})
	require.NoError(t, err)
	var chunk []byte
	for i := range records {
		chunk = append(chunk, largeAttack(i, i)...)
	}
	var out Outcome
	f.Process(chunk, "nano", &out)
	require.Eventually(t, func() bool { f.Due(nil); return f.Counts().Records == records }, 30*time.Second, time.Millisecond)
	require.EqualValues(t, 1, n.Load())
	closes(t, f)
}

// A large record has a slow run after a quick one, and the first may end after the second has begun.
func TestTheEndOfOneRunIsNotThatOfTheNext(t *testing.T) {
	f := newFilter(t, nil)
	l := f.rules.Use()
	defer l.Done()
	q := &engineQueue{evaluator: f.inspector.evaluator, rules: l, running: map[*job]*slot{}, ended: make(chan struct{})}
	j := &job{}
	first, second := slots.acquire(slots.quick, nil), slots.acquire(slots.slow, nil)
	require.True(t, q.start(j, first))
	require.True(t, q.start(j, second))
	q.finish(j, first)
	before := slots.overdueRuns()
	q.expire()
	require.Equal(t, before+1, slots.overdueRuns())
	q.finish(j, second)
	require.Equal(t, before, slots.overdueRuns())
}

// Small chunks that come all the time do not take the room from a large one.
func TestALargeChunkGetsItsTurn(t *testing.T) {
	q := newSlowQueue(10_000, false)
	var none []Emit
	require.True(t, q.put(make([]byte, 9000), "a", &none))
	taken := make(chan bool)
	go func() { taken <- q.put(make([]byte, 8000), "large", new([]Emit)) }()
	waiting := func() int { q.mu.Lock(); defer q.mu.Unlock(); return len(q.waiters) }
	require.Eventually(t, func() bool { return waiting() == 1 }, 10*time.Second, time.Millisecond)
	var small sync.WaitGroup
	small.Add(1)
	go func() {
		defer small.Done()
		q.put(make([]byte, 900), "small", new([]Emit)) // there is room for it
	}()
	require.Eventually(t, func() bool { return waiting() == 2 }, 10*time.Second, time.Millisecond)
	k, _ := q.next()
	q.done(k, nil)
	require.True(t, <-taken)
	small.Wait()
	k, _ = q.next()
	require.Equal(t, "large", k.parts[0].tag)
}

func TestAChunkThatComesAfterTheEndPasses(t *testing.T) {
	f, err := open(asynchronous, func(telemetry.Level, string) {})
	require.NoError(t, err)
	require.NoError(t, f.Close())
	var out Outcome
	require.NotPanics(t, func() { f.Process(clean("/"), "nano", &out) })
	require.False(t, out.Changed)
}
