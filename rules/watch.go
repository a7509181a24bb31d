package rules

import (
	"io/fs"
	"maps"
	"os"
	"syscall"
)

// Watch tells when the rules of a configuration may have changed. It looks at every file that was read, be it of rules or of
// data, and at the directories in which more of them may come to be; links count as what they lead to, so that the swap of
// a link, which is how Kubernetes changes a ConfigMap, is a change of all files behind it. It is for one goroutine.
type Watch struct {
	config Config
	seen   traces
}

// NewWatch returns a watch that has seen nothing.
func NewWatch(c Config) *Watch { return &Watch{config: c} }

// Open is Open of the watch's configuration as its files are now. The watch notes what they look like, also when they make no
// rule set.
func (w *Watch) Open() (*Set, error) {
	p := readProgram(w.config)
	p.yields = w.seen != nil // what is opened again is in use
	w.seen = p.files.seen
	return p.compiled(w.config)
}

// Files returns how many files and directories are looked at; 0 when the rules come from none, and cannot change.
func (w *Watch) Files() int { return len(w.seen) }

// Changed reports whether something looks different from what it was when Changed or Open last looked.
func (w *Watch) Changed() bool {
	now := traces{}
	for name := range w.seen {
		now.note(name)
	}
	changed := !maps.Equal(now, w.seen)
	w.seen = now
	return changed
}

// trace is what tells one state of a file from another without reading it. The zero trace is that of a file that is not there.
type trace struct {
	device, inode     uint64
	size              int64
	modified, changed syscall.Timespec
}

// traces are those of files and directories, by name.
type traces map[string]trace

// note remembers what a file or directory looks like, unless that is known.
func (t traces) note(name string) {
	if _, known := t[name]; known {
		return
	}
	info, err := os.Stat(name)
	if err != nil {
		t[name] = trace{}
		return
	}
	t[name] = traceOf(info)
}

// note remembers a place where the program looks.
func (f *files) note(name string) { f.seen.note(name) }

func traceOf(info fs.FileInfo) trace {
	s, known := info.Sys().(*syscall.Stat_t)
	if !known {
		return trace{size: info.Size(), modified: syscall.NsecToTimespec(info.ModTime().UnixNano())}
	}
	return trace{device: s.Dev, inode: s.Ino, size: s.Size, modified: s.Mtim, changed: s.Ctim}
}
