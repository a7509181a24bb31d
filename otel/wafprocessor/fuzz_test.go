package wafprocessor

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/fluent-bit-waf/fluent-bit-waf/otel/wafprocessor/internal/metadata"
)

// FuzzRecords has the processor inspect whatever can come over OTLP: every record goes on as it came, but for verdicts.
func FuzzRecords(f *testing.F) {
	for _, fill := range []func(plog.LogRecord){request("/"), request(attack), func(r plog.LogRecord) { r.Body().SetStr("#Fields: date time") }} {
		text, err := (&plog.ProtoMarshaler{}).MarshalLogs(single(fill))
		require.NoError(f, err)
		f.Add(text)
	}
	p, sink := started(f, nil)
	f.Fuzz(func(t *testing.T, text []byte) {
		logs, err := (&plog.ProtoUnmarshaler{}).UnmarshalLogs(text)
		if err != nil {
			return
		}
		before := plog.NewLogs()
		logs.CopyTo(before)
		sink.Reset()
		require.NoError(t, p.ConsumeLogs(t.Context(), logs))
		require.Equal(t, stripped(t, before), stripped(t, sink.AllLogs()[0]))
	})
}

// stripped returns records without verdicts and alerts as JSON.
func stripped(t *testing.T, logs plog.Logs) string {
	t.Helper()
	for _, resource := range logs.ResourceLogs().All() {
		resource.ScopeLogs().RemoveIf(func(s plog.ScopeLogs) bool { return s.Scope().Name() == metadata.ScopeName })
		for _, scope := range resource.ScopeLogs().All() {
			for _, r := range scope.LogRecords().All() {
				r.Attributes().RemoveIf(func(name string, _ pcommon.Value) bool { return isVerdict(name, "waf") })
			}
		}
	}
	text, err := (&plog.JSONMarshaler{}).MarshalLogs(logs)
	require.NoError(t, err)
	return string(text)
}
