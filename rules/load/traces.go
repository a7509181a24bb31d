package load

import (
	"io/fs"
	"os"
	"syscall"
)

// trace identifies a state of a file without reading it. The zero trace is that of a file that is not there.
type trace struct {
	device, inode     uint64
	size              int64
	modified, changed syscall.Timespec
}

// Traces are those of files and directories, by name.
type Traces map[string]trace

// Note notes what a file or directory looks like, unless that is known.
func (t Traces) Note(name string) {
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

// Seen returns where the program has looked.
func (p *Program) Seen() Traces { return p.files.seen }

// note notes a place where the program looks.
func (f *files) note(name string) { f.seen.Note(name) }

func traceOf(info fs.FileInfo) trace {
	s, known := info.Sys().(*syscall.Stat_t)
	if !known {
		return trace{size: info.Size(), modified: syscall.NsecToTimespec(info.ModTime().UnixNano())}
	}
	return trace{device: s.Dev, inode: s.Ino, size: s.Size, modified: s.Mtim, changed: s.Ctim}
}
