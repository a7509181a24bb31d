package intake

import (
	"bytes"
	"errors"
	"io"
	"iter"
)

// Lines cuts a stream into blocks of whole lines. A block holds what is there, so that a slow source is not waited for and a
// fast one gives large blocks. A line ends with a newline, or with NUL as in GELF over TCP.
type Lines struct {
	from     io.Reader
	max      int
	memory   Memory // nil without a bound
	buffer   []byte
	start    int  // of the line in the buffer that comes next
	line     int  // number of that line, from 1
	skipping bool // the rest of that line is skipped
	filled   bool // the last read gave all that it was asked for
	extra    bool // the buffer is larger than it has to be
	err      error
}

// Memory bounds the buffers of many Lines together. It is called by the goroutine that calls Next.
type Memory interface {
	// Reserve asks for bytes of buffer. Lines reads more slowly without bytes that it does not need, and ends without those that it
	// does; for these Reserve may wait.
	Reserve(bytes int, needed bool) bool
	// Release gives bytes back. What is left at the end is not.
	Release(bytes int)
}

// ErrNoMemory is the end of Lines whose next line finds no memory. What was there of that line is dropped.
var ErrNoMemory = errors.New("no memory for the next line")

// Block is a run of whole lines.
type Block struct {
	Text    []byte // valid until the next call of Next
	Line    int    // number of the first line, from 1
	TooLong bool   // the line has more bytes than allowed and is skipped; Text is empty
}

const (
	readSize = 256 << 10 // bytes asked of the reader at a time
	// FirstBuffer is what bounded Lines need at least: many records, or a large one.
	FirstBuffer = 8 << 10
	// SharedRead is how much bounded Lines ask of the reader at a time at most.
	SharedRead = 64 << 10
)

// NewLines returns the lines of a reader; those of more than limit bytes, which is at least 256 KiB, are skipped.
func NewLines(from io.Reader, limit int) *Lines {
	return &Lines{from: from, max: max(limit, readSize), line: 1}
}

// NewBoundedLines is NewLines with a buffer that starts small, grows with the line that is being read, and asks for its memory.
// It never has more than MostMemory.
func NewBoundedLines(from io.Reader, limit int, memory Memory) *Lines {
	l := NewLines(from, limit)
	l.memory = memory
	return l
}

// MostMemory is how many bytes bounded Lines with a limit have at most, while they move to a larger buffer.
func MostMemory(limit int) int { return 2 * (max(limit, readSize) + SharedRead) }

// Next returns the next block, and io.EOF or what the reader failed with when everything before that has been returned. The
// last line needs no end.
func (l *Lines) Next() (Block, error) {
	for {
		if b, found := l.cut(); found {
			return b, nil
		}
		if l.err != nil {
			return Block{}, l.err
		}
		l.fill()
	}
}

// Unfinished returns how many bytes there are of lines that Next has not returned; while it reads, of one line.
func (l *Lines) Unfinished() int { return len(l.buffer) - l.start }

func (l *Lines) fill() {
	rest := l.buffer[l.start:]
	size := readSize
	if l.memory == nil {
		if cap(l.buffer)-len(rest) < readSize {
			l.move(rest, 2*len(rest)+readSize)
		} else {
			l.move(rest, cap(l.buffer))
		}
	} else if size = SharedRead; !l.fit(rest) {
		l.buffer, l.start, l.err = nil, 0, ErrNoMemory
		return
	}
	have := len(l.buffer)
	free := l.buffer[have:min(have+size, cap(l.buffer))]
	n, err := l.from.Read(free)
	l.filled = n == len(free)
	l.buffer = l.buffer[:have+n]
	l.err = err
}

// move puts the rest at the start of a buffer of a size, the same one where that is its size.
func (l *Lines) move(rest []byte, size int) {
	buffer := l.buffer[:0]
	if size != cap(l.buffer) {
		buffer = make([]byte, 0, size)
	}
	l.buffer = append(buffer, rest...) //nolint:gocritic // buffer is the same one or a new one
	l.start = 0
}

// fit makes the bounded buffer one that has room behind the rest. It reports false when there is no memory for that.
//
// A buffer is larger than its line needs only where that costs others nothing, and a large one is given up with its line: what waits
// for a sender is small, or part of a line.
func (l *Lines) fit(rest []byte) bool {
	have, want, needed := cap(l.buffer), cap(l.buffer), false
	switch {
	case have == 0:
		want, needed = FirstBuffer, true
	case len(rest) == 0 && have > FirstBuffer && !(l.extra && l.filled):
		want = FirstBuffer
	case have > 2*SharedRead && len(rest) < have/8:
		want = max(FirstBuffer, 4*len(rest))
	case have-len(rest) < have/4:
		want, needed = min(2*have, l.max+SharedRead), true
	case l.filled && have < SharedRead:
		want = min(4*have, SharedRead)
	}
	switch {
	case want < have:
		l.extra = false
		l.move(rest, want)
		l.memory.Release(have - want)
		return true
	case want > have && l.memory.Reserve(want, needed):
		l.extra = !needed
		l.move(rest, want)
		l.memory.Release(have)
		return true
	}
	l.move(rest, have)
	return want == have || !needed
}

// cut takes a block from the buffer, when it holds one.
func (l *Lines) cut() (b Block, found bool) {
	rest := l.buffer[l.start:]
	first := indexEnd(rest)
	if l.skipping {
		if first < 0 {
			l.start = len(l.buffer)
			return b, false
		}
		l.skipping = false
		l.pass(first+1, 1)
		return l.cut()
	}
	b.Line = l.line
	switch {
	case first > l.max, first < 0 && len(rest) > l.max:
		b.TooLong, l.skipping = true, true
		return b, true
	case first >= 0:
		b.Text = rest[:lastEnd(rest)+1]
	case l.err != nil && len(rest) > 0:
		b.Text = rest
	default:
		return b, false
	}
	l.pass(len(b.Text), bytes.Count(b.Text, newline)+bytes.Count(b.Text, nul))
	return b, true
}

func (l *Lines) pass(size, lines int) {
	l.start += size
	l.line += lines
}

var newline, nul = []byte{'\n'}, []byte{0}

func indexEnd(text []byte) int {
	at := bytes.IndexByte(text, '\n')
	if at >= 0 {
		text = text[:at]
	}
	if before := bytes.IndexByte(text, 0); before >= 0 {
		return before
	}
	return at
}

// lastEnd looks for NUL only where there is no newline: what is left then is found with the next block.
func lastEnd(text []byte) int {
	if at := bytes.LastIndexByte(text, '\n'); at >= 0 {
		return at
	}
	return bytes.LastIndexByte(text, 0)
}

// All returns the lines that are not blank with their numbers.
func (b Block) All() iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		ends := "\n"
		if bytes.IndexByte(b.Text, 0) >= 0 {
			ends = "\n\x00"
		}
		number := b.Line
		for rest := b.Text; len(rest) > 0; number++ {
			line := rest
			if end := bytes.IndexAny(rest, ends); end >= 0 {
				line, rest = rest[:end], rest[end+1:]
			} else {
				rest = nil
			}
			if len(bytes.TrimSpace(line)) > 0 && !yield(number, line) {
				return
			}
		}
	}
}
