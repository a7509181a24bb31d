package rules

import (
	"fmt"
	"sync"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/engine"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/load"
)

// Library holds the open rule sets of a process by their content, so that instances with the same rules, and reloads that change none, share
// one. A set leaves it with its last user: there is nothing else to close. Its zero value is ready for use, by several goroutines at once.
type Library struct {
	operators engine.Operators

	mu   sync.Mutex
	sets map[string]*Set

	// Held while a set is compiled: two that have the same content are compiled once, and two that differ do not need the memory of both at
	// the same time.
	compiling sync.Mutex
}

// Open reads and compiles the rules of a configuration, or shares the set that has the same content. The error joins all problems, each with
// file and line. Every set must be closed by each of its openers.
func (l *Library) Open(c load.Config) (*Set, error) {
	return l.open(load.Read(c, engine.NewVocabulary()), c, false)
}

// open is Open of rules that were read. Records that flow meanwhile come first when the rules are in use.
func (l *Library) open(p *load.Program, c load.Config, inUse bool) (*Set, error) {
	key := keyOf(p, c)
	if s := l.share(p, key); s != nil {
		return s, nil
	}
	l.compiling.Lock()
	defer l.compiling.Unlock()
	if s := l.share(p, key); s != nil {
		return s, nil
	}
	e, err := engine.New(p, engine.Options{Strict: c.Strict, Prefilter: c.Prefilter, Profile: c.Profile, Yield: inUse, Operators: &l.operators})
	if err != nil {
		return nil, err
	}
	s := &Set{library: l, id: p.Identity(), key: key, name: p.Name(), warnings: p.Warnings, users: 1}
	s.engines.start(p, c, e)
	s.startCache(c.CacheSize)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sets == nil {
		l.sets = map[string]*Set{}
	}
	l.sets[key] = s
	return s, nil
}

// keyOf identifies what comes of a program: its rules, and what there is to say about directives that are not among them. Without the
// latter, a file with a malformed directive would pass for the open set of the same rules.
func keyOf(p *load.Program, c load.Config) string {
	return p.Identity() + fmt.Sprint(c.Strict, c.Prefilter, c.CacheSize, c.Profile, p.Rejections(), p.Warnings)
}

// share returns the open set of a key, opened once more; nil when there is none, or the program has problems.
func (l *Library) share(p *load.Program, key string) *Set {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.sets[key]
	if s == nil || len(p.Problems) > 0 {
		return nil
	}
	s.users++
	return s
}

// leave takes one user of a set away and reports whether it was the last; from then on nobody finds the set.
func (l *Library) leave(s *Set) (last bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.users--; s.users > 0 {
		return false
	}
	delete(l.sets, s.key)
	return true
}
