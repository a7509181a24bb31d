package filter

import (
	"testing"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corpus"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

// chunkOf returns a chunk of the corpus's records from a first number on, every one of them different unless they repeat.
func chunkOf(first, records, different uint64) (chunk []byte) {
	for i := range records {
		r := corpus.Clean(first + i%different).Again(first + i)
		chunk = r.AppendEvent(chunk, corpus.ProbeLimit)
	}
	return chunk
}

// BenchmarkRemembered measures records whose verdict is remembered, one in a call and a hundred.
func BenchmarkRemembered(b *testing.B) {
	for name, records := range map[string]uint64{"1": 1, "100": 100} {
		b.Run(name, func(b *testing.B) {
			f, err := New(setting.Map(corpus.Settings), func(Level, string) {})
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

// BenchmarkUnknown measures clean records that all differ, so that the gate is asked.
func BenchmarkUnknown(b *testing.B) {
	f, err := New(setting.Map(corpus.Settings), func(Level, string) {})
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
