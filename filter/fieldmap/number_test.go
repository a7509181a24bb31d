package fieldmap

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNumber(t *testing.T) {
	for text, want := range map[string]uint64{
		"0": 0, "7": 7, "007": 7, "65535": 65535, "65536": 0, "99999999999999999999999": 0,
		"": 0, "-": 0, "-1": 0, "+1": 0, "1_0": 0, "8o": 0, "١": 0,
	} {
		n, ok := number(text, math.MaxUint16)
		require.Equal(t, want, n, text)
		require.Equal(t, want > 0 || text == "0", ok, text)
	}
	n, ok := number("9223372036854775807", math.MaxInt64)
	require.True(t, ok)
	require.EqualValues(t, math.MaxInt64, n)
	_, ok = number("9223372036854775808", math.MaxInt64)
	require.False(t, ok)
}
