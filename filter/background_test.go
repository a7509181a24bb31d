package filter

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

var inBackground = setting.Map{"mode": "async", "emit_tag": "alert.$TAG", "alert_key": "off"}

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
func due(t *testing.T, f *Filter, n int) (emits []Emit) {
	t.Helper()
	require.Eventually(t, func() bool {
		emits = f.Due(emits)
		return len(emits) >= n
	}, 30*time.Second, time.Millisecond)
	return emits
}

func TestBackgroundFindsTheSameAlertsInTheSameOrder(t *testing.T) {
	const chunks = 20
	beside, inline := newFilter(t, inBackground), newFilter(t, setting.Map{"emit_tag": "alert.$TAG", "alert_key": "off"})
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
	require.Equal(t, want, append(got, due(t, beside, chunks-len(got))...))
	require.Equal(t, inline.Counts(), beside.Counts())
}

func TestFullQueueWaitsOrSkips(t *testing.T) {
	const chunks = 10
	for policy, lost := range map[string]bool{"wait": false, "skip": true} {
		t.Run(policy, func(t *testing.T) {
			f := newFilter(t, with(inBackground, "async_limit", "1K", "async_full", policy))
			for i := range chunks {
				var out Outcome
				f.Process(slowEvent(i), "nano", &out)
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
	const chunks = 8
	f := newFilter(t, with(inBackground, "async_limit", "20K"))
	go func() {
		for i := range chunks {
			f.background.put(slowEvent(i), "nano")
		}
	}()
	require.Eventually(t, func() bool {
		f.background.mu.Lock()
		defer f.background.mu.Unlock()
		return f.background.waiting > f.config.queueLimit
	}, 30*time.Second, time.Millisecond)
	time.Sleep(20 * time.Millisecond)
	require.Less(t, f.Counts().Alerts, uint64(chunks))
	for taken := 0; taken < chunks; {
		taken += len(due(t, f, 1))
	}
}

func TestEndCountsWhatWasNotInspectedOrTaken(t *testing.T) {
	const chunks = 6
	f, err := New(with(inBackground), func(Level, string) {})
	require.NoError(t, err)
	emitted := 0
	for i := range chunks {
		var out Outcome
		f.Process(slowEvent(i), "nano", &out)
		emitted += len(out.Emits)
	}
	require.NoError(t, f.Close())
	c := f.Counts()
	require.EqualValues(t, chunks, c.Records)
	require.EqualValues(t, chunks, c.Alerts+c.Skipped)
	require.EqualValues(t, c.Alerts, c.Failed+uint64(emitted))
}

func TestChunkWithAPanicIsCountedAsBroken(t *testing.T) {
	f := newFilter(t, inBackground)
	q := &background{filter: f}
	f.evaluateInto = func(*item, *scratch) { panic("not that of a record") }
	require.Empty(t, q.inspect(queuedChunk{append(clean("/a"), clean("/b")...), "nano"}))
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
		{setting.Map{"mode": "async"}, "async needs emit_tag"},
		{setting.Map{"mode": "async", "emit_tag": "alert"}, "want alert_key off"},
		{with(inBackground, "keep", "alerts"), "want keep all"},
		{with(inBackground, "async_full", "drop"), "async_full"},
	} {
		_, err := New(c.settings, func(Level, string) {})
		require.ErrorContains(t, err, c.problem)
	}
}
