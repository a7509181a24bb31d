package wafprocessor

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corpus"
)

// BenchmarkProcessor inspects batches of 100 records that hold lines of nginx or attributes, and repeat.
func BenchmarkProcessor(b *testing.B) {
	for name, fill := range map[string]func(plog.LogRecord, corpus.Record){
		"lines": func(r plog.LogRecord, c corpus.Record) {
			r.Body().SetStr(c.SrcIP + ` - - [30/May/2024:07:16:48 +0000] "` + c.Method + " " + c.Target + ` HTTP/1.1" 200 512 "-" "` + c.Agent + `"`)
		},
		"attributes": func(r plog.LogRecord, c corpus.Record) { request(c.Target)(r) },
	} {
		b.Run(name, func(b *testing.B) {
			site := properties{}
			for name, value := range corpus.Settings {
				site[name] = value
			}
			p, sink := started(b, site)
			logs := plog.NewLogs()
			records := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
			for i := range uint64(100) {
				fill(records.AppendEmpty(), corpus.Clean(i))
			}
			b.ReportAllocs()
			for b.Loop() {
				require.NoError(b, p.ConsumeLogs(b.Context(), logs))
				sink.Reset()
			}
			b.ReportMetric(float64(b.N)*100/b.Elapsed().Seconds(), "records/s")
		})
	}
}
