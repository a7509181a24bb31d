// Package rules is the façade of rule sets: [Open] reads and compiles the rules of a configuration, or shares the set that has the same
// content, and a [Set] inspects, explains, lists and compares. The work is done below: load reads text, engine and prefilter evaluate,
// coverage knows which records rules can answer, cache keeps verdicts, and model is the vocabulary of all. Imports run one way, which a test
// enforces.
package rules

import (
	"fmt"
	"sync"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/cache"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/engine"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/load"
)

// Set is a compiled rule set. It is shared by all that opened the same rules and safe for concurrent use.
type Set struct {
	engines  engines
	cache    *cache.Cache // nil when verdicts are not remembered
	id       string
	key      string // in the registry
	name     string
	warnings []string
	speed    speed
	users    int // guarded by registry.mu

	textsOnce sync.Once
	textsByID map[int]string // of the rules, made when one is explained
}

// registry holds the open rule sets by content.
var registry = struct {
	mu   sync.Mutex
	sets map[string]*Set
}{sets: map[string]*Set{}}

// compiling is held while a set is compiled: two that have the same content are compiled once, and two that differ do not
// need the memory of both at the same time.
var compiling sync.Mutex

// Open reads and compiles the rules of a configuration, or shares the set that has the same content. The error joins all
// problems, each with file and line. Every set must be closed by each of its openers.
func Open(c load.Config) (*Set, error) {
	return compiled(load.Read(c, engine.NewVocabulary()), c, false)
}

// compiled is Open of rules that were read. Records that flow meanwhile come first when the rules are in use.
func compiled(p *load.Program, c load.Config, inUse bool) (*Set, error) {
	key := p.Identity() + fmt.Sprint(c.Strict, c.Prefilter, c.CacheSize, c.Profile)
	if s := shareOpen(p, key); s != nil {
		return s, nil
	}
	compiling.Lock()
	defer compiling.Unlock()
	if s := shareOpen(p, key); s != nil {
		return s, nil
	}
	e, err := engine.New(p, engine.Options{Strict: c.Strict, Prefilter: c.Prefilter, Profile: c.Profile, Yield: inUse})
	if err != nil {
		return nil, err
	}
	s := &Set{id: p.Identity(), key: key, name: p.Name(), warnings: p.Warnings, users: 1}
	s.engines.start(p, c, e)
	s.startCache(c.CacheSize)
	registry.mu.Lock()
	defer registry.mu.Unlock()
	registry.sets[key] = s
	return s, nil
}

// shareOpen returns the open set of a key, opened once more; nil when there is none, or the program has problems.
func shareOpen(p *load.Program, key string) *Set {
	registry.mu.Lock()
	defer registry.mu.Unlock()
	s := registry.sets[key]
	if s == nil || len(p.Problems) > 0 {
		return nil
	}
	s.users++
	return s
}

// Share opens the set once more. Both are to be closed.
func (s *Set) Share() *Set {
	registry.mu.Lock()
	defer registry.mu.Unlock()
	s.users++
	return s
}

// Close gives the set back. The compiled rules are released with the last user.
func (s *Set) Close() error {
	if !s.leave() {
		return nil
	}
	if s.cache != nil {
		s.cache.Close()
	}
	return s.engines.close()
}

// leave takes one user away and reports whether it was the last; from then on nobody finds the set.
func (s *Set) leave() (last bool) {
	registry.mu.Lock()
	defer registry.mu.Unlock()
	if s.users--; s.users > 0 {
		return false
	}
	delete(registry.sets, s.key)
	return true
}

// ID returns the hash of everything that makes the rule set.
func (s *Set) ID() string { return s.id }

// Name returns what the rules call themselves, for instance OWASP_CRS/4.25.0.
func (s *Set) Name() string { return s.name }

// Skipped returns the number of rules that were read and left out.
func (s *Set) Skipped() int { return s.engines.program.Skipped }

// Warnings returns what was left out of the rules and why, each with file and line.
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
