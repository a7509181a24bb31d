package telemetry

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLabelCountsHaveABoundedNumberOfKeys(t *testing.T) {
	var counted labelCounts
	for i := range maxLabels + 5 {
		counted.add(labels{strconv.Itoa(i), "a"})
		counted.add(labels{"0", "a"})
	}
	all := map[labels]uint64{}
	counted.each(func(l labels, n uint64) { all[l] = n })
	require.Len(t, all, maxLabels+1)
	require.EqualValues(t, maxLabels+6, all[labels{"0", "a"}])
	require.EqualValues(t, 5, all[labels{beyond}])
}
