package rules

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corpus"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

func presetCases(t *testing.T, name string) (cases []packCase) {
	t.Helper()
	text, err := os.ReadFile("presets/" + name + ".yaml")
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(text, &cases))
	return cases
}

func TestPresetAPIKeepsInterfacesForProgramsCleanAndFindsAttacksInThem(t *testing.T) {
	clean, attacks := presetCases(t, "api-clean"), presetCases(t, "api-attacks")
	require.Greater(t, len(clean), 75)
	require.Greater(t, len(attacks), 35)
	for name, settings := range map[string]setting.Map{
		"with the prefilter":    {"preset": "api"},
		"without the prefilter": {"preset": "api", "prefilter": "off", "cache_size": "0"},
	} {
		t.Run(name, func(t *testing.T) {
			set := open(t, settings)
			for i := range clean {
				v := inspected(t, set, &clean[i])
				assert.False(t, v.Blocked, "%v: %.300q", ids(v), clean[i].Request)
			}
			for i := range attacks {
				assert.True(t, inspected(t, set, &attacks[i]).Blocked, "%.300q", attacks[i].Request)
			}
		})
	}
	t.Run("without the preset", func(t *testing.T) {
		set, alerts := open(t, nil), 0
		for i := range clean {
			if inspected(t, set, &clean[i]).Blocked {
				alerts++
			}
		}
		require.Greater(t, alerts, len(clean)/2, "cases that need the preset")
		for i := range attacks {
			assert.True(t, inspected(t, set, &attacks[i]).Blocked, "%.300q", attacks[i].Request)
		}
	})
}

func TestPresetAPIKeepsGeneratedTrafficClean(t *testing.T) {
	with, without := open(t, setting.Map{"preset": "api"}), open(t, nil)
	alerts, before := 0, 0
	const records = 400
	for i := range uint64(records) {
		r := corpus.Clean(i)
		v, err := with.Inspect(fromCorpus(t, &r))
		require.NoError(t, err)
		if v.Blocked {
			alerts++
			t.Logf("%s %s: %v", r.Method, r.Target, ids(v))
		}
		if v, err = without.Inspect(fromCorpus(t, &r)); err == nil && v.Blocked {
			before++
		}
	}
	t.Logf("%d records: %d alerts, %d without the preset", records, alerts, before)
	require.Less(t, alerts, 2)
	require.Greater(t, before, records/10)
}

func TestAPropertyOverrulesItsPreset(t *testing.T) {
	request := packCase{Request: "DELETE /v1/orders/17\nHost: api.example.com"}
	for _, c := range []struct {
		settings setting.Map
		blocked  bool
	}{
		{setting.Map{}, true},
		{setting.Map{"preset": "off"}, true},
		{setting.Map{"preset": "API"}, false},
		{setting.Map{"preset": "api", "allowed_methods": "GET POST"}, true},
		{setting.Map{"preset": "api", "allowed_methods": "GET DELETE"}, false},
	} {
		require.Equal(t, c.blocked, inspected(t, open(t, c.settings), &request).Blocked, "%v", c.settings)
	}
	r := setting.NewReader(setting.Map{"preset": "shop"}, Properties())
	ReadConfig(r)
	require.ErrorContains(t, r.Err(), `property preset: unknown value "shop" (want off or api)`)
}
