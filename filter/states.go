package filter

import (
	"fmt"
	"path/filepath"
	"sync"
)

// states are the files that filters of a process keep their incidents in. Two filters with the same one would overwrite each other's.
type states struct {
	mu     sync.Mutex
	owners map[string]*owner // by path
}

type owner struct{ name string }

// own makes a file that of a filter until the returned function is called. It refuses a file that another filter has. One of the same name is
// the same filter, which a host starts again, and whose end may take its time.
func (s *states) own(path, name string) (release func(), err error) {
	if path == "" {
		return func() {}, nil
	}
	path = actual(path)
	s.mu.Lock()
	defer s.mu.Unlock()
	if has := s.owners[path]; has != nil && (has.name == "" || has.name != name) {
		if has.name == "" {
			return nil, fmt.Errorf("%s: another filter keeps its state there (want a file of its own)", path)
		}
		return nil, fmt.Errorf("%s: %s keeps its state there (want a file of its own)", path, has.name)
	}
	if s.owners == nil {
		s.owners = map[string]*owner{}
	}
	mine := &owner{name}
	s.owners[path] = mine
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.owners[path] == mine {
			delete(s.owners, path)
		}
	}, nil
}

// actual returns a path by which a file is known, whatever its directories are called.
func actual(path string) string {
	if absolute, err := filepath.Abs(path); err == nil {
		path = absolute
	}
	if file, err := filepath.EvalSymlinks(path); err == nil {
		return file
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil { // there is no file yet
		return filepath.Join(dir, filepath.Base(path))
	}
	return path
}
