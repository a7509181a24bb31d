package rules

import (
	"testing"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

// BenchmarkOpen measures the time from settings to a rule set that is ready: what a start and a reload take.
func BenchmarkOpen(b *testing.B) {
	for _, packs := range []string{"off", "lateral-movement,sensitive-data"} {
		b.Run(packs, func(b *testing.B) {
			b.ReportAllocs()
			start := processorTime(b)
			for range b.N {
				library := new(Library)
				set, err := library.Open(ReadConfig(setting.NewReader(setting.Map{"rule_packs": packs}, Properties())))
				if err != nil {
					b.Fatal(err)
				}
				if err := set.Close(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(processorTime(b)-start)/float64(b.N)/1e6, "cpu-ms/op")
		})
	}
}
