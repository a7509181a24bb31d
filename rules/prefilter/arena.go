package prefilter

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
	"unsafe"
)

// arena is memory for texts of one transaction. A text stays valid until the arena is reset, also when the arena grows.
type arena struct{ buf []byte }

func (a *arena) reset() { a.buf = a.buf[:0] }

// room returns memory behind the last text for one of at most n bytes, of which take makes a text.
func (a *arena) room(n int) []byte {
	a.buf = slices.Grow(a.buf, n)
	return a.buf[len(a.buf) : len(a.buf)+n]
}

// take returns the first n bytes of the room.
func (a *arena) take(n int) string {
	mark := len(a.buf)
	a.buf = a.buf[:mark+n]
	return a.since(mark)
}

// since returns what was appended after a mark.
func (a *arena) since(mark int) string { return viewOf(a.buf[mark:]) }

func (a *arena) join(parts ...string) string {
	mark := len(a.buf)
	for _, p := range parts {
		a.buf = append(a.buf, p...)
	}
	return a.since(mark)
}

func (a *arena) number(n int) string {
	mark := len(a.buf)
	a.buf = strconv.AppendInt(a.buf, int64(n), 10)
	return a.since(mark)
}

// lower returns a text as package strings does, which makes U+FFFD of what is no UTF-8 where a text has more than ASCII.
func (a *arena) lower(s string) string {
	at := 0
	for at < len(s) && s[at] < utf8.RuneSelf && fold[s[at]] == s[at] {
		at++
	}
	if at == len(s) {
		return s
	}
	mark := len(a.buf)
	a.buf = append(a.buf, s[:at]...)
	for at < len(s) {
		if c := s[at]; c < utf8.RuneSelf {
			a.buf = append(a.buf, fold[c])
			at++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[at:])
		a.buf = utf8.AppendRune(a.buf, unicode.ToLower(r))
		at += size
	}
	return a.since(mark)
}

// unescape decodes + and %hh; what is no escape stays.
func (a *arena) unescape(s string) string {
	at := strings.IndexAny(s, "+%")
	if at < 0 {
		return s
	}
	mark := len(a.buf)
	a.buf = append(a.buf, s[:at]...)
	for i := at; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '+':
			c = ' '
		case c == '%' && i+2 < len(s) && unhex[s[i+1]] >= 0 && unhex[s[i+2]] >= 0:
			c = byte(unhex[s[i+1]]<<4 | unhex[s[i+2]])
			i += 2
		}
		a.buf = append(a.buf, c)
	}
	return a.since(mark)
}

// nameKey returns the form in which a collection of Coraza keeps a key, which is that of package strings.
func (a *arena) nameKey(name string) string { return a.lower(name) }

// viewOf returns bytes as a text without copying them.
func viewOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

var unhex = func() (table [256]int16) {
	for c := range table {
		switch {
		case '0' <= c && c <= '9':
			table[c] = int16(c - '0')
		case 'a' <= c && c <= 'f':
			table[c] = int16(c - 'a' + 10)
		case 'A' <= c && c <= 'F':
			table[c] = int16(c - 'A' + 10)
		default:
			table[c] = -1
		}
	}
	return table
}()
