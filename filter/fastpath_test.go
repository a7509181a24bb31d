package filter

import (
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// patient has a budget, as filters have unless they are told otherwise, that lasts on every machine.
var patient = setting.Map{"inspect_budget": "1m"}

// allocations returns how many a call of Process with one of the chunks makes on average, in that quarter of them in which least
// else was going on: what is counted is the process.
func allocations(t *testing.T, f *Filter, chunks [][]byte) float64 {
	t.Helper()
	for f.engine.HasOverdueRuns() { // of tests before
		time.Sleep(time.Millisecond)
	}
	var out Outcome
	least := math.Inf(1)
	for quarter := range slices.Chunk(chunks, len(chunks)/4) {
		i := 0
		least = min(least, testing.AllocsPerRun(len(quarter)-1, func() {
			f.Process(quarter[i], "nano", &out)
			i++
		}))
	}
	return least
}

func TestCleanRecordsThatTheCacheAnswersAllocateNothing(t *testing.T) {
	f := newFilter(t, patient)
	process(f, browserEvent(1, false), "nano")
	chunks := make([][]byte, 1000)
	for i := range chunks {
		chunks[i] = browserEvent(1, false)
	}
	before := f.rules.Set().Speed()
	require.Zero(t, allocations(t, f, chunks))
	require.EqualValues(t, len(chunks), f.rules.Set().Speed().Cached-before.Cached)
}

// prefilterAllocations bounds what a record costs of which two values are new to the prefilter: libinjection's check for XSS allocates for
// each of its five contexts, and a few transformations of Coraza for their result. Our own code adds nothing.
const prefilterAllocations = 40

func TestCleanRecordsThatTheGateAnswersAllocateOnlyInCoraza(t *testing.T) {
	for name, form := range map[string]bool{"GET": false, "form": true} {
		t.Run(name, func(t *testing.T) {
			f := newFilter(t, setting.Map{"inspect_budget": patient["inspect_budget"], "cache_size": "1M"}) // rules of its own, that have cached nothing
			for i := range 1000 {
				process(f, browserEvent(-i, form), "nano")
			}
			chunks := make([][]byte, 1000)
			for i := range chunks {
				chunks[i] = browserEvent(1+i, form)
			}
			before := f.rules.Set().Speed()
			require.LessOrEqual(t, allocations(t, f, chunks), float64(prefilterAllocations))
			require.EqualValues(t, len(chunks), f.rules.Set().Speed().Prefiltered-before.Prefiltered)
		})
	}
}

func TestRecordsThatAreNotHTTPAllocateNothing(t *testing.T) {
	f := newFilter(t, nil)
	chunk := pairs("L7_PROTOCOL", "dns", "SRC_IP", "192.0.2.9", "message", strings.Repeat("x", 500))
	chunks := make([][]byte, 1000)
	for i := range chunks {
		chunks[i] = chunk
	}
	process(f, chunk, "nano")
	require.Zero(t, allocations(t, f, chunks))
	require.EqualValues(t, 1+len(chunks), f.Counts().NotHTTP)
}

func TestFiltersWithTheSameRulesShareOneSet(t *testing.T) {
	first := newFilter(t, setting.Map{"emit_tag": "alert.$TAG"})
	for range 7 {
		require.Same(t, first.rules.Set(), newFilter(t, setting.Map{"alert_on": "match", "field_map": "nano"}).rules.Set())
	}
	require.NotSame(t, first.rules.Set(), newFilter(t, setting.Map{"anomaly_inbound": "7"}).rules.Set())
}

// heap returns the bytes of live objects.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what the first one left in pools
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// The verdict cache takes 16 bytes for a slot, so that keeping something of each record would show in every round. What the
// automata learn of the traffic shows in the first rounds only.
func TestMemoryStaysFlatOverRecordsThatAllDiffer(t *testing.T) {
	const rounds, records, perRecord = 5, 5000, 8
	f := newFilter(t, setting.Map{"cache_size": "64K"})
	var out Outcome
	var grown []int64
	last := heap()
	for round := range rounds {
		for i := range records {
			f.Process(browserEvent(round*records+i, i%2 == 0), "nano", &out)
		}
		now := heap()
		grown, last = append(grown, now-last), now
	}
	require.Zero(t, f.rules.Set().Speed().Cached)
	require.Less(t, slices.Min(grown), int64(records*perRecord), "bytes in each round: %v", grown)
}
