package rules

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

// BenchmarkOpen opens the Core Rule Set and the packs as at a start.
func BenchmarkOpen(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		set, err := NewLibrary().Open(ReadConfig(setting.NewReader(setting.Map{}, Properties())))
		require.NoError(b, err)
		require.NoError(b, set.Close())
	}
}
