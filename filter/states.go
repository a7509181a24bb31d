package filter

import (
	"cmp"
	"fmt"
	"sync"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/writable"
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
	path = writable.Real(path)
	s.mu.Lock()
	defer s.mu.Unlock()
	if has := s.owners[path]; has != nil && (has.name == "" || has.name != name) {
		return func() {}, fmt.Errorf("%s: %s keeps its state there (want a file of its own)", path, cmp.Or(has.name, "another filter"))
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
