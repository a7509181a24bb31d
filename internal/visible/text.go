// Package visible writes text that may hold anything so that people see all of it. Controls, marks of direction and
// bytes that are not UTF-8 are escaped. Text of an attacker can then neither steer a terminal nor hide a part of
// itself in a log.
package visible

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Text returns text without anything that steers a terminal or turns what is read around: control characters, bytes
// that are not UTF-8, and invisible characters are written as escapes.
func Text(text string) string {
	if isPrintable(text) {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && size == 1, r < 0x20, r == 0x7f:
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case strconv.IsPrint(r):
			b.WriteString(text[i : i+size])
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		i += size
	}
	return b.String()
}

func isPrintable(text string) bool {
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		if !strconv.IsPrint(r) || r == utf8.RuneError && size == 1 {
			return false
		}
		i += size
	}
	return true
}
