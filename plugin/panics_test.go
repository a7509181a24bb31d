package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/receive"
)

// answered takes until there is an answer.
func answered(t *testing.T, line *turns, turn uint64, work func() int) int {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if answer := line.take(turn, func() func() int { return work }); answer != notYet {
			return answer
		}
	}
	require.Fail(t, "the turn does not come")
	return 0
}

func TestPanicOfAFlushEndsItsTurn(t *testing.T) {
	caught := 0
	line := turns{caught: func(any, []byte) { caught++ }, failed: 7}
	first, second, third := line.queue(), line.queue(), line.queue()
	require.Panics(t, func() { line.take(first, func() func() int { panic("while it copies the chunk") }) })
	require.Equal(t, 7, answered(t, &line, second, func() int { panic("while it delivers") }))
	require.Equal(t, 1, caught)
	require.Equal(t, 3, answered(t, &line, third, func() int { return 3 }), "others do not wait for them")
	require.Zero(t, line.waiting())
	line.wait()
}

func TestPanicWhileHandingOverLeavesTheBatch(t *testing.T) {
	s := &source{receiver: &receive.Receiver{Queue: receive.NewQueue(1<<20, 1<<10, false)}}
	s.receiver.Queue.Put([]byte("abc"), 1)
	require.Panics(t, func() { s.give(func(receive.Batch) bool { panic("host") }) })
	require.EqualValues(t, 1, s.receiver.Queue.Waiting())
	require.True(t, s.give(func(b receive.Batch) bool { return string(b.Events) == "abc" }))
	require.Zero(t, s.receiver.Queue.Bytes())
	require.EqualValues(t, 1, s.taken)
}

// What is shared between inputs on threads of their own stays usable when one of them panics in the middle of it.
func TestPanicInATurnOfTheEngineReleasesIt(t *testing.T) {
	var l lead
	l.addInput(1)
	require.Panics(t, func() { l.allows(nil, time.Now()) })
	var s stint
	done := make(chan bool)
	go func() { done <- l.allows(&s, time.Now()) }()
	select {
	case may := <-done:
		require.True(t, may)
	case <-time.After(10 * time.Second):
		require.Fail(t, "the turn is not released")
	}

	parking := lot{receivers: map[string]*parkedReceiver{"broken": {}}}
	require.Panics(t, func() { parking.takeAt("broken", nil) })
	parking.mu.Lock()
	parking.mu.Unlock() //nolint:staticcheck // that it can be locked is what is tested
}

func TestPanicAtTheEndOfAReloadClosesTheReceiver(t *testing.T) {
	r, err := receive.Open(receive.Settings{QueueLimit: 1 << 20, Connections: 1}, func(string) {})
	require.NoError(t, err)
	g := &guard{log: func(filter.Level, string) {}}
	parking := lot{receivers: map[string]*parkedReceiver{}}
	parking.put("key", r, g)
	require.Panics(t, func() { parking.giveUp("key", func(filter.Level, string) { panic("log") }) })
	require.Panics(t, func() { r.Close(0) }, "it is closed already")
}

func TestPanicOfAGuardIsLoggedOnceWithItsStack(t *testing.T) {
	var lines []string
	g := &guard{log: func(_ filter.Level, line string) { lines = append(lines, line) }}
	for range 3 {
		func() {
			defer g.recovered("test", func() {})
			panic("value")
		}()
	}
	require.Len(t, lines, 2)
	require.Contains(t, lines[0], "test: recovered from a panic, a string")
	require.Contains(t, lines[1], "panics_test.go")
	require.EqualValues(t, 3, g.panics.Load())
}
