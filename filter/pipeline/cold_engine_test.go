package pipeline

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

func TestAColdEngineHasMoreTime(t *testing.T) {
	f := newFilter(t, setting.Map{"inspect_budget": ""})
	require.Equal(t, coldBudget, f.timeBudget.next())
	f.meter.Ways[rules.Evaluated].Add(coldRuns)
	require.Equal(t, 50*time.Millisecond, f.timeBudget.next())
	require.Equal(t, 2*time.Millisecond, newFilter(t, setting.Map{"inspect_budget": "2ms"}).timeBudget.next(), "the operator has set it")
	require.Zero(t, newFilter(t, setting.Map{"inspect_budget": "off"}).timeBudget.next())
}
