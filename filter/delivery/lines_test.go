package delivery

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func linesOf(t *testing.T, path string) []int {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return lineNumbers(t, string(text))
}

func TestAFileThatWasRotatedIsOpenedAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "alerts.ndjson")
	d := mustOpen(t, "file://"+path, Options{})
	require.NoError(t, d.Deliver(t.Context(), "", alerts(0, 2)))
	require.NoError(t, os.Rename(path, path+".1"))
	require.NoError(t, d.Deliver(t.Context(), "", alerts(2, 4)))
	require.NoError(t, os.Remove(path))
	require.NoError(t, d.Deliver(t.Context(), "", alerts(4, 6)))
	require.NoError(t, os.Truncate(path, 0))
	require.NoError(t, d.Deliver(t.Context(), "", alerts(6, 8)))
	assert.Equal(t, count(0, 2), linesOf(t, path+".1"))
	assert.Equal(t, count(6, 8), linesOf(t, path))
}

func TestAFileIsAppendedTo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "alerts.ndjson")
	for n := range 2 {
		d := mustOpen(t, "file://"+path+"?mode=0600", Options{})
		require.NoError(t, d.Deliver(t.Context(), "", alerts(n, n+1)))
	}
	assert.Equal(t, count(0, 2), linesOf(t, path))
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func TestARelativePathIsOfTheWorkingDirectory(t *testing.T) {
	t.Chdir(t.TempDir())
	d := mustOpen(t, "file:alerts.ndjson", Options{})
	require.NoError(t, d.Deliver(t.Context(), "", alerts(0, 1)))
	assert.Equal(t, count(0, 1), linesOf(t, "alerts.ndjson"))
}

func TestAFileThatCannotBeWrittenIsAnErrorUntilItCan(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "later")
	path := filepath.Join(dir, "alerts.ndjson")
	d := mustOpen(t, "file://"+path, Options{})
	require.ErrorContains(t, d.Deliver(t.Context(), "a", alerts(0, 2)), "deliver to file://"+path+": write: open "+path)
	require.NoError(t, os.Mkdir(dir, 0o700))
	require.NoError(t, retry(t, d, "a", alerts(0, 2)))
	assert.Equal(t, count(0, 2), linesOf(t, path))
	full := mustOpen(t, "file:///dev/full", Options{})
	require.ErrorContains(t, full.Deliver(t.Context(), "a", alerts(0, 2)), "no space left on device")
}

func TestAnAlertIsOneLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "alerts.ndjson")
	d := mustOpen(t, "file://"+path, Options{})
	msgs := alerts(0, 2)
	msgs[0].JSON = []byte("{\"n\":0,\n\"x\":\"\r\n{\\\"n\\\":7}\x1b[2J\"}\n")
	require.NoError(t, d.Deliver(t.Context(), "", msgs))
	assert.Equal(t, count(0, 2), linesOf(t, path))
}

// flakyWriter takes a number of bytes for each write, and then has no space left.
type flakyWriter struct {
	strings.Builder
	takes []int
}

func (w *flakyWriter) write(lines []byte) (int, error) {
	n := len(lines)
	if len(w.takes) > 0 {
		n, w.takes = min(n, w.takes[0]), w.takes[1:]
	}
	w.Write(lines[:n])
	if n < len(lines) {
		return n, io.ErrShortWrite
	}
	return n, nil
}

func (w *flakyWriter) close() error { return nil }

func TestALineThatWasTornIsEndedAndWrittenAgain(t *testing.T) {
	line := len(alert(0).JSON) + 1
	for _, takes := range [][]int{{0}, {line / 2}, {line}, {line + 3}, {line + 3, 1}, {line + 3, 0}, {line + 3, line - 9}, {2 * line, 3}} {
		d := mustOpen(t, "stdout", Options{})
		out := &flakyWriter{takes: takes}
		d.destinations[0].sink = &lineSink{out: out}
		for range takes {
			require.ErrorIs(t, d.Deliver(t.Context(), "a", alerts(0, 3)), io.ErrShortWrite)
			d.destinations[0].pausedUntil = time.Time{}
		}
		require.NoError(t, d.Deliver(t.Context(), "a", alerts(0, 3)))
		var whole []int
		for text := range strings.Lines(out.String()) {
			if isObject([]byte(text)) {
				whole = append(whole, number(t, text))
			}
		}
		assert.Equal(t, count(0, 3), whole, "%v: %q", takes, out.String())
	}
}

// blockedWriter writes when it is allowed to.
type blockedWriter struct {
	lockedBuffer
	allowed chan struct{}
}

func (w *blockedWriter) Write(p []byte) (int, error) {
	<-w.allowed
	return w.lockedBuffer.Write(p)
}

func TestAPipeThatNobodyReadsDoesNotHoldUpTheOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "alerts.ndjson")
	stdout := &blockedWriter{allowed: make(chan struct{})}
	d := mustOpen(t, "stdout?timeout=30ms, file://"+path, Options{Stdout: stdout})
	for batch := range 3 {
		require.Error(t, d.Deliver(t.Context(), fmt.Sprint(batch), alerts(batch, batch+1)))
		d.destinations[0].pausedUntil = time.Time{}
	}
	assert.Equal(t, count(0, 3), linesOf(t, path))
	d.destinations[0].timeout = 10 * time.Second // from here on none is given up
	close(stdout.allowed)
	for batch := range 3 {
		require.NoError(t, retry(t, d, fmt.Sprint(batch), alerts(batch, batch+1)))
	}
	assert.Equal(t, []int{0, 0, 1, 2}, lineNumbers(t, stdout.String()), "the write that was given up came through in the end")
	assert.Equal(t, count(0, 3), linesOf(t, path))
}

func TestAWriterThatPanicsIsAnError(t *testing.T) {
	d := mustOpen(t, "stdout", Options{Stdout: panicWriter{}})
	require.EqualError(t, d.Deliver(t.Context(), "a", alerts(0, 1)), "deliver to stdout: write: panic: a *errors.errorString")
}

type panicWriter struct{}

func (panicWriter) Write([]byte) (int, error) { panic(errors.New("no writer")) }
