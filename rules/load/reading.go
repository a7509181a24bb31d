package load

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// Bounds of what a rule set may read: far above any real one, so that a hostile or mistaken file cannot take the memory or
// the time of the host.
const (
	maxRuleFile   = 32 << 20  // bytes of one file; the largest CRS file has 0.1 MB, data files of threat feeds some MB
	maxRuleBytes  = 128 << 20 // bytes of all files together
	maxRuleFiles  = 4096      // readings, so that files that include each other many times over come to an end
	maxDirectives = 200_000
)

// files counts what a program has read, and notes where it has looked.
type files struct {
	readings int
	bytes    int64
	seen     Traces
}

// read returns the content of a file that is no device, pipe or directory, within the bounds of the rule set.
func (f *files) read(name string) ([]byte, error) {
	if f.readings++; f.readings > maxRuleFiles {
		return nil, fmt.Errorf("%s: more than %d files are read", name, maxRuleFiles)
	}
	f.note(name)
	// O_NONBLOCK: opening a pipe that nobody writes to must not wait.
	file, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, withoutOperation(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, withoutOperation(err)
	}
	f.seen[name] = traceOf(info)
	f.note(filepath.Dir(name))
	switch {
	case info.IsDir():
		return nil, fmt.Errorf("%s: is a directory, not a file", name)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: not a regular file", name)
	}
	content, err := io.ReadAll(io.LimitReader(file, maxRuleFile+1))
	if err != nil {
		return nil, withoutOperation(err)
	}
	if len(content) > maxRuleFile {
		return nil, fmt.Errorf("%s: larger than %d MB", name, maxRuleFile>>20)
	}
	if f.bytes += int64(len(content)); f.bytes > maxRuleBytes {
		return nil, fmt.Errorf("%s: all files together are larger than %d MB", name, maxRuleBytes>>20)
	}
	return content, nil
}

// withoutOperation returns a file system error as "name: what is wrong".
func withoutOperation(err error) error {
	var pathErr *os.PathError
	if errors.As(err, &pathErr) {
		return fmt.Errorf("%s: %w", pathErr.Path, pathErr.Err)
	}
	return err
}
