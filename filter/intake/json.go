// Package intake turns what sources send into the msgpack events that a filter reads, without a form in between. JSON
// is decoded straight into msgpack. Duplicate keys and bytes that are not UTF-8 stay as they were sent, because rules
// look for them.
package intake

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"time"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"

	"github.com/tinylib/msgp/msgp"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/accesslog"
)

// maxDepth bounds how deep objects and lists may lie in each other.
const maxDepth = 512

// SyntaxError says where a text stops being JSON. It holds nothing of the text.
type SyntaxError struct {
	Offset int    // bytes before the place
	Want   string // what would have been right there
}

// Error names the place, counted from byte 1.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("not JSON at byte %d (want %s)", e.Offset+1, e.Want)
}

// Decoder decodes JSON. It keeps memory from call to call and serves one goroutine at a time; its Shape is to be set before.
//
// It reads more than JSON where sources are known to write it and where refusing the record would hide an attack: control
// characters inside strings, bytes that are not UTF-8, and the escape \xHH of nginx.
type Decoder struct {
	Shape   Shape
	Untimed uint64 // records whose time could not be read, so far; they have the time of receipt

	Plain   Plain              // what becomes of a text that is no JSON
	Columns *accesslog.Columns // of lines of the W3C extended format; a line that announces them sets them

	sketch  []byte // the record of a line, for whether it has one
	text    []byte
	at      int
	deepest int       // levels, where fewer are allowed than maxDepth
	unquote []byte    // the string that is being decoded, when it has escapes
	time    time.Time // of the record that is being decoded, as far as it is known
}

// object appends the object at the current place as a msgpack map. On an error dst is what it was.
func (d *Decoder) object(dst []byte) ([]byte, error) {
	d.blanks()
	if d.at == len(d.text) || d.text[d.at] != '{' {
		return dst, d.want("an object")
	}
	out, err := d.container(dst, 1)
	if err != nil {
		return dst, err
	}
	return out, nil
}

// AppendObject decodes a text that is one JSON object of at most some levels, and appends it as a msgpack map. On an error dst is
// what it was.
func (d *Decoder) AppendObject(dst, text []byte, levels int) ([]byte, error) {
	d.text, d.at, d.deepest = text, 0, levels
	defer func() { d.deepest = 0; d.release() }()
	out, err := d.object(dst)
	if err != nil {
		return dst, err
	}
	if d.blanks(); d.at < len(text) {
		return dst, d.want("nothing after the object")
	}
	return out, nil
}

func (d *Decoder) want(what string) error { return &SyntaxError{d.at, what} }

func (d *Decoder) blanks() {
	for d.at < len(d.text) {
		switch d.text[d.at] {
		case ' ', '\t', '\r', '\n':
			d.at++
		default:
			return
		}
	}
}

// peek returns the next byte that is no blank, 0 at the end of the text.
func (d *Decoder) peek() byte {
	d.blanks()
	if d.at == len(d.text) {
		return 0
	}
	return d.text[d.at]
}

func (d *Decoder) value(dst []byte, depth int) ([]byte, error) {
	switch c := d.peek(); {
	case c == '"':
		return d.string(dst)
	case c == '{' || c == '[':
		return d.container(dst, depth+1)
	case c == '-' || '0' <= c && c <= '9':
		return d.number(dst)
	case c == 't' && d.word("true"):
		return msgp.AppendBool(dst, true), nil
	case c == 'f' && d.word("false"):
		return msgp.AppendBool(dst, false), nil
	case c == 'n' && d.word("null"):
		return msgp.AppendNil(dst), nil
	}
	return dst, d.want("a value")
}

func (d *Decoder) word(w string) bool {
	if len(d.text)-d.at < len(w) || string(d.text[d.at:d.at+len(w)]) != w {
		return false
	}
	d.at += len(w)
	return true
}

const (
	array32 = 0xdd
	map32   = 0xdf
)

// container appends an object or a list. How many members it has is known at its end only, so its header has a fixed width.
func (d *Decoder) container(dst []byte, depth int) ([]byte, error) {
	if deepest := cmp.Or(d.deepest, maxDepth); depth > deepest {
		return dst, d.want(fmt.Sprintf("at most %d levels", deepest))
	}
	code, end, wantNext := byte(array32), byte(']'), "a comma or ]"
	if d.text[d.at] == '{' {
		code, end, wantNext = map32, '}', "a comma or }"
	}
	d.at++
	header := len(dst)
	dst = append(dst, code, 0, 0, 0, 0)
	if d.peek() == end {
		d.at++
		return dst, nil
	}
	for n := uint32(1); ; n++ {
		var err error
		key := len(dst)
		if code == map32 {
			if dst, err = d.key(dst); err != nil {
				return dst, err
			}
		}
		value := len(dst)
		if dst, err = d.value(dst, depth); err != nil {
			return dst, err
		}
		if depth == 1 {
			dst = d.member(dst, key, value)
		}
		switch d.peek() {
		case ',':
			d.at++
		case end:
			d.at++
			binary.BigEndian.PutUint32(dst[header+1:], n)
			return dst, nil
		default:
			return dst, d.want(wantNext)
		}
	}
}

func (d *Decoder) key(dst []byte) ([]byte, error) {
	if d.peek() != '"' {
		return dst, d.want("a key in double quotes")
	}
	dst, err := d.string(dst)
	if err != nil {
		return dst, err
	}
	if d.peek() != ':' {
		return dst, d.want("a colon")
	}
	d.at++
	return dst, nil
}

