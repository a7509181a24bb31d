package packs

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEveryPackAndItsScoringIsEmbedded(t *testing.T) {
	for _, name := range append([]string{ScoringSetup, Scoring}, Names...) {
		text, err := Text(name)
		require.NoError(t, err)
		require.True(t, strings.Contains(text, "SecRule ") || strings.Contains(text, "SecAction "), name)
	}
	_, err := Text("other")
	require.ErrorContains(t, err, `unknown rule pack "other"`)
}
