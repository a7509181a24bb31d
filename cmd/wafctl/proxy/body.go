package proxy

import (
	"bytes"
	"errors"
	"io"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Bodies are held in memory up to bodyInMemory bytes each, and as long as all of them together fit into the memory for bodies.
const (
	bodyInMemory = 128 << 10
	firstRead    = 4 << 10
)

// bodies counts the memory that bodies take.
type bodies struct {
	limit   int64
	dir     string
	used    atomic.Int64
	spooled atomic.Uint64 // bodies that went to files
}

// body is the start of a request body, or all of it. Its memory or file is released with close.
type body struct {
	of       *bodies
	memory   []byte
	reserved int64    // of the memory for bodies
	file     *os.File // nil unless the body is in a file, which has no name any more
	view     []byte   // of the file
	cut      bool     // there is more behind it
}

// read reads a body up to a limit. The length is what the client has announced, -1 when it has not.
func (s *bodies) read(from io.Reader, length, limit int64) (*body, error) {
	b := &body{of: s}
	if err := b.fill(io.LimitReader(from, limit), length); err != nil {
		b.close()
		return nil, err
	}
	if int64(b.size()) == limit {
		var next [1]byte
		n, err := io.ReadFull(from, next[:])
		if n == 1 {
			b.cut = true
			err = b.append(next[:])
		}
		if err != nil && !errors.Is(err, io.EOF) {
			b.close()
			return nil, err
		}
	}
	return b, b.seal()
}

func (b *body) size() int {
	if b.file != nil {
		at, _ := b.file.Seek(0, io.SeekCurrent) // of an open file it cannot fail
		return int(at)
	}
	return len(b.memory)
}

// fill reads all that a reader has: into memory as long as there is room, and else into a file.
func (b *body) fill(from io.Reader, length int64) error {
	size := int64(firstRead)
	if length >= 0 && length < bodyInMemory {
		size = length + 1 // the end shows at once
	}
	if length >= bodyInMemory || !b.reserve(size) {
		return b.spool(from)
	}
	b.memory = make([]byte, 0, size)
	for {
		if len(b.memory) == cap(b.memory) {
			grown := min(2*int64(cap(b.memory)), bodyInMemory)
			if int64(cap(b.memory)) >= bodyInMemory || !b.reserve(grown-int64(cap(b.memory))) {
				return b.spool(from)
			}
			b.memory = append(make([]byte, 0, grown), b.memory...)
		}
		n, err := from.Read(b.memory[len(b.memory):cap(b.memory)])
		b.memory = b.memory[:len(b.memory)+n]
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// reserve takes bytes of the memory for bodies, and reports false when there are not so many.
func (b *body) reserve(n int64) bool {
	if b.of.used.Add(n) > b.of.limit {
		b.of.used.Add(-n)
		return false
	}
	b.reserved += n
	return true
}

// spool moves what is there to a file, and reads the rest into it.
func (b *body) spool(from io.Reader) error {
	file, err := os.CreateTemp(b.of.dir, "wafctl-body-*")
	if err != nil {
		return err
	}
	b.file = file
	if err := os.Remove(file.Name()); err != nil { // the open file stays until it is closed
		return err
	}
	b.of.spooled.Add(1)
	if _, err := file.Write(b.memory); err != nil {
		return err
	}
	b.memory = nil
	b.release()
	_, err = io.Copy(file, from)
	return err
}

func (b *body) append(more []byte) error {
	if b.file == nil {
		b.memory = append(b.memory, more...)
		return nil
	}
	_, err := b.file.Write(more)
	return err
}

// seal makes the bytes of a file visible.
func (b *body) seal() (err error) {
	if b.file == nil || b.size() == 0 {
		return nil
	}
	b.view, err = unix.Mmap(int(b.file.Fd()), 0, b.size(), unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		b.close()
	}
	return err
}

// bytes returns what was read, which is valid until close.
func (b *body) bytes() []byte {
	if b == nil {
		return nil
	}
	if b.file != nil {
		return b.view
	}
	return b.memory
}

// reader returns a reader of what was read.
func (b *body) reader() io.Reader {
	if b.file != nil {
		return io.NewSectionReader(b.file, 0, int64(len(b.view)))
	}
	return bytes.NewReader(b.memory)
}

func (b *body) release() {
	b.of.used.Add(-b.reserved)
	b.reserved = 0
}

// close releases what a body holds. It may be nil.
func (b *body) close() {
	if b == nil {
		return
	}
	if b.view != nil {
		unix.Munmap(b.view) //nolint:errcheck // it was mapped
		b.view = nil
	}
	if b.file != nil {
		b.file.Close()
		b.file = nil
	}
	b.memory = nil
	b.release()
}
