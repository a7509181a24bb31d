package main

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corpus"
)

// BenchmarkCachedCall measures what a call of cb_filter with one record costs the host's thread when the verdict is cached,
// the way from C to Go and back included.
func BenchmarkCachedCall(b *testing.B) {
	h := start(b, plain)
	var properties []string
	for name, value := range corpus.Settings {
		properties = append(properties, name, value)
	}
	require.Equal(b, "0", h.init(0, "waf.0", properties...))
	r := corpus.Clean(0)
	chunk := toHex(r.AppendEvent(nil, corpus.ProbeLimit))
	h.do("time", "0", "nano", chunk, "10000")
	b.ResetTimer()
	nanoseconds, err := strconv.ParseFloat(h.do("time", "0", "nano", chunk, strconv.Itoa(b.N)), 64)
	require.NoError(b, err)
	b.ReportMetric(nanoseconds, "processor-ns/call")
}
