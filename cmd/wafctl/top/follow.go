package top

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"
)

// Follow reads a file, and then what is appended to it, until its context ends: that is the end of the file. A file that was
// rotated away is read to its end before the new one, and one that was truncated from its start.
type Follow struct {
	ctx  context.Context
	path string
	file *os.File
	read atomic.Int64 // bytes before the next one
	size atomic.Int64 // of the file when it was last looked at
}

// pollTime is how often a file is looked at that had nothing new.
const pollTime = 250 * time.Millisecond

// OpenFollow opens a file at its start or, for what is appended from now on, at its end.
func OpenFollow(ctx context.Context, path string, atEnd bool) (*Follow, error) {
	f := &Follow{ctx: ctx, path: path}
	if err := f.open(); err != nil {
		return nil, err
	}
	if atEnd {
		at, err := f.file.Seek(0, io.SeekEnd)
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("read records: %w", err)
		}
		f.read.Store(at)
	}
	return f, nil
}

func (f *Follow) open() error {
	file, err := os.Open(f.path)
	if err != nil {
		return fmt.Errorf("read records: %w", err)
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file (want one, or - for standard input)", f.path)
	}
	if err != nil {
		file.Close()
		return fmt.Errorf("read records: %w", err)
	}
	f.file = file
	f.read.Store(0)
	f.size.Store(info.Size())
	return nil
}

// Progress returns how many bytes of the file have been read, and how many it has.
func (f *Follow) Progress() (read, size int64) { return f.read.Load(), f.size.Load() }

// Close closes the file.
func (f *Follow) Close() { f.file.Close() }

// Read implements io.Reader.
func (f *Follow) Read(b []byte) (int, error) {
	for f.ctx.Err() == nil {
		n, err := f.file.Read(b)
		if n > 0 {
			f.read.Add(int64(n))
			return n, nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		if f.renewed() && len(b) > 0 {
			b[0] = '\n' // the last line of the old file need not have had an end
			return 1, nil
		}
		select {
		case <-f.ctx.Done():
		case <-time.After(pollTime):
		}
	}
	return 0, io.EOF
}

// renewed reports whether the file begins anew, and is then at its start.
func (f *Follow) renewed() bool {
	now, err := os.Stat(f.path)
	if err != nil {
		return false // between two files
	}
	old, err := f.file.Stat()
	if err != nil {
		return false
	}
	f.size.Store(max(now.Size(), f.read.Load()))
	switch {
	case os.SameFile(now, old) && now.Size() >= f.read.Load():
		return false
	case os.SameFile(now, old):
		_, err = f.file.Seek(0, io.SeekStart)
		f.read.Store(0)
		return err == nil
	case old.Size() > f.read.Load():
		return false // something was written to the old one since
	}
	before := f.file
	if f.open() != nil {
		f.file = before
		return false
	}
	before.Close()
	return true
}
