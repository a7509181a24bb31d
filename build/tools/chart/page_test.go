package chart

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestExamplesOfThePageRender renders the chart with each example of values on the page, and with all of them together that are for any mode.
func TestExamplesOfThePageRender(t *testing.T) {
	page, err := os.ReadFile("../../../docs/kubernetes.md")
	require.NoError(t, err)
	examples := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(page, -1)
	require.GreaterOrEqual(t, len(examples), 5)
	var all []string
	for _, example := range examples {
		file := filepath.Join(t.TempDir(), "values.yaml")
		require.NoError(t, os.WriteFile(file, example[1], 0o600))
		values := []string{"--values", file}
		checkObjects(t, decode(t, mustTemplate(t, values...)))
		if !bytes.HasPrefix(example[1], []byte("mode:")) {
			all = append(all, values...)
		}
	}
	checkObjects(t, decode(t, mustTemplate(t, all...)))
}
