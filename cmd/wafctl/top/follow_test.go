package top

import (
	"bufio"
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// following reads lines of a file as they come.
func following(t *testing.T, path string, atEnd bool) (next func() string, end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	f, err := OpenFollow(ctx, path, atEnd)
	require.NoError(t, err)
	lines := make(chan string)
	go func() {
		defer close(lines)
		for scanner := bufio.NewScanner(f); scanner.Scan(); {
			if scanner.Text() != "" {
				lines <- scanner.Text()
			}
		}
	}()
	t.Cleanup(func() { cancel(); f.Close() })
	return func() string {
			t.Helper()
			select {
			case line, more := <-lines:
				if !more {
					return "the end"
				}
				return line
			case <-time.After(20 * time.Second):
				require.Fail(t, "no line")
				return ""
			}
		}, func() {
			cancel()
			for range lines { //nolint:revive // what is left
			}
		}
}

func write(t *testing.T, path, text string, flag int) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|flag, 0o600)
	require.NoError(t, err)
	_, err = file.WriteString(text)
	require.NoError(t, err)
	require.NoError(t, file.Close())
}

func TestAFileIsFollowedThroughRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	write(t, path, "one\n", os.O_APPEND)
	next, end := following(t, path, false)
	require.Equal(t, "one", next())
	write(t, path, "two\nthr", os.O_APPEND)
	require.Equal(t, "two", next())
	write(t, path, "ee\nunfinished", os.O_APPEND)
	require.Equal(t, "three", next())

	require.NoError(t, os.Rename(path, path+".1"))
	write(t, path+".1", " to the end", os.O_APPEND)
	write(t, path, "four\n", os.O_APPEND)
	require.Equal(t, "unfinished to the end", next(), "the old file is read to its end")
	require.Equal(t, "four", next())

	write(t, path, "5\n", os.O_TRUNC)
	require.Equal(t, "5", next(), "a truncated file is read from its start")
	end()
	require.Equal(t, "the end", next())
}

func TestAFileIsFollowedFromItsEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	write(t, path, "old\n", os.O_APPEND)
	next, _ := following(t, path, true)
	write(t, path, "new\n", os.O_APPEND)
	require.Equal(t, "new", next())
}

func TestWhatCannotBeFollowed(t *testing.T) {
	_, err := OpenFollow(context.Background(), filepath.Join(t.TempDir(), "missing"), false)
	require.ErrorContains(t, err, "no such file")
	_, err = OpenFollow(context.Background(), t.TempDir(), false)
	require.ErrorContains(t, err, "is not a regular file (want one, or - for standard input)")
}
