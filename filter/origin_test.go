package filter

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

func TestAnAlertNamesTheEventThatItIsAbout(t *testing.T) {
	several := event(t, map[string]any{"records": []any{
		map[string]any{"METHOD": "GET", "URL": "/?q=1+union+select+1,2--", "L7_PROTOCOL": "http"},
		map[string]any{"METHOD": "GET", "URL": "/?q=/etc/passwd", "L7_PROTOCOL": "http"},
	}})
	f := newFilter(t, setting.Map{"emit_tag": "alert.$TAG", "flood_window": "60s"})
	out := process(f, bytes.Join([][]byte{clean("/"), sample(t), sample(t), several, clean("/"), sample(t)}, nil), "nano")
	var origins []int
	for _, e := range out.Emits {
		origins = append(origins, e.Origin)
	}
	require.Equal(t, []int{2, 4, 4}, origins, "repeats are suppressed")
	summaries := f.Summaries(true)
	require.NotEmpty(t, summaries)
	require.Zero(t, summaries[0].Origin)
}

func TestValidateReportsAllProblemsWithoutReadingRules(t *testing.T) {
	require.NoError(t, Validate(setting.Map{"rules": "/there/is/no/such/file.conf", "anomaly_inbound": "7"}))
	err := Validate(setting.Map{"anomaly_inbound": "x", "field_map": "nginxx", "flood_window": "1y"})
	require.ErrorContains(t, err, "anomaly_inbound")
	require.ErrorContains(t, err, "field_map")
	require.ErrorContains(t, err, "flood_window")
}
