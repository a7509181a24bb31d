package filter

import (
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/delivery"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/flood"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/metrics"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

func TestPanicOfAHelperIsOneOfItsCall(t *testing.T) {
	b := spreadBatch(t, 3)
	c := &crew{batch: b, work: func(*item, *scratch) { panic("work") }}
	c.help()
	require.PanicsWithValue(t, "work", c.close, "the call has to know, and lets the chunk pass")

	twoThreads(t)
	b = spreadBatch(t, 40)
	b.pace.set(crewTime)
	require.Panics(t, func() { b.each(func(*item, *scratch) { panic("work") }) })
}

// A panic between the count of records and their alerts: each record is counted once, and so is each alert.
func TestPanicOfFloodControlLosesNothingFromTheSums(t *testing.T) {
	t.Run("inline", func(t *testing.T) {
		f := newFilter(t, setting.Map{"emit_tag": "alert", "inspect_budget": "1m"})
		f.pipeline.inspector.writer.flood = &flood.Control{} // it panics when it is asked
		defer func() { f.pipeline.inspector.writer.flood = nil }()
		chunk := slices.Concat(attackEvent(1), clean("/"), attackEvent(2))
		var out Outcome
		require.Panics(t, func() { f.Process(chunk, "nano", &out) })
		f.Abandon(chunk, &out)
		c := f.Counts()
		require.Equal(t, Counts{Records: 3, Clean: 1, Alerts: 2, Failed: 2, Sources: c.Sources}, c)
		require.Empty(t, out.Emits)
	})
	t.Run("async", func(t *testing.T) {
		f := newFilter(t, inBackground)
		q := queueOf(f)
		f.pipeline.inspector.writer.flood = &flood.Control{}
		defer func() { f.pipeline.inspector.writer.flood = nil }()
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
		require.Equal(t, Counts{Records: 5, Clean: 1, Alerts: 2, Broken: 2, Failed: 2, Panics: 1, Sources: c.Sources}, c)
		require.Equal(t, 2, queued)
		require.EqualValues(t, 7, f.Counts().Records)
	})
}

// The log panics in the middle of a reload; rules that are in use go on to be so, and later changes are seen.
func TestPanicInAReloadLetsLaterOnesCome(t *testing.T) {
	file := filepath.Join(t.TempDir(), "own.conf")
	writeFile(t, file, ruleFor("one"))
	var log journal
	var panics atomic.Int32
	f, err := New(setting.Map{"rules": file, "reload_interval": quick, "inspect_budget": "off"}, func(level Level, line string) {
		for _, where := range []string{"compared with", "were reloaded in"} {
			if strings.Contains(line, where) && panics.Add(1) <= 2 {
				panic("log")
			}
		}
		log.log(level, line)
	})
	require.NoError(t, err)
	before := f.rules.rules.Load()
	for n, path := range []string{"two", "three", "four"} {
		writeFile(t, file, ruleFor(path))
		eventually(t, path, func() bool { return process(f, clean("/"+path), "nano").Changed })
		eventually(t, "its end", func() bool { return f.rules.reloads.done.Load()+f.rules.reloads.failed.Load() > uint64(n) })
	}
	require.Zero(t, before.users.Load(), "the rules of before are released")
	require.EqualValues(t, 2, f.Counts().Panics)
	require.Equal(t, 1, strings.Count(log.String(), "reload of rules: recovered from a panic"))
	closed := make(chan error)
	go func() { closed <- f.Close() }()
	select {
	case err := <-closed:
		require.NoError(t, err)
	case <-time.After(30 * time.Second):
		require.Fail(t, "the end waits for the goroutine that panicked")
	}
}

// A watch that panics with each look, as long as there is none.
func TestPanicOfTheWatchLetsItGoOn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "own.conf")
	writeFile(t, file, ruleFor("one"))
	f := newFilter(t, setting.Map{"rules": file})
	r := &f.rules.reloads
	r.watch, r.interval, r.stop, r.ended = nil, time.Millisecond, make(chan struct{}), make(chan struct{})
	go f.rules.runReloads()
	eventually(t, "it looks again and again", func() bool { return f.Counts().Panics >= 3 })
	f.rules.stop()
	r.stop = nil
}

func TestPanicOfACollectorCostsWhatItCollects(t *testing.T) {
	f := newFilter(t, setting.Map{"metrics_listen": "127.0.0.1:0"})
	f.Measure(metrics.Collecting(func(chan<- prometheus.Metric) { panic("metrics") }))
	values, _ := scrape(t, f)
	require.NotZero(t, values["waf_rules_loaded"])
	require.EqualValues(t, 1, f.Counts().Panics)
	_, err := f.meter.Instance.AppendRecord(nil)
	require.NoError(t, err)
	require.EqualValues(t, 2, f.Counts().Panics)
}

// A panic between two deliveries costs neither summaries nor the goroutine that delivers them.
func TestPanicOfSummariesLetsLaterOnesCome(t *testing.T) {
	o := newOutput(t, setting.Map{"flood_window": "1s", "alert_to": "file://" + filepath.Join(t.TempDir(), "alerts")})
	o.summaries.stop()
	o.summaries.running.Wait()
	o.log = func(Level, string) { panic("log") }
	o.summaries.waiting = make([]delivery.Message, mostSummaries+1)
	o.summaries.start(o)
	eventually(t, "it panics", func() bool { return o.filter.Counts().Panics > 0 })
	o.summaries.stop()
	o.summaries.running.Wait()
	o.log = func(Level, string) {}
	o.summaries.start(o)
	eventually(t, "it delivers", func() bool { return o.filter.Counts().Summaries > 0 })
}

func TestPanicOfADeliveryIsCounted(t *testing.T) {
	o := newOutput(t, setting.Map{"alert_to": "stdout"})
	o.delivery.Close() //nolint:errcheck // another takes its place
	var err error
	o.delivery, err = delivery.Open("stdout", delivery.Options{Stdout: panicWriter{}, Caught: o.filter.Caught("delivery")})
	require.NoError(t, err)
	require.Error(t, o.Flush(t.Context(), from("192.0.2.7"), "nano"))
	require.EqualValues(t, 1, o.filter.Counts().Panics)
}

type panicWriter struct{}

func (panicWriter) Write([]byte) (int, error) { panic("writer") }
