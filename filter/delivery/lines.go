package delivery

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/recovery"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

var fileOptions = optionGroup{of: "file", options: []setting.Property{
	{Name: "mode", Default: "0640", Help: "permissions of created files, octal"},
}}

// lineSink writes one line a message, and all messages of a batch at once.
//
// A write to a pipe or to a network file system can block for good, and nothing can interrupt it. So it has a goroutine and
// a buffer of its own: when it takes too long, the delivery fails, and so do later ones until it has ended.
type lineSink struct {
	out  lineWriter
	late chan written // gets the outcome of a write that took too long; nil when there is none
	torn bool         // what was written last ends inside a line

	caught recovery.Caught
}

// lineWriter is where lines go.
type lineWriter interface {
	write(lines []byte) (int, error)
	close() error
}

// written is the outcome of a write.
type written struct {
	whole int // lines
	torn  bool
	err   error
}

func openFile(a *address, _ time.Duration) sink {
	text := a.Text("mode")
	mode, err := strconv.ParseUint(text, 8, 32)
	if err != nil || mode > 0o777 {
		a.Problem("mode", fmt.Errorf("malformed permissions %q (want 0000 to 0777)", text))
	}
	return &lineSink{out: &fileWriter{path: filepath.Clean(a.path), mode: os.FileMode(mode)}, caught: a.opt.Caught}
}

func openStdout(a *address, _ time.Duration) sink {
	return &lineSink{out: &plainWriter{a.opt.Stdout}, caught: a.opt.Caught}
}

func (k *lineSink) send(ctx context.Context, msgs []Message) (int, error) {
	if err := k.ready(ctx); err != nil {
		return 0, err
	}
	var lines []byte
	for i := range msgs {
		lines = append(append(lines, oneLine(msgs[i].JSON)...), '\n')
	}
	done := make(chan written, 1)
	go func(torn bool) {
		w := written{torn: torn}
		failed := func(cause any, stack []byte) {
			w.err = fmt.Errorf("write: panic: %s", recovery.Describe(cause))
			k.caught(cause, stack)
		}
		recovery.Once(failed, func() { w = writeLines(k.out, lines, torn) })
		done <- w
	}(k.torn)
	select {
	case w := <-done:
		k.torn = w.torn
		return w.whole, w.err
	case <-ctx.Done():
		k.late = done
		return 0, fmt.Errorf("write: %w", ctx.Err())
	}
}

// ready waits for the end of an earlier write that took too long.
func (k *lineSink) ready(ctx context.Context) error {
	if k.late == nil {
		return nil
	}
	select {
	case w := <-k.late:
		k.late, k.torn = nil, w.torn
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the end of an earlier write: %w", ctx.Err())
	}
}

// writeLines writes lines, after a line break when a torn line is before them.
func writeLines(out lineWriter, lines []byte, torn bool) (w written) {
	extra := 0
	if torn {
		extra = 1
		lines = append([]byte{'\n'}, lines...)
	}
	n, err := out.write(lines)
	if err != nil {
		err = fmt.Errorf("write: %w", err)
	}
	if n == 0 {
		return written{torn: torn, err: err}
	}
	return written{whole: bytes.Count(lines[:n], []byte{'\n'}) - extra, torn: lines[n-1] != '\n', err: err}
}

func (k *lineSink) close() error {
	if k.late != nil {
		return nil // the writer is still in use
	}
	return k.out.close()
}

// fileWriter appends to a file. It opens the file anew when its path leads to another one or nowhere, as after a rotation.
type fileWriter struct {
	path string
	mode os.FileMode
	file *os.File // nil when it is not open
}

func (f *fileWriter) write(lines []byte) (int, error) {
	if f.file != nil && !f.isCurrent() {
		if err := f.close(); err != nil {
			return 0, err
		}
	}
	if f.file == nil {
		file, err := os.OpenFile(f.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, f.mode)
		if err != nil {
			return 0, err
		}
		f.file = file
	}
	return f.file.Write(lines)
}

func (f *fileWriter) isCurrent() bool {
	ours, err := f.file.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(f.path)
	return err == nil && os.SameFile(ours, there)
}

func (f *fileWriter) close() error {
	if f.file == nil {
		return nil
	}
	err := f.file.Close()
	f.file = nil
	return err
}

// plainWriter writes to something that is not ours to close.
type plainWriter struct{ io.Writer }

func (w *plainWriter) write(lines []byte) (int, error) { return w.Write(lines) }

func (w *plainWriter) close() error { return nil }
