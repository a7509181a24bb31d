package pipeline

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

// An output gets a chunk again when its destination has failed.
func TestAChunkThatComesAgainIsCorrelatedOnce(t *testing.T) {
	f := newFilter(t, setting.Map{"incidents": "on"})
	for n := range 8 {
		name := fmt.Sprint("chunk ", n)
		chunk := append(attackEvent(n), clean("/")...)
		for range 4 {
			f.Alerts(chunk, "nano", name)
		}
		f.Forget(name)
	}
	require.EqualValues(t, 16, f.inspector.correlation.correlator.Counts().Observed)
	require.Empty(t, f.inspector.correlation.chunks)
}
