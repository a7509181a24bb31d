package cli

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSizesOfAllInputsMustBeKnown(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records")
	require.NoError(t, os.WriteFile(path, make([]byte, 7), 0o600))
	require.Equal(t, int64(14), sizeOf([]string{path, path, "missing"}))
	require.Equal(t, int64(-1), sizeOf([]string{path, "-"}))
	require.Equal(t, int64(-1), sizeOf([]string{path, os.DevNull}))
}