// number appends a number. What a msgpack number cannot hold exactly or at all, as whole numbers of more than 64 bits,
// is kept as text.
func (d *Decoder) number(dst []byte) ([]byte, error) {
	start := d.at
	if d.text[d.at] == '-' {
		d.at++
	}
	if d.at < len(d.text) && d.text[d.at] == '0' {
		d.at++
	} else if err := d.digits(); err != nil {
		return dst, err
	}
	whole := true
	if d.at < len(d.text) && d.text[d.at] == '.' {
		whole = false
		d.at++
		if err := d.digits(); err != nil {
			return dst, err
		}
	}
	if d.at < len(d.text) && d.text[d.at]|0x20 == 'e' {
		whole = false
		d.at++
		if d.at < len(d.text) && (d.text[d.at] == '+' || d.text[d.at] == '-') {
			d.at++
		}
		if err := d.digits(); err != nil {
			return dst, err
		}
	}
	return appendNumber(dst, d.text[start:d.at], whole), nil
}

func (d *Decoder) digits() error {
	start := d.at
	for d.at < len(d.text) && '0' <= d.text[d.at] && d.text[d.at] <= '9' {
		d.at++
	}
	if d.at == start {
		return d.want("a digit")
	}
	return nil
}

func appendNumber(dst, text []byte, whole bool) []byte {
	s := unsafe.String(unsafe.SliceData(text), len(text)) // for the calls below only
	if whole && s != "-0" {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return msgp.AppendInt64(dst, n)
		}
		if n, err := strconv.ParseUint(s, 10, 64); err == nil {
			return msgp.AppendUint64(dst, n)
		}
		return msgp.AppendStringFromBytes(dst, text)
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(f, 0) {
		return msgp.AppendStringFromBytes(dst, text)
	}
	return msgp.AppendFloat64(dst, f)
}

// string appends the string at the current place.
func (d *Decoder) string(dst []byte) ([]byte, error) {
	d.at++
	start := d.at
	d.at = special(d.text, start)
	if d.at < len(d.text) && d.text[d.at] == '"' {
		d.at++
		return msgp.AppendStringFromBytes(dst, d.text[start:d.at-1]), nil
	}
	return d.escapedString(dst, start)
}

// escapedString appends a string whose first escape, or the end of the text, is at the current place.
func (d *Decoder) escapedString(dst []byte, start int) ([]byte, error) {
	d.unquote = d.unquote[:0]
	for ; ; start, d.at = d.at, special(d.text, d.at) {
		d.unquote = append(d.unquote, d.text[start:d.at]...)
		if d.at == len(d.text) {
			return dst, d.want("a closing double quote")
		}
		if d.text[d.at] == '"' {
			d.at++
			return msgp.AppendStringFromBytes(dst, d.unquote), nil
		}
		if err := d.escape(); err != nil {
			return dst, err
		}
	}
}

// special returns the place of the first double quote or backslash from a place on, the length of the text when there is none.
// It looks at eight bytes at a time: where x has a byte of zero, (x - ones) &^ x & highs has the highest bit of that byte set,
// and none of those before it.
func special(text []byte, at int) int {
	const (
		ones        = 0x0101010101010101
		highs       = 0x80 * ones
		quotes      = '"' * ones
		backslashes = '\\' * ones
	)
	for ; at+8 <= len(text); at += 8 {
		word := binary.LittleEndian.Uint64(text[at:])
		q, s := word^quotes, word^backslashes
		if found := ((q-ones)&^q | (s-ones)&^s) & highs; found != 0 {
			return at + bits.TrailingZeros64(found)/8
		}
	}
	for ; at < len(text); at++ {
		if text[at] == '"' || text[at] == '\\' {
			break
		}
	}
	return at
}

// escapes holds what stands behind a backslash and what it means.
var escapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

func (d *Decoder) escape() error {
	d.at++
	if d.at == len(d.text) {
		return d.want("an escape")
	}
	c := d.text[d.at]
	switch {
	case escapes[c] != 0:
		d.unquote = append(d.unquote, escapes[c])
		d.at++
		return nil
	case c == 'u':
		return d.unicodeEscape()
	case c == 'x':
		n, ok := d.hex(d.at+1, 2)
		if !ok {
			return d.want("two hexadecimal digits after \\x")
		}
		d.unquote = append(d.unquote, byte(n))
		d.at += 3
		return nil
	}
	return d.want("an escape")
}

// unicodeEscape decodes uHHHH, or two of them that are a surrogate pair. Half a pair is the replacement character.
func (d *Decoder) unicodeEscape() error {
	n, ok := d.hex(d.at+1, 4)
	if !ok {
		return d.want("four hexadecimal digits after \\u")
	}
	d.at += 5
	r := rune(n)
	if utf16.IsSurrogate(r) {
		r = utf8.RuneError
		if d.at+1 < len(d.text) && d.text[d.at] == '\\' && d.text[d.at+1] == 'u' {
			if low, ok := d.hex(d.at+2, 4); ok {
				if r = utf16.DecodeRune(rune(n), rune(low)); r != utf8.RuneError {
					d.at += 6
				}
			}
		}
	}
	d.unquote = utf8.AppendRune(d.unquote, r)
	return nil
}

// hex reads a number of hexadecimal digits.
func (d *Decoder) hex(at, digits int) (n uint32, ok bool) {
	if at+digits > len(d.text) {
		return 0, false
	}
	for _, c := range d.text[at : at+digits] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		n = n<<4 | uint32(c)
	}
	return n, true
}
