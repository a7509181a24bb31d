package record

import (
	"slices"
	"strings"
	"unsafe"

	"github.com/tinylib/msgp/msgp"
)

// Pairs reads the pairs of a map one after the other. Key and Value are views, valid until the next call of Next.
type Pairs struct {
	left  uint32
	rest  []byte
	Key   string // the pair's key; "" with IsKey false when the key is no string
	IsKey bool
	Raw   []byte // key and value as they are
	Value []byte // the value as msgpack
}

// ReadMap starts reading a map; it reports false when the bytes are no map.
func ReadMap(b []byte) (p Pairs, isMap bool) {
	if len(b) == 0 || b[0]&0xf0 != 0x80 && b[0] != 0xde && b[0] != 0xdf {
		return p, false
	}
	n, rest, err := msgp.ReadMapHeaderBytes(b)
	return Pairs{left: n, rest: rest}, err == nil
}

// Len returns the number of pairs that are left.
func (p *Pairs) Len() int { return int(p.left) }

// Next reads the next pair. It reports false at the end and when the bytes are broken.
func (p *Pairs) Next() bool {
	if p.left == 0 {
		return false
	}
	b := p.rest
	keyEnd, ok := end(b)
	if !ok {
		return false
	}
	size, ok := end(b[keyEnd:])
	if !ok {
		return false
	}
	if b[0]&0xe0 == 0xa0 { // a short string, as most keys are
		p.Key, p.IsKey = view(b[1:keyEnd]), true
	} else {
		p.Key, p.IsKey = Text(b[:keyEnd])
	}
	p.Value = b[keyEnd : keyEnd+size]
	p.Raw = b[:keyEnd+size]
	p.rest = b[keyEnd+size:]
	p.left--
	return true
}

// CutPair splits the first pair off the pairs of a map. Its results are registers rather than the fields of Pairs, which makes
// it twice as fast. The key is "" when it is no string.
func CutPair(b []byte) (key string, value, rest []byte, ok bool) {
	keyEnd, ok := end(b)
	if !ok {
		return "", nil, b, false
	}
	size, ok := end(b[keyEnd:])
	if !ok {
		return "", nil, b, false
	}
	if b[0]&0xe0 == 0xa0 { // a short string, as most keys are
		key = view(b[1:keyEnd])
	} else {
		key, _ = Text(b[:keyEnd])
	}
	return key, b[keyEnd : keyEnd+size], b[keyEnd+size:], true
}

// Rest returns the bytes of the pairs that are left, for CutPair.
func (p *Pairs) Rest() []byte { return p.rest }

// end returns where the first object ends. Strings, which are most objects, take the short way.
func end(b []byte) (size int, ok bool) {
	if size = textSpan(b); size > 0 {
		return size, size <= len(b)
	}
	rest, err := skip(b)
	return len(b) - len(rest), err == nil
}

// Items reads the values of an array one after the other.
type Items struct {
	left  uint32
	rest  []byte
	Value []byte // the value as msgpack, valid until the next call of Next
}

// ReadArray starts reading an array; it reports false when the bytes are no array.
func ReadArray(b []byte) (i Items, isArray bool) {
	if len(b) == 0 || b[0]&0xf0 != 0x90 && b[0] != 0xdc && b[0] != 0xdd {
		return i, false
	}
	rest, n, err := arrayHeader(b)
	return Items{left: n, rest: rest}, err == nil
}

// Len returns the number of values that are left.
func (i *Items) Len() int { return int(i.left) }

// Next reads the next value. It reports false at the end and when the bytes are broken.
func (i *Items) Next() bool {
	if i.left == 0 {
		return false
	}
	rest, err := skip(i.rest)
	if err != nil {
		return false
	}
	i.Value = i.rest[:len(i.rest)-len(rest)]
	i.rest = rest
	i.left--
	return true
}

// Text returns a string or binary value as a view of its bytes.
func Text(b []byte) (s string, isText bool) {
	if len(b) == 0 {
		return "", false
	}
	var head int
	switch c := b[0]; {
	case c >= 0xa0 && c < 0xc0:
		head = 1
	case c == 0xd9 || c == 0xc4:
		head = 2
	case c == 0xda || c == 0xc5:
		head = 3
	case c == 0xdb || c == 0xc6:
		head = 5
	default:
		return "", false
	}
	if len(b) < head {
		return "", false
	}
	return view(b[head:]), true
}

// view returns bytes as a string without copying them.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// IsNil reports whether a value is nil.
func IsNil(b []byte) bool { return len(b) == 1 && b[0] == 0xc0 }

// AppendMapWith appends a map with a pair set in it: all pairs with the key are skipped, and the new one comes last. A nil
// value only removes.
func AppendMapWith(dst, body []byte, key string, value []byte) []byte {
	p, _ := ReadMap(body)
	pairs, kept, removed := p.rest, uint32(0), false
	for p.Next() {
		if p.IsKey && p.Key == key {
			removed = true
		} else {
			kept++
		}
	}
	pairs = pairs[:len(pairs)-len(p.rest)]
	if value != nil {
		kept++
	}
	dst = msgp.AppendMapHeader(slices.Grow(dst, len(body)+len(key)+len(value)+2*msgp.MapHeaderSize), kept)
	if removed {
		dst = appendWithout(dst, body, key)
	} else {
		dst = append(dst, pairs...)
	}
	if value != nil {
		dst = msgp.AppendString(dst, key)
		dst = append(dst, value...)
	}
	return dst
}

// appendWithout appends the pairs of a map but for those with a key.
func appendWithout(dst, body []byte, key string) []byte {
	for p, _ := ReadMap(body); p.Next(); {
		if !p.IsKey || p.Key != key {
			dst = append(dst, p.Raw...)
		}
	}
	return dst
}

// Get returns the value of the last pair of a map with a key, nil when there is none.
func Get(body []byte, key string) (value []byte) {
	for p, _ := ReadMap(body); p.Next(); {
		if p.IsKey && p.Key == key {
			value = p.Value
		}
	}
	return value
}

// Has reports whether a map has a key.
func Has(body []byte, key string) bool {
	if !strings.Contains(view(body), key) { // much cheaper than reading the map
		return false
	}
	for p, _ := ReadMap(body); p.Next(); {
		if p.IsKey && p.Key == key {
			return true
		}
	}
	return false
}
