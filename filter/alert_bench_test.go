package filter

import (
	"testing"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// BenchmarkAlert measures what an alert costs whose verdict is cached: redaction and writing, without the engine.
func BenchmarkAlert(b *testing.B) {
	chunk, _ := corpusOfSecrets(1)
	for name, settings := range map[string]setting.Map{
		"map":               {},
		"map, not redacted": {"redact": "off"},
		"msa":               {"emit_tag": "alert", "alert_key": "off"},
		"msa, not redacted": {"emit_tag": "alert", "alert_key": "off", "redact": "off"},
		"ecs":               {"emit_tag": "alert", "alert_key": "off", "emit_format": string(alert.ECS)},
		"summed up":         {"emit_tag": "alert", "alert_key": "off", "flood_window": "1h"},
	} {
		b.Run(name, func(b *testing.B) {
			f, err := New(testHost, settings, func(Level, string) {})
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			var out Outcome
			f.Process(chunk, "nano", &out)
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				f.Process(chunk, "nano", &out)
			}
		})
	}
}
