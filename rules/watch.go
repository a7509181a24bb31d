package rules

import (
	"maps"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/engine"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/load"
)

// Watch finds out whether the rules of a configuration may have changed. It looks at every file that was read, be it of rules or of
// data, and at the directories in which more of them may come to be; links count as what they lead to, so that the swap of
// a link, which is how Kubernetes changes a ConfigMap, is a change of all files behind it. It is for one goroutine.
type Watch struct {
	library *Library
	config  load.Config
	seen    load.Traces
}

// NewWatch returns a watch that has seen nothing.
func (l *Library) NewWatch(c load.Config) *Watch { return &Watch{library: l, config: c} }

// Open is the library's Open of the watch's configuration as its files are now. The watch notes what they look like, also when they make no
// rule set.
func (w *Watch) Open() (*Set, error) {
	p := load.Read(w.config, engine.NewVocabulary())
	inUse := w.seen != nil // what is opened again is in use
	w.seen = p.Seen()
	return w.library.open(p, w.config, inUse)
}

// Files returns how many files and directories are looked at; 0 when the rules come from none, and cannot change.
func (w *Watch) Files() int { return len(w.seen) }

// Changed reports whether something looks different from what it was when Changed or Open last looked.
func (w *Watch) Changed() bool {
	now := load.Traces{}
	for name := range w.seen {
		now.Note(name)
	}
	changed := !maps.Equal(now, w.seen)
	w.seen = now
	return changed
}
