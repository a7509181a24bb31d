// Package record reads and rewrites the msgpack events of a Fluent Bit chunk by offsets. Values are views of the
// chunk, and what is not touched is copied as the bytes that came. Broken msgpack is an error, never a panic, and
// costs no more than its length.
package record

import (
	"encoding/binary"
	"errors"

	"github.com/tinylib/msgp/msgp"
)

// ErrBroken says that the bytes are no msgpack event.
var ErrBroken = errors.New("record: broken msgpack")

// Event is one event of a chunk; its slices are views of the chunk.
type Event struct {
	Raw  []byte // the whole event
	Head []byte // everything before the body: array header, timestamp, metadata
	Meta []byte // the metadata map, nil when the event has none
	Body []byte // the body, a map in all events of interest
	Time Timestamp
}

// Timestamp is the event's time; Group is set for the markers that open and close a group of records.
type Timestamp struct {
	Seconds     int64
	Nanoseconds int64
	Group       bool
}

// Next splits the first event off a chunk. On ErrBroken rest is what could not be read.
func Next(chunk []byte) (e Event, rest []byte, err error) {
	b, n, err := arrayHeader(chunk)
	if err != nil || n != 2 {
		return e, chunk, ErrBroken
	}
	var metadata []byte                              // and what follows
	if inner, n, err := arrayHeader(b); err == nil { // [[timestamp, metadata], body]
		if n < 1 {
			return e, chunk, ErrBroken
		}
		if e.Time, err = timestamp(inner); err != nil {
			return e, chunk, ErrBroken
		}
		if n == 2 {
			if metadata, err = skip(inner); err != nil {
				return e, chunk, ErrBroken
			}
		}
	} else if e.Time, err = timestamp(b); err != nil { // [timestamp, body]
		return e, chunk, ErrBroken
	}
	if b, err = skip(b); err != nil {
		return e, chunk, ErrBroken
	}
	if metadata != nil {
		e.Meta = metadata[:len(metadata)-len(b)]
	}
	bodyAt := len(chunk) - len(b)
	if rest, err = skip(b); err != nil {
		return e, chunk, ErrBroken
	}
	end := len(chunk) - len(rest)
	e.Raw, e.Head, e.Body = chunk[:end], chunk[:bodyAt], chunk[bodyAt:end]
	return e, rest, nil
}

func timestamp(b []byte) (Timestamp, error) {
	if len(b) == 0 {
		return Timestamp{}, ErrBroken
	}
	switch msgp.NextType(b) {
	case msgp.IntType, msgp.UintType:
		seconds, _, err := msgp.ReadInt64Bytes(b)
		return Timestamp{Seconds: seconds, Group: isGroup(seconds)}, err
	case msgp.Float64Type, msgp.Float32Type:
		f, _, err := msgp.ReadFloat64Bytes(b)
		if f != f || f < -1e12 || f > 1e12 {
			return Timestamp{}, err
		}
		seconds := int64(f)
		return Timestamp{Seconds: seconds, Nanoseconds: int64((f - float64(seconds)) * 1e9), Group: isGroup(seconds)}, err
	}
	// Fluentd's EventTime: ext type 0 with 8 bytes, as fixext 8 (d7 00) or ext 8 (c7 08 00).
	switch {
	case len(b) >= 10 && b[0] == 0xd7 && b[1] == 0:
		b = b[2:]
	case len(b) >= 11 && b[0] == 0xc7 && b[1] == 8 && b[2] == 0:
		b = b[3:]
	default:
		return Timestamp{}, ErrBroken
	}
	seconds := int64(int32(binary.BigEndian.Uint32(b)))
	if !isGroup(seconds) {
		seconds = int64(binary.BigEndian.Uint32(b))
	}
	return Timestamp{Seconds: seconds, Nanoseconds: int64(binary.BigEndian.Uint32(b[4:])), Group: isGroup(seconds)}, nil
}

// isGroup reports whether seconds mark the start (-1) or end (-2) of a group.
func isGroup(seconds int64) bool { return seconds == -1 || seconds == -2 }

