package writable

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWhatCannotBeWrittenSaysWhy(t *testing.T) {
	dir := t.TempDir()
	file, pipe := filepath.Join(dir, "file"), filepath.Join(dir, "pipe")
	require.NoError(t, os.WriteFile(file, []byte("kept"), 0o600))
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	for _, good := range []string{file, pipe, filepath.Join(dir, "new"), os.DevNull} {
		require.NoError(t, File(good), good)
	}
	require.EqualError(t, File(dir), "is a directory (want a file)")
	require.EqualError(t, File(filepath.Join(dir, "missing", "new")), "no file can be created in "+dir+"/missing: no such file or directory")
	require.EqualError(t, File(filepath.Join(file, "new")), "not a directory")

	kept, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "kept", string(kept))
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 2, "nothing else stays")
}
