package filter

import (
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/pipeline"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// warned returns the warnings of a filter that reads chunks and is closed, but for those at its start.
func warned(t *testing.T, chunks ...[]byte) (while, all []string) {
	t.Helper()
	var mu sync.Mutex
	f, err := New(testHost, setting.Map{}, func(level Level, text string) {
		mu.Lock()
		defer mu.Unlock()
		if level == LevelWarn && strings.Contains(text, "nothing is inspected") {
			all = append(all, text)
		}
	})
	require.NoError(t, err)
	for _, chunk := range chunks {
		process(f, chunk, "app")
	}
	while = all
	require.NoError(t, f.Close())
	return while, all
}

func repeated(chunk []byte, n int) []byte { return []byte(strings.Repeat(string(chunk), n)) }

func TestFilterThatInspectsNothingSaysSoOnce(t *testing.T) {
	strange, http := pairs("level", "info", "event", "secret-value"), lineOf("/")
	while, all := warned(t, repeated(strange, 600), repeated(strange, 600), repeated(strange, 2000))
	require.Equal(t, []string{`nothing is inspected: no HTTP transaction in the first 1200 records. The first one has the keys level, event. ` +
		`"wafctl map FILE" shows how records are read`}, while)
	require.Equal(t, while, all)

	while, all = warned(t, repeated(strange, 7))
	require.Empty(t, while)
	require.Equal(t, []string{`nothing is inspected: no HTTP transaction in the first 7 records. The first one has the keys level, event. ` +
		`"wafctl map FILE" shows how records are read`}, all)

	for name, chunks := range map[string][][]byte{
		"nothing at all":       nil,
		"a request first":      {logged(t, http), repeated(strange, 2000)},
		"a request in between": {repeated(strange, 900), logged(t, http), repeated(strange, 2000)},
		"a request at the end": {repeated(strange, 900), logged(t, http)},
		"a list with one":      {logged(t, listOf(map[string]any{"a": 1}, gateway("192.0.2.1", "a=b"))), repeated(strange, 2000)},
	} {
		_, all := warned(t, chunks...)
		require.Empty(t, all, name)
	}
}

func TestLooksNameKeysAlone(t *testing.T) {
	require.Equal(t, "has no keys", pipeline.DescribeKeys(nil))
	require.Equal(t, "has only the key log, with a line in no known format", pipeline.DescribeKeys(pairs("log", "x")[13:]))
	require.Equal(t, "has only the key log", pipeline.DescribeKeys(pairs("log", "{}")[13:]))
	require.Equal(t, "has only the key a", pipeline.DescribeKeys(pairs("a", "x")[13:]))
	var many []string
	for range 50 {
		many = append(many, strings.Repeat("k", 100), "value")
	}
	looks := pipeline.DescribeKeys(pairs(many...)[13:])
	require.NotContains(t, looks, "value")
	require.Less(t, len(looks), 1500)
	require.True(t, strings.HasSuffix(looks, ", …"))
}