func arrayHeader(b []byte) (rest []byte, n uint32, err error) {
	if len(b) == 0 {
		return b, 0, ErrBroken
	}
	n, rest, err = msgp.ReadArrayHeaderBytes(b)
	return rest, n, err
}

// skip returns what follows the first object. It needs no recursion: depth costs nothing, and no header can promise more
// objects than bytes are left.
func skip(b []byte) ([]byte, error) {
	pending := uint64(1)
	for ; pending > 0; pending-- {
		if size := textSpan(b); size > 0 && size <= len(b) {
			b = b[size:]
			continue
		}
		size, inside, ok := span(b)
		if !ok || size > uint64(len(b)) {
			return nil, ErrBroken
		}
		b = b[size:]
		if pending += inside; pending-1 > uint64(len(b)) {
			return nil, ErrBroken
		}
	}
	return b, nil
}

// textSpan returns the size of an object that is a string of less than 64 kB, as most are, 0 for others.
func textSpan(b []byte) int {
	if len(b) < 3 {
		return 0
	}
	switch c := b[0]; {
	case c&0xe0 == 0xa0:
		return 1 + int(c&0x1f)
	case c == 0xd9:
		return 2 + int(b[1])
	case c == 0xda:
		return 3 + int(b[1])<<8 + int(b[2])
	}
	return 0
}

// span returns the size of the first object without the objects inside it, and how many those are.
func span(b []byte) (size, inside uint64, ok bool) {
	if len(b) == 0 {
		return 0, 0, false
	}
	switch c := b[0]; {
	case c < 0x80 || c >= 0xe0: // fixint
		return 1, 0, true
	case c < 0x90: // fixmap
		return 1, 2 * uint64(c&0x0f), true
	case c < 0xa0: // fixarray
		return 1, uint64(c & 0x0f), true
	case c < 0xc0: // fixstr
		return 1 + uint64(c&0x1f), 0, true
	default:
		return longSpan(b)
	}
}

// sizes holds, for the codes from 0xc0 to 0xdf, the bytes of an object whose size is fixed, 0 for the others.
var sizes = [32]uint8{0: 1, 0xc2 - 0xc0: 1, 0xc3 - 0xc0: 1, 0xca - 0xc0: 5, 0xcb - 0xc0: 9, 0xcc - 0xc0: 2, 0xcd - 0xc0: 3,
	0xce - 0xc0: 5, 0xcf - 0xc0: 9, 0xd0 - 0xc0: 2, 0xd1 - 0xc0: 3, 0xd2 - 0xc0: 5, 0xd3 - 0xc0: 9, 0xd4 - 0xc0: 3, 0xd5 - 0xc0: 4,
	0xd6 - 0xc0: 6, 0xd7 - 0xc0: 10, 0xd8 - 0xc0: 18}

func longSpan(b []byte) (size, inside uint64, ok bool) {
	if fixed := sizes[b[0]-0xc0]; fixed > 0 {
		return uint64(fixed), 0, true
	}
	width := lengthWidth(b[0])
	if width == 0 || len(b) < 1+width {
		return 0, 0, false
	}
	var n uint64
	for _, c := range b[1 : 1+width] {
		n = n<<8 | uint64(c)
	}
	head := uint64(1 + width)
	switch b[0] {
	case 0xc7, 0xc8, 0xc9: // ext: a type byte more
		return head + 1 + n, 0, true
	case 0xdc, 0xdd: // array
		return head, n, true
	case 0xde, 0xdf: // map
		return head, 2 * n, true
	}
	return head + n, 0, true // str, bin
}

// lengthWidth returns how many bytes of length follow a code, 0 for the code that msgpack never uses.
func lengthWidth(code byte) int {
	switch code {
	case 0xc4, 0xc7, 0xd9:
		return 1
	case 0xc5, 0xc8, 0xda, 0xdc, 0xde:
		return 2
	case 0xc6, 0xc9, 0xdb, 0xdd, 0xdf:
		return 4
	}
	return 0
}
