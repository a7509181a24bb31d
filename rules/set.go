// Package rules is the façade of rule sets: [Library.Open] reads and compiles the rules of a configuration, or shares the set of the library
// that has the same content, and a [Set] inspects, explains, lists and compares. The work is done below: load reads text, engine and prefilter evaluate,
// coverage knows which records rules can answer, cache keeps verdicts, and model is the vocabulary of all. Imports run one way, which a test
// enforces.
package rules

import (
	"sync"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/cache"
)

// Set is a compiled rule set. It is shared by all that opened the same rules in a library, and safe for concurrent use.
type Set struct {
	library  *Library
	engines  engines
	cache    *cache.Cache // nil when verdicts are not cached
	id       string
	key      string // in the library
	name     string
	warnings []string
	speed    speed
	users    int // guarded by library.mu

	textsOnce sync.Once
	textsByID map[int]string // of the rules, made when one is explained
}

// Share opens the set once more. Both are to be closed.
func (s *Set) Share() *Set {
	s.library.mu.Lock()
	defer s.library.mu.Unlock()
	s.users++
	return s
}

// Close gives the set back. The compiled rules are released with the last user.
func (s *Set) Close() error {
	if !s.library.leave(s) {
		return nil
	}
	if s.cache != nil {
		s.cache.Close()
	}
	return s.engines.close()
}

// MakingTime returns how long the sets of the library have spent on operators that are made with their first value, while transactions were
// inspected.
func (s *Set) MakingTime() time.Duration { return s.library.operators.MakingTime() }

// ID returns the hash of everything that makes the rule set.
func (s *Set) ID() string { return s.id }

// Name returns what the rules call themselves, for instance OWASP_CRS/4.25.0.
func (s *Set) Name() string { return s.name }

// Skipped returns the number of rules that were read and omitted.
func (s *Set) Skipped() int { return s.engines.program.Skipped }

// Warnings returns what was omitted from the rules and why, each with file and line.
func (s *Set) Warnings() []string { return s.warnings }

// Rules returns the number of compiled rules. Markers, which Coraza counts as rules, are none.
func (s *Set) Rules() int {
	n := s.engines.whole.Rules()
	for i := range s.engines.program.Directives {
		if s.engines.program.Directives[i].Is("SecMarker") {
			n--
		}
	}
	return n
}
