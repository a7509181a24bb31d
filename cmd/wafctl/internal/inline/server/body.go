package server

import (
	"bytes"
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Bodies are held in memory up to bodyInMemory bytes each, and as long as all of them together fit into the memory for bodies.
const (
	bodyInMemory = 128 << 10
	firstRead    = 4 << 10
)

// Bodies counts the memory that bodies take.
type Bodies struct {
	Limit   int64  // in bytes
	Dir     string // for files
	Used    atomic.Int64
	Spooled atomic.Uint64 // bodies that went to files
}

// Body is the start of a request body, or all of it. Its memory or file is released with Close. Its methods may be called of nil.
type Body struct {
	Cut bool // there is more behind it

	of       *Bodies
	memory   []byte
	reserved int64    // of the memory for bodies
	file     *os.File // nil unless the body is in a file, which has no name any more
	view     []byte   // of the file
}

// Read reads a body up to a limit. The length is what the client has announced, -1 when it has not.
func (s *Bodies) Read(from io.Reader, length, limit int64) (*Body, error) {
	b := &Body{of: s}
	if err := b.fill(io.LimitReader(from, limit), length); err != nil {
		b.Close()
		return nil, err
	}
	if int64(b.Size()) == limit {
		var next [1]byte
		n, err := io.ReadFull(from, next[:])
		if n == 1 {
			b.Cut = true
			err = b.append(next[:])
		}
		if err != nil && !errors.Is(err, io.EOF) {
			b.Close()
			return nil, err
		}
	}
	return b, b.seal()
}

// Size returns how many bytes were read.
func (b *Body) Size() int {
	if b.file != nil {
		at, _ := b.file.Seek(0, io.SeekCurrent) // of an open file it cannot fail
		return int(at)
	}
	return len(b.memory)
}

// fill reads all that a reader has: into memory as long as there is room, and else into a file.
func (b *Body) fill(from io.Reader, length int64) error {
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
func (b *Body) reserve(n int64) bool {
	if b.of.Used.Add(n) > b.of.Limit {
		b.of.Used.Add(-n)
		return false
	}
	b.reserved += n
	return true
}

// spool moves what is there to a file, and reads the rest into it.
func (b *Body) spool(from io.Reader) error {
	file, err := os.CreateTemp(b.of.Dir, "wafctl-body-*")
	if err != nil {
		return err
	}
	b.file = file
	if err := os.Remove(file.Name()); err != nil { // the open file stays until it is closed
		return err
	}
	b.of.Spooled.Add(1)
	if _, err := file.Write(b.memory); err != nil {
		return err
	}
	b.memory = nil
	b.release()
	_, err = io.Copy(file, from)
	return err
}

func (b *Body) append(more []byte) error {
	if b.file == nil {
		b.memory = append(b.memory, more...)
		return nil
	}
	_, err := b.file.Write(more)
	return err
}

// seal makes the bytes of a file visible.
func (b *Body) seal() (err error) {
	if b.file == nil || b.Size() == 0 {
		return nil
	}
	b.view, err = unix.Mmap(int(b.file.Fd()), 0, b.Size(), unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		b.Close()
	}
	return err
}

// Bytes returns what was read, which is valid until Close.
func (b *Body) Bytes() []byte {
	if b == nil {
		return nil
	}
	if b.file != nil {
		return b.view
	}
	return b.memory
}

// Reader returns a reader of what was read.
func (b *Body) Reader() io.Reader {
	if b.file != nil {
		return io.NewSectionReader(b.file, 0, int64(len(b.view)))
	}
	return bytes.NewReader(b.memory)
}

func (b *Body) release() {
	b.of.Used.Add(-b.reserved)
	b.reserved = 0
}

// Close releases what a body holds.
func (b *Body) Close() {
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

// Bounded returns a reader of a body that somebody else keeps in memory: it fails once there is no more room. The function gives the
// memory back.
func (s *Bodies) Bounded(body io.ReadCloser) (bounded io.ReadCloser, release func()) {
	b := &boundedBody{ReadCloser: body, of: Body{of: s}}
	return b, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.of.release()
		b.released = true
	}
}

// boundedBody is a body whose memory is reserved as it is read.
type boundedBody struct {
	io.ReadCloser
	mu       sync.Mutex // the reader is another goroutine
	of       Body
	released bool
}

var errNoRoom = errors.New("no room for more bodies")

// Read implements io.Reader.
func (b *boundedBody) Read(to []byte) (int, error) {
	n, err := b.ReadCloser.Read(to)
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.released && n > 0 && !b.of.reserve(int64(n)) {
		return 0, errNoRoom
	}
	return n, err
}
