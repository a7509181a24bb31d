package filter

import (
	"maps"
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
			round := func() {
				for i, f := range filters { // they share cached verdicts
					chunk := chunkOf(next, records, records)
					if !repeats {
						next += records
					}
					before := processorTime(b)
					f.Process(chunk, "nano", &out)
					took[i] += processorTime(b) - before
				}
			}
			for range 20 {
				round()
			}
			took = [2]time.Duration{}
			b.ResetTimer()
			for i := 0; i < b.N; i += records {
				round()
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
