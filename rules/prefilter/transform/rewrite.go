package transform

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter/arena"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter/ascii"
)

// rewrites are forms of transformations of Coraza that change most values, or are asked for values that they do not change.
// They write into the arena, and report false for values that are left to Coraza's own.
var rewrites = map[string]func(a *arena.Arena, value string) (text string, done bool){
	"lowercase":        lowercase,
	"removewhitespace": removeWhitespace,
	"cmdline":          commandLine,
	"urldecodeuni":     urlDecodeUni,
	"base64decode":     base64Decode,
	"normalisepath":    cleanPath,
}

// reportedRewrites are rewrites of transformations whose changes count only when they report them.
var reportedRewrites = map[string]func(a *arena.Arena, value string) (text string, done bool){"removewhitespace": removeReportedWhitespace}

// removeReportedWhitespace leaves values without whitespace as they are: removeWhitespace also makes U+FFFD of what is no UTF-8, which it
// does not report.
func removeReportedWhitespace(a *arena.Arena, value string) (string, bool) {
	if !canHaveSpace(value) || strings.IndexFunc(value, unicode.IsSpace) < 0 {
		return value, true
	}
	return removeWhitespace(a, value)
}

// beginsSpace are the bytes with which the UTF-8 of whitespace begins.
var beginsSpace = ascii.Set("\t\n\v\f\r \xc2\xe1\xe2\xe3")

func canHaveSpace(value string) bool {
	for i := range len(value) {
		if beginsSpace[value[i]] {
			return true
		}
	}
	return false
}

func lowercase(a *arena.Arena, value string) (string, bool) { return a.Lower(value), true }

func isSpace(c byte) bool { return byteTraits[c]&hasSpace != 0 }

func removeWhitespace(a *arena.Arena, value string) (string, bool) {
	room, n := a.Room(len(value)), 0
	for i := range len(value) {
		c := value[i]
		if c >= utf8.RuneSelf {
			return removeAnyWhitespace(a, value), true
		}
		room[n] = c
		if !isSpace(c) {
			n++
		}
	}
	return a.Take(n), true
}

// removeAnyWhitespace makes U+FFFD of what is no UTF-8, as package strings does.
func removeAnyWhitespace(a *arena.Arena, value string) string {
	mark := len(a.Buf)
	for i := 0; i < len(value); {
		c := value[i]
		if c < utf8.RuneSelf {
			if !isSpace(c) {
				a.Buf = append(a.Buf, c)
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(value[i:])
		if !unicode.IsSpace(r) {
			a.Buf = utf8.AppendRune(a.Buf, r)
		}
		i += size
	}
	return a.Since(mark)
}

// What the transformation cmdLine does with a byte.
const (
	keep = iota
	drop
	blank
	afterBlank // the space before it goes
)

var commandLineActions = func() (table [256]uint8) {
	for action, members := range map[uint8]string{drop: `"'\^`, blank: " ,;\t\r\n", afterBlank: "/("} {
		for _, c := range []byte(members) {
			table[c] = action
		}
	}
	return table
}()

func commandLine(a *arena.Arena, value string) (string, bool) {
	room, n := a.Room(len(value)), 0
	space := false
	for i := range len(value) {
		c := value[i]
		switch commandLineActions[c] {
		case keep:
			room[n] = ascii.Fold[c]
			n++
			space = false
		case blank:
			if !space {
				room[n] = ' '
				n++
			}
			space = true
		case afterBlank:
			if space {
				n--
			}
			room[n] = c
			n++
			space = false
		}
	}
	return a.Take(n), true
}

// urlDecodeUni leaves %u to Coraza, which has a table for it.
func urlDecodeUni(a *arena.Arena, value string) (string, bool) {
	if strings.Contains(value, "%u") || strings.Contains(value, "%U") {
		return "", false
	}
	return a.Unescape(value), true
}

var base64Values = func() (table [256]int8) {
	for c := range table {
		table[c] = int8(strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", byte(c)))
	}
	return table
}()

// base64Decode decodes up to the first byte that is not base64.
func base64Decode(a *arena.Arena, value string) (string, bool) {
	mark := len(a.Buf)
	var bits, n uint32
	for i := range len(value) {
		c := value[i]
		if c == '\r' || c == '\n' {
			continue
		}
		six := base64Values[c]
		if six < 0 {
			break
		}
		bits = bits<<6 | uint32(six)
		if n++; n == 4 {
			a.Buf = append(a.Buf, byte(bits>>16), byte(bits>>8), byte(bits))
			bits, n = 0, 0
		}
	}
	switch n {
	case 2:
		a.Buf = append(a.Buf, byte(bits>>4))
	case 3:
		a.Buf = append(a.Buf, byte(bits>>10), byte(bits>>2))
	}
	return a.Since(mark), true
}

// cleanPath leaves paths alone that are clean: without empty names and names of one or two dots.
func cleanPath(_ *arena.Arena, value string) (string, bool) {
	start := 0
	for i := 0; i <= len(value); i++ {
		if i < len(value) && value[i] != '/' {
			continue
		}
		switch name := value[start:i]; {
		case name == "" && i > 0 && i < len(value), name == ".", name == "..":
			return "", false
		}
		start = i + 1
	}
	return value, value != "/"
}
