package rules

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// What provokes the packs and is legitimate must not alert, whichever rule of theirs it provokes, and whatever engine looks at it.
func TestLegitimateTrafficThatProvokesThePacksIsClean(t *testing.T) {
	text, err := os.ReadFile("packs/legitimate.yaml")
	require.NoError(t, err)
	var cases []packCase
	require.NoError(t, yaml.Unmarshal(text, &cases))
	require.Greater(t, len(cases), 80)
	for name, prefilter := range map[string]string{"with the prefilter": "on", "without the prefilter": "off"} {
		t.Run(name, func(t *testing.T) {
			settings := ownOnly(t)
			settings["prefilter"] = prefilter
			set := open(t, settings)
			for i := range cases {
				v := inspected(t, set, &cases[i])
				assert.False(t, v.Blocked, "%v: %.300q %.300q", ids(v), cases[i].Request, cases[i].Response)
			}
		})
	}
}
