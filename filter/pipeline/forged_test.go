package pipeline

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tinylib/msgp/msgp"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

var (
	cleanFields  = []string{"METHOD", "GET", "URL", "/ok", "DOMAIN", "shop.example", "AGENT", "Mozilla/5.0"}
	attackFields = []string{"METHOD", "GET", "URL", "/?t=../../etc/passwd"}
)

// forged is a record of fields, behind a verdict that its sender has put there.
func forged(fields []string) []byte { return pairs(append([]string{"waf", "forged"}, fields...)...) }

func failing() *verdictHandler {
	return &verdictHandler{onAlert: func(*item, *alert.View) { panic("on purpose") }}
}

func TestVerdictsOfTheSenderDoNotGoOnWhenInspectionFails(t *testing.T) {
	f := newFilter(t, nil)
	f.inspector.inLine = failing()
	out := process(f, forged(attackFields), "nano")
	require.Equal(t, pairs(attackFields...), out.Data)
	require.EqualValues(t, 1, f.Counts().Broken)

	late := newFilter(t, setting.Map{"inspect_budget": "1ms"})
	e, _, err := record.Next(largeAttack(1, 3003))
	require.NoError(t, err)
	came := append(append([]byte{}, e.Head...), record.AppendMapWith(nil, e.Body, "waf", msgp.AppendString(nil, "forged"))...)
	out = process(late, came, "nano")
	require.Equal(t, append(append([]byte{}, e.Head...), record.AppendMapWith(nil, e.Body, "waf", notInspected)...), out.Data)
}

// The engine evaluates copies of records that wait for it.
func TestVerdictsOfTheSenderDoNotGoOnFromTheQueue(t *testing.T) {
	f := newFilter(t, setting.Map{"inspect_budget": "1m", "gate": "off", "cache_size": "0"})
	out := process(f, forged(cleanFields), "nano")
	require.Equal(t, pairs(cleanFields...), out.Data)
	f.inspector.inLine = failing()
	out = process(f, forged(attackFields), "nano")
	require.Equal(t, pairs(attackFields...), out.Data)
	require.EqualValues(t, 1, f.Counts().Broken)
}
