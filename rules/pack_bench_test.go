package rules

import (
	"syscall"
	"testing"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corpus"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

func processorTime(b *testing.B) int64 {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return usage.Utime.Nano() + usage.Stime.Nano()
}

// BenchmarkPacks measures what the packs add to the inspection of clean records, every one different.
func BenchmarkPacks(b *testing.B) {
	for _, prefilter := range []string{"on", "off"} {
		for _, packs := range []string{"off", "lateral-movement", "sensitive-data", "lateral-movement,sensitive-data"} {
			b.Run("prefilter "+prefilter+"/"+packs, func(b *testing.B) {
				settings := setting.Map{"rule_packs": packs, "prefilter": prefilter, "cache_size": "0"}
				for name, value := range corpus.Settings {
					settings[name] = value
				}
				r := setting.NewReader(settings, Properties())
				set, err := library.Open(ReadConfig(r))
				if err != nil {
					b.Fatal(err)
				}
				defer set.Close() //nolint:errcheck // nothing can fail
				const records = 2000
				transactions := make([]*model.Transaction, records)
				for i := range transactions {
					record := corpus.Clean(uint64(i))
					transactions[i] = fromCorpus(b, &record)
				}
				for _, transaction := range transactions { // so that lazily built automata are there
					if _, err := set.Pass(transaction); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportAllocs()
				b.ResetTimer()
				start := processorTime(b)
				for i := range b.N {
					if _, err := set.Pass(transactions[i%records]); err != nil {
						b.Fatal(err)
					}
				}
				// Time on the processor says more than time on the wall where others use the machine too.
				b.ReportMetric(float64(processorTime(b)-start)/float64(b.N), "cpu-ns/op")
			})
		}
	}
}
