// Package writable finds out at startup whether files can be written later, and whether two paths lead to the same file. At shutdown, or after
// hours of work, an error would lose what is to be written. The files themselves are neither created nor changed.
package writable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// File returns why a path cannot be written as a file, nil when it can.
func File(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Directory(filepath.Dir(path))
	case err != nil:
		return reason(err)
	case info.IsDir():
		return errors.New("is a directory (want a file)")
	case !info.Mode().IsRegular():
		return nil // opening a pipe waits for its reader
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return reason(err)
	}
	return file.Close()
}

// Directory returns why no file can be created in a directory, nil when one can. It creates one: permissions do not show read-only file systems.
func Directory(path string) error {
	file, err := os.CreateTemp(path, ".wafctl-*")
	if err != nil {
		return fmt.Errorf("no file can be created in %s: %w", path, reason(err))
	}
	return errors.Join(file.Close(), os.Remove(file.Name()))
}

// Real returns a path by which a file is known, whatever its directories are called. The file need not be there.
func Real(path string) string {
	if absolute, err := filepath.Abs(path); err == nil {
		path = absolute
	}
	if file, err := filepath.EvalSymlinks(path); err == nil {
		return file
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		return filepath.Join(dir, filepath.Base(path))
	}
	return path
}

// reason is an error without the operation and the path.
func reason(err error) error {
	if in := (*fs.PathError)(nil); errors.As(err, &in) {
		return in.Err
	}
	return err
}
