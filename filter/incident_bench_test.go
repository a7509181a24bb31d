package filter

import (
	"maps"
	"runtime"
	"runtime/debug"
	"syscall"
	"testing"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corpus"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// BenchmarkIncidents measures what incident detection adds to a clean record, in processor time: the same chunks go to a filter without it
// and to one with it in turn, so that whatever else runs on the machine slows both.
func BenchmarkIncidents(b *testing.B) {
	for name, repeats := range map[string]bool{"repeated": true, "all different": false} {
		b.Run(name, func(b *testing.B) {
			const records = 100
			var filters [2]*Filter
			for i, incidents := range []string{"off", "on"} {
				settings := setting.Map(maps.Clone(corpus.Settings))
				settings["incidents"] = incidents
				f, err := New(testHost, settings, func(Level, string) {})
				if err != nil {
					b.Fatal(err)
				}
				defer f.Close()
				filters[i] = f
			}
			var out Outcome
			var took [2]time.Duration
			next := uint64(0)
			round := func(n int) {
				if n%20 == 0 {
					runtime.GC()
				}
				for i := range filters {
					i = (i + n) % 2
					chunk := chunkOf(next, records, records)
					if !repeats {
						next += records // they share cached verdicts
					}
					before := processorTime(b)
					filters[i].Process(chunk, "nano", &out)
					took[i] += processorTime(b) - before
				}
			}
			defer debug.SetGCPercent(debug.SetGCPercent(-1)) // garbage is that of making chunks
			for n := range 20 {
				round(n)
			}
			took = [2]time.Duration{}
			b.ResetTimer()
			for n := range (b.N + records - 1) / records {
				round(n)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(took[0])/float64(b.N), "cpu-ns/off")
			b.ReportMetric(float64(took[1])/float64(b.N), "cpu-ns/on")
			b.ReportMetric(100*float64(took[1]-took[0])/float64(took[0]), "%-more")
		})
	}
}

func processorTime(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
