package pipeline

import (
	"bytes"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/telemetry"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

var asynchronous = setting.Map{"mode": "async", "emit_tag": "alert.$TAG", "alert_key": "off"}

func with(settings setting.Map, more ...string) setting.Map {
	all := setting.Map{}
	for name, value := range settings {
		all[name] = value
	}
	for i := 0; i < len(more); i += 2 {
		all[more[i]] = more[i+1]
	}
	return all
}

// due waits until a number of alerts are ready.
func due(t *testing.T, f *testFilter, n int) (emits []Emit) {
	t.Helper()
	require.Eventually(t, func() bool {
		emits = f.Due(emits)
		return len(emits) >= n
	}, 30*time.Second, time.Millisecond)
	return emits
}

func TestBackgroundFindsTheSameAlerts(t *testing.T) {
	const chunks = 20
	beside, inline := newFilter(t, asynchronous), newFilter(t, setting.Map{"emit_tag": "alert.$TAG", "alert_key": "off"})
	var want, got []Emit
	for i := range chunks {
		chunk := append(append(browserEvent(i, false), slowEvent(i%3)...), browserEvent(i, true)...)
		var out Outcome
		inline.Process(chunk, "nano", &out)
		want = append(want, out.Emits...)
		beside.Process(chunk, "nano", &out)
		require.False(t, out.Changed)
		got = append(got, out.Emits...)
		clear(chunk) // it is borrowed for the call
	}
	require.Len(t, want, chunks)
	got = append(got, due(t, beside, chunks-len(got))...)
	byEvent := func(a, b Emit) int { return bytes.Compare(a.Event, b.Event) } // those that keep the engine busy come later
	slices.SortFunc(want, byEvent)
	slices.SortFunc(got, byEvent)
	require.Equal(t, want, got)
	require.Equal(t, inline.Counts(), beside.Counts())
}

// queued is what a queue that nobody takes from has.
func queued(q *async) (chunks [][]byte, tags []string) {
	for _, k := range q.queue {
		k.chunks(func(p *part, chunk []byte) { chunks, tags = append(chunks, chunk), append(tags, p.tag) })
	}
	return chunks, tags
}

func TestChunksWaitTogether(t *testing.T) {
	q := &async{limit: 1 << 30}
	q.changed.L = &q.mu
	small, large := clean("/a"), bytes.Repeat(clean("/b"), blockSize/len(clean("/b"))+1)
	for _, chunk := range [][]byte{small, large, small, small} {
		require.True(t, q.put(chunk, "nano", nil))
	}
	require.True(t, q.put(nil, "none", nil))
	require.Len(t, q.queue, 3)
	chunks, tags := queued(q)
	require.Equal(t, [][]byte{small, large, small, small, {}}, chunks)
	require.Equal(t, []string{"nano", "nano", "nano", "nano", "none"}, tags)
	require.EqualValues(t, 3*len(small)+len(large), q.bytes)

	first := q.queue[0]
	for range 3 {
		k, more := q.next()
		require.True(t, more)
		q.done(k, nil)
	}
	require.Zero(t, q.bytes)
	require.Len(t, q.spare, 2, "a block of unusual size is not kept")
	require.True(t, q.put(large, "nano", nil))
	require.Len(t, q.spare, 2)
	for n := 1; len(q.spare) > 0; n++ {
		require.True(t, q.put(small, "again", nil))
	}
	require.Same(t, first, q.queue[len(q.queue)-1])
	chunks, _ = queued(q)
	require.Equal(t, large, chunks[0])
	for _, chunk := range chunks[1:] {
		require.Equal(t, small, chunk, "nothing is left of what was there before")
	}
}

func TestBlocksThatAreKeptAreFew(t *testing.T) {
	q := &async{limit: 1 << 30}
	q.changed.L = &q.mu
	chunk := bytes.Repeat(clean("/"), blockSize/len(clean("/")))
	for range 3 * mostSpare {
		require.True(t, q.put(chunk, "nano", nil))
	}
	for range 3 * mostSpare {
		k, _ := q.next()
		q.done(k, nil)
	}
	require.Len(t, q.spare, mostSpare)
}

// Chunks that are inspected together end where they ended, also in the middle of an event, and keep their tags.
func TestChunksThatAreInspectedTogetherStayApart(t *testing.T) {
	cut := slowEvent(7)
	chunks := map[string][]byte{
		"a": append(slowEvent(1), clean("/")...), "b": append(slowEvent(2), cut[:len(cut)/2]...), "c": nil,
		"d": {0xc1}, "e": append(clean("/e"), slowEvent(3)...),
	}
	together, alone := newFilter(t, asynchronous), newFilter(t, setting.Map{"emit_tag": "alert.$TAG", "alert_key": "off", "inspect_budget": "off"})
	var k block
	var want []Emit
	for _, tag := range slices.Sorted(maps.Keys(chunks)) {
		k.add(chunks[tag], tag)
		var out Outcome
		alone.Process(chunks[tag], tag, &out)
		want = append(want, out.Emits...)
	}
	require.Len(t, want, 3)
	require.Equal(t, want, queueOf(together).inspect(&k))
	require.Equal(t, alone.Counts(), together.Counts())
	require.EqualValues(t, 2, together.Counts().Broken)
}

func TestFullQueueWaitsOrSkips(t *testing.T) {
	const chunks = 10
	for policy, lost := range map[string]bool{"wait": false, "skip": true} {
		t.Run(policy, func(t *testing.T) {
			f := newFilter(t, with(asynchronous, "async_limit", "1K", "async_full", policy))
			for range chunks {
				var out Outcome
				f.Process(uncachedSlowEvent(), "nano", &out)
			}
			require.Eventually(t, func() bool { f.Due(nil); return f.Counts().Records == chunks }, 30*time.Second, time.Millisecond)
			c := f.Counts()
			require.Equal(t, lost, c.Late > 0)
			require.Equal(t, c.Late, c.Skipped)
			require.EqualValues(t, chunks, c.Alerts+c.Skipped)
		})
	}
}

// Alerts that nobody takes hold inspection up rather than filling the memory.
func TestAlertsThatWaitAreBounded(t *testing.T) {
	q := &async{limit: 100_000}
	q.changed.L = &q.mu
	q.slow.bySender = map[sender]*slowSender{}
	q.slow.usage = new(senderUsage)
	require.True(t, q.put(clean("/"), "nano", nil))
	q.putSlow(slowJobOf(1, 10), time.Now())
	q.addEmits([]Emit{{Event: make([]byte, 100_001)}})
	taken := make(chan bool)
	go func() {
		k, _ := q.next()
		taken <- k != nil
		taken <- q.nextSlow() != nil
	}()
	select {
	case <-taken:
		t.Fatal("more is inspected although alerts wait")
	case <-time.After(50 * time.Millisecond):
	}
	require.Len(t, q.take(nil), 1)
	require.True(t, <-taken)
	require.True(t, <-taken)
}

// The thread that waits for room may be the only one that takes alerts, and there is no room before they are taken.
func TestAChunkThatWaitsTakesTheAlerts(t *testing.T) {
	const chunks = 40
	f := newFilter(t, with(asynchronous, "async_limit", "1K"))
	var out Outcome
	emitted := 0
	for i := range chunks {
		f.Process(attackEvent(i), "nano", &out)
		emitted += len(out.Emits)
	}
	due(t, f, chunks-emitted)
	c := f.Counts()
	require.EqualValues(t, chunks, c.Alerts)
	require.Zero(t, c.Late)
}

func TestEndCountsWhatWasNotInspectedOrTaken(t *testing.T) {
	const chunks = 6
	f, err := open(with(asynchronous), func(telemetry.Level, string) {})
	require.NoError(t, err)
	emitted := 0
	for range chunks {
		var out Outcome
		f.Process(uncachedSlowEvent(), "nano", &out)
		emitted += len(out.Emits)
	}
	require.NoError(t, f.Close())
	c := f.Counts()
	require.EqualValues(t, chunks, c.Records)
	require.EqualValues(t, chunks, c.Alerts+c.Skipped)
	require.EqualValues(t, c.Alerts, c.Failed+uint64(emitted))
}

func TestChunkWithAPanicIsCountedAsBroken(t *testing.T) {
	f := newFilter(t, asynchronous)
	q := queueOf(f)
	f.inspector.evaluateInto = func(*item, *scratch) { panic("not that of a record") }
	var k block
	k.add(clean("/a"), "nano")
	k.add(clean("/b"), "nano")
	require.Empty(t, q.inspect(&k))
	c := f.Counts()
	require.EqualValues(t, 1, c.Panics)
	require.EqualValues(t, 2, c.Records)
	require.EqualValues(t, 2, c.Broken)
}

func TestAsyncRefusesWhatComesTooLate(t *testing.T) {
	for _, c := range []struct {
		settings setting.Map
		problem  string
	}{
		{setting.Map{"mode": "async"}, "async requires emit_tag"},
		{setting.Map{"mode": "async", "emit_tag": "alert"}, "want alert_key off"},
		{with(asynchronous, "keep", "alerts"), "want keep all"},
		{with(asynchronous, "async_full", "drop"), "async_full"},
	} {
		_, err := open(c.settings, func(telemetry.Level, string) {})
		require.ErrorContains(t, err, c.problem)
	}
}
