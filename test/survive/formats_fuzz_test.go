package survive

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// FuzzAlertFormats has alerts about records with any text in them written in all formats: each is one event, and its text one
// valid message.
func FuzzAlertFormats(f *testing.F) {
	for _, text := range forgery {
		f.Add(text)
	}
	filters := map[string]*filter.Filter{}
	for _, format := range alert.Formats() {
		filters[format] = open(f, setting.Map{"emit_tag": "alert", "emit_format": format, "alert_key": "off"})
	}
	f.Fuzz(func(t *testing.T, text string) {
		for format, to := range filters {
			var out filter.Outcome
			to.Process(forged(text), "nano", &out)
			for i := range out.Emits {
				_, rest, err := record.Next(out.Emits[i].Event)
				require.NoError(t, err, format)
				require.Empty(t, rest, format)
				m := out.Emits[i].Message()
				if format == string(alert.CEF) {
					oneLine(t, string(m.JSON))
				} else {
					require.True(t, json.Valid(m.JSON), "%s: %s", format, m.JSON)
				}
			}
			c := to.Counts()
			require.Zero(t, c.Panics)
			require.Equal(t, c.Records, c.Clean+c.Alerts+c.NotHTTP+c.Broken+c.Skipped)
		}
	})
}
