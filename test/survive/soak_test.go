package survive

import (
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// held is what a process must not get more and more of.
type held struct{ heap, goroutines, descriptors int }

func holds(t *testing.T) held {
	t.Helper()
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	open, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return held{int(m.HeapAlloc), runtime.NumGoroutine(), len(open)}
}

// Mixed traffic for the time of SURVIVE: new records all the time, hostile ones among them.
func TestMixedTrafficLeavesNothingBehind(t *testing.T) {
	f := open(t, setting.Map{"emit_tag": "alert", "cache_size": "1M", "flood_window": "1s"})
	long := duration(t)
	var out filter.Outcome
	turn, records := 0, 0
	run := func(until time.Time, turns int) {
		for ; turns > 0 || time.Now().Before(until); turns-- {
			pass(f, traffic(turn, 40), &out)
			pass(f, get("/", numbered(5000, "X-H%d: v\r\n")), &out)
			turn, records = turn+1, records+42
		}
	}
	run(time.Now().Add(long/10), 20) // fills caches and pools
	before := holds(t)
	run(time.Now().Add(long), 20)
	after := holds(t)
	t.Logf("%d records: heap %d kB and %d kB at the end, goroutines %d and %d, descriptors %d and %d", records, before.heap>>10, after.heap>>10,
		before.goroutines, after.goroutines, before.descriptors, after.descriptors)
	require.Less(t, after.heap, before.heap+5<<20)
	require.LessOrEqual(t, after.goroutines, before.goroutines+2)
	require.LessOrEqual(t, after.descriptors, before.descriptors)
	addsUp(t, f, records)
}
