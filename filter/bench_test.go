package filter

import (
	"maps"
	"testing"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corpus"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// chunkOf returns a chunk of the corpus's records from a first number on, every one of them different unless they repeat.
func chunkOf(first, records, different uint64) (chunk []byte) {
	for i := range records {
		r := corpus.Clean(first + i%different).Again(first + i)
		chunk = r.AppendEvent(chunk, corpus.ProbeLimit)
	}
	return chunk
}

// BenchmarkCached measures records whose verdict is cached, one in a call and a hundred.
func BenchmarkCached(b *testing.B) {
	for name, records := range map[string]uint64{"1": 1, "100": 100} {
		b.Run(name, func(b *testing.B) {
			f, err := New(testHost, setting.Map(corpus.Settings), func(Level, string) {})
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			chunk := chunkOf(0, records, 40)
			var out Outcome
			f.Process(chunk, "nano", &out)
			b.ReportAllocs()
			b.ResetTimer()
			for i := uint64(0); i < uint64(b.N); i += records {
				f.Process(chunk, "nano", &out)
			}
		})
	}
}

// BenchmarkUnknown measures clean records that all differ, so that the prefilter runs.
func BenchmarkUnknown(b *testing.B) {
	f, err := New(testHost, setting.Map(corpus.Settings), func(Level, string) {})
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	const records = 100
	var out Outcome
	for i := uint64(0); i < 2000; i += records {
		f.Process(chunkOf(1<<40+i, records, records), "nano", &out)
	}
	chunks := make([][]byte, b.N/records+1)
	for i := range chunks {
		chunks[i] = chunkOf(uint64(i*records), records, records)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range chunks {
		f.Process(chunks[i], "nano", &out)
	}
}

// BenchmarkAsync measures records that are handed over one by one, as Fluent Bit's in_udp does, and inspected beside that.
func BenchmarkAsync(b *testing.B) {
	const records = 5_000
	for name, repeats := range map[string]bool{"repeated": true, "all different": false} {
		b.Run(name, func(b *testing.B) {
			settings := setting.Map(maps.Clone(corpus.Settings))
			maps.Copy(settings, setting.Map{"mode": "async", "emit_tag": "alert.$TAG", "alert_key": "off"})
			f, err := New(testHost, settings, func(Level, string) {})
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			var out Outcome
			begin := uint64(0)
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				chunks := make([][]byte, records)
				for i := range chunks {
					chunks[i] = chunkOf(begin+uint64(i), 1, 40)
				}
				if !repeats {
					begin += records
				}
				want := f.Counts().Records + records
				b.StartTimer()
				for _, chunk := range chunks {
					f.Process(chunk, "nano", &out)
				}
				for f.Counts().Records < want {
					time.Sleep(50 * time.Microsecond)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/records, "ns/record")
		})
	}
}
