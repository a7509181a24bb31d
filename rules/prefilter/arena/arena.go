package arena

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
	"unsafe"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter/ascii"
)

// Arena is memory for texts of one transaction. A text stays valid until the arena is reset, also when the arena grows.
type Arena struct{ Buf []byte }

// Reset gives up all texts.
func (a *Arena) Reset() { a.Buf = a.Buf[:0] }

// Room returns memory behind the last text for one of at most n bytes, of which take makes a text.
func (a *Arena) Room(n int) []byte {
	a.Buf = slices.Grow(a.Buf, n)
	return a.Buf[len(a.Buf) : len(a.Buf)+n]
}

// Take returns the first n bytes of the room.
func (a *Arena) Take(n int) string {
	mark := len(a.Buf)
	a.Buf = a.Buf[:mark+n]
	return a.Since(mark)
}

// Since returns what was appended after a mark.
func (a *Arena) Since(mark int) string { return viewOf(a.Buf[mark:]) }

// Join returns texts one behind the other.
func (a *Arena) Join(parts ...string) string {
	mark := len(a.Buf)
	for _, p := range parts {
		a.Buf = append(a.Buf, p...)
	}
	return a.Since(mark)
}

// Number returns a number in decimal digits.
func (a *Arena) Number(n int) string {
	mark := len(a.Buf)
	a.Buf = strconv.AppendInt(a.Buf, int64(n), 10)
	return a.Since(mark)
}

// Lower returns a text as package strings does, which replaces invalid UTF-8 by U+FFFD where a text has more than ASCII.
func (a *Arena) Lower(s string) string {
	at := 0
	for at < len(s) && s[at] < utf8.RuneSelf && ascii.Fold[s[at]] == s[at] {
		at++
	}
	if at == len(s) {
		return s
	}
	mark := len(a.Buf)
	a.Buf = append(a.Buf, s[:at]...)
	for at < len(s) {
		if c := s[at]; c < utf8.RuneSelf {
			a.Buf = append(a.Buf, ascii.Fold[c])
			at++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[at:])
		a.Buf = utf8.AppendRune(a.Buf, unicode.ToLower(r))
		at += size
	}
	return a.Since(mark)
}

// Unescape decodes + and %hh; everything else stays.
func (a *Arena) Unescape(s string) string {
	at := strings.IndexAny(s, "+%")
	if at < 0 {
		return s
	}
	mark := len(a.Buf)
	a.Buf = append(a.Buf, s[:at]...)
	for i := at; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '+':
			c = ' '
		case c == '%' && i+2 < len(s) && unhex[s[i+1]] >= 0 && unhex[s[i+2]] >= 0:
			c = byte(unhex[s[i+1]]<<4 | unhex[s[i+2]])
			i += 2
		}
		a.Buf = append(a.Buf, c)
	}
	return a.Since(mark)
}

// NameKey returns the form in which a collection of Coraza keeps a key, which is that of package strings.
func (a *Arena) NameKey(name string) string { return a.Lower(name) }

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
