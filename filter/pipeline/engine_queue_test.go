package pipeline

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/telemetry"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corpus"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// takeAll takes all slots for records, so that none is inspected until they are released: a test that stands still for as long as the
// engine takes finds the verdict there, and its budget used up, too.
func (e *EngineSlots) takeAll() (release func()) {
	pools := []chan struct{}{e.quick, e.slow}
	for _, pool := range pools {
		for range cap(pool) {
			pool <- struct{}{}
		}
	}
	return func() {
		for _, pool := range pools {
			for range cap(pool) {
				<-pool
			}
		}
	}
}

func TestRecordsThatAreNotInspectedInTimePassAndAreCounted(t *testing.T) {
	f := newFilter(t, setting.Map{"inspect_budget": "1ms"})
	slow := largeAttack(1, 3001)
	var out Outcome
	release := f.inspector.evaluator.slots.takeAll()
	f.Process(slow, "nano", &out)
	release()
	require.True(t, out.Changed)
	require.Equal(t, string(notInspected), waf(out.Data))
	c := f.Counts()
	require.Equal(t, telemetry.Counts{Records: 1, Skipped: 1, Late: 1, Sources: c.Sources}, c)

	// An engine that has begun goes on, and what it finds is cached.
	for f.Counts().Alerts == 0 {
		for f.inspector.evaluator.slots.overdueRuns() > 0 {
			time.Sleep(time.Millisecond)
		}
		f.Process(slow, "nano", &out)
	}
	require.Contains(t, waf(out.Data), "score")
}

func TestLateRecordsStayAsTheyAreWithoutAnAlertKey(t *testing.T) {
	f := newFilter(t, setting.Map{"inspect_budget": "1ms", "alert_key": "off", "keep": "alerts"})
	var out Outcome
	defer f.inspector.evaluator.slots.takeAll()()
	f.Process(largeAttack(1, 3002), "nano", &out)
	require.False(t, out.Changed)
	require.EqualValues(t, 1, f.Counts().Late)
}

func TestABudgetThatLastsChangesNoVerdict(t *testing.T) {
	var chunk []byte
	for i := range uint64(60) {
		r := corpus.Clean(i)
		chunk = r.AppendEvent(chunk, 0)
		if i%7 == 0 {
			chunk = append(chunk, slowEvent(int(i))...)
		}
		if i%5 == 0 {
			chunk = append(chunk, pairs("remote_addr", "192.0.2.7", "request_uri", "/?q=<script>alert(1)</script>",
				"request_method", "GET", "status", "200", "host", "shop.example", "server_protocol", "HTTP/1.1")...)
		}
	}
	unlimited, limited := newFilter(t, nil), newFilter(t, setting.Map{"inspect_budget": "1m", "cache_size": "8M"})
	var want, got Outcome
	unlimited.Process(chunk, "nano", &want)
	limited.Process(chunk, "nano", &got)
	require.Equal(t, want.Data, got.Data)
	require.Equal(t, unlimited.Counts(), limited.Counts())
}

// A flood of bodies that each keep the engine busy must not hold up the records behind it.
func TestFloodOfSlowRecordsLetsOthersPass(t *testing.T) {
	const slow = 20
	f := newFilter(t, setting.Map{"inspect_budget": "20ms"})
	var flood []byte
	for range slow {
		flood = append(flood, uncachedSlowEvent()...)
	}
	one := newFilter(t, setting.Map{"gate": "off", "cache_size": "0"})
	begin := time.Now()
	process(one, uncachedSlowEvent(), "nano")
	alone := time.Since(begin)

	var out Outcome
	for f.Counts().Clean == 0 { // cached from now on
		f.Process(browserEvent(1, false), "nano", &out)
	}
	before := f.Counts()
	took, rounds := time.Hour, 0 // of the fastest round: in others the machine may have been busy
	for ; rounds < 3 || rounds < 10 && 3*took >= slow*alone; rounds++ {
		begin = time.Now()
		f.Process(flood, "nano", &out)
		f.Process(browserEvent(1, false), "nano", &out)
		took = min(took, time.Since(begin))
	}
	require.Less(t, 3*took, slow*alone, "no faster than inspecting everything once")
	c := f.Counts()
	require.EqualValues(t, rounds*(slow+1), c.Records-before.Records)
	require.Equal(t, c.Records, c.Clean+c.Alerts+c.NotHTTP+c.Broken+c.Skipped)
	require.NotZero(t, c.Late)
	require.EqualValues(t, rounds, c.Clean-before.Clean)
}
