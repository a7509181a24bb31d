package filter

import (
	"maps"
	"testing"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corpus"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// BenchmarkAlert measures what an alert costs whose verdict is cached: redaction and writing, without the engine. Records of
// secrets have one in each place, and the attacks of the corpus have few.
func BenchmarkAlert(b *testing.B) {
	secrets, _ := corpusOfSecrets(1)
	const attacks = 100
	var ordinary []byte
	for i := range uint64(attacks) {
		r := corpus.Attack(1<<41 + i)
		ordinary = r.AppendEvent(ordinary, 0)
	}
	for name, settings := range map[string]setting.Map{
		"none":              {"alert_key": "off"},
		"map":               {},
		"map, not redacted": {"redact": "off"},
		"msa":               {"emit_tag": "alert", "alert_key": "off"},
		"msa, not redacted": {"emit_tag": "alert", "alert_key": "off", "redact": "off"},
		"ecs":               {"emit_tag": "alert", "alert_key": "off", "emit_format": string(alert.ECS)},
		"summed up":         {"emit_tag": "alert", "alert_key": "off", "flood_window": "1h"},
	} {
		b.Run(name+"/secrets", func(b *testing.B) { benchmarkCachedAlert(b, settings, secrets, 1) })
		settings = maps.Clone(settings)
		maps.Copy(settings, corpus.Settings)
		b.Run(name+"/attacks", func(b *testing.B) { benchmarkCachedAlert(b, settings, ordinary, attacks) })
	}
}

func benchmarkCachedAlert(b *testing.B, settings setting.Map, chunk []byte, records int) {
	f, err := New(testHost, settings, func(Level, string) {})
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	var out Outcome
	f.Process(chunk, "nano", &out)
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i += records {
		f.Process(chunk, "nano", &out)
	}
}
