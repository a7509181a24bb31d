package pipeline

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/flood"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/telemetry"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

func TestAPanicOfAWorkerIsOneOfItsCall(t *testing.T) {
	b := numberedBatch(t, 3)
	p := &workerPool{batch: b, work: func(*item, *scratch) { panic("work") }}
	p.worker()
	require.PanicsWithValue(t, "work", p.wait, "the call has to know, and lets the chunk pass")

	twoThreads(t)
	b = numberedBatch(t, 40)
	b.lastTime.set(parallelTime)
	require.Panics(t, func() { b.each(func(*item, *scratch) { panic("work") }) })
}

// A panic between the count of records and their alerts: each record is counted once, and so is each alert.
func TestPanicOfFloodControlLosesNothingFromTheSums(t *testing.T) {
	t.Run("inline", func(t *testing.T) {
		f := newFilter(t, setting.Map{"emit_tag": "alert", "inspect_budget": "1m"})
		f.inspector.writer.flood = &flood.Control{} // it panics when it is asked
		defer func() { f.inspector.writer.flood = nil }()
		chunk := slices.Concat(attackEvent(1), clean("/"), attackEvent(2))
		var out Outcome
		require.Panics(t, func() { f.Process(chunk, "nano", &out) })
		f.Abandon(chunk, &out)
		c := f.Counts()
		require.Equal(t, telemetry.Counts{Records: 3, Clean: 1, Alerts: 2, Failed: 2, Sources: c.Sources}, c)
		require.Empty(t, out.Emits)
	})
	t.Run("async", func(t *testing.T) {
		f := newFilter(t, asynchronous)
		q := queueOf(f)
		f.inspector.writer.flood = &flood.Control{}
		defer func() { f.inspector.writer.flood = nil }()
		var k block
		k.add(largeAttack(1, 1), "queued before the panic")
		k.add(slices.Concat(attackEvent(1), largeAttack(1, 2)), "panics")
		k.add(slices.Concat(largeAttack(1, 3), clean("/"), attackEvent(2), largeAttack(2, 4)), "never comes to its turn")
		require.Empty(t, q.inspect(&k))
		c := f.Counts()
		queued := 0
		for j := q.slow.next(); j != nil; j = q.slow.next() {
			q.drop(j)
			queued++
		}
		require.Equal(t, telemetry.Counts{Records: 5, Clean: 1, Alerts: 2, Broken: 2, Failed: 2, Panics: 1, Sources: c.Sources}, c)
		require.Equal(t, 2, queued)
		require.EqualValues(t, 7, f.Counts().Records)
	})
}

func TestPanicsShowNoSecret(t *testing.T) {
	var mu sync.Mutex
	var log []string
	f, err := open(nil, func(_ telemetry.Level, line string) {
		mu.Lock()
		defer mu.Unlock()
		log = append(log, line)
	})
	require.NoError(t, err)
	f.inspector.inLine = &verdictHandler{onAlert: func(*item, *alert.View) { panic("value: password=hunter2 of Cookie: sid=x") }}
	process(f, attackEvent(1), "nano")
	require.EqualValues(t, 1, f.Counts().Broken)
	require.NoError(t, f.Close())
	require.Contains(t, strings.Join(log, "\n"), "panic while evaluating")
	require.NotContains(t, strings.Join(log, "\n"), "hunter2")
}
