package intake

import (
	"bytes"
	"io"
	"iter"
)

// Lines cuts a stream into blocks of whole lines. A block holds what is there, so that a slow source is not waited for and a
// fast one gives large blocks. A line ends with a newline, or with NUL as in GELF over TCP.
type Lines struct {
	from     io.Reader
	max      int
	buffer   []byte
	start    int  // of the line in the buffer that comes next
	line     int  // number of that line, from 1
	skipping bool // the rest of that line is left out
	err      error
}

// Block is a run of whole lines.
type Block struct {
	Text    []byte // valid until the next call of Next
	Line    int    // number of the first line, from 1
	TooLong bool   // the line has more bytes than allowed and is left out; Text is empty
}

const readSize = 256 << 10 // bytes asked of the reader at a time

// NewLines returns the lines of a reader; those of more than limit bytes, which is at least 256 KiB, are left out.
func NewLines(from io.Reader, limit int) *Lines {
	return &Lines{from: from, max: max(limit, readSize), line: 1}
}

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

func (l *Lines) fill() {
	l.buffer = append(l.buffer[:0], l.buffer[l.start:]...)
	l.start = 0
	if cap(l.buffer)-len(l.buffer) < readSize {
		l.buffer = append(make([]byte, 0, 2*len(l.buffer)+readSize), l.buffer...)
	}
	n, err := l.from.Read(l.buffer[len(l.buffer) : len(l.buffer)+readSize])
	l.buffer = l.buffer[:len(l.buffer)+n]
	l.err = err
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
