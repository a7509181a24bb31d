package main

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"
)

// printable returns text without anything that steers a terminal or turns what is read around: control characters, bytes
// that are not UTF-8, and invisible characters are written as escapes.
func printable(text string) string {
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

// cut returns printable text in at most so many columns.
func cut(text string, columns int) string {
	if len(text) > 4*columns+utf8.UTFMax { // what cannot be seen need not be measured
		text = text[:4*columns+utf8.UTFMax]
		text = strings.ToValidUTF8(text, "")
	}
	return runewidth.Truncate(text, columns, "…")
}

// cutFront returns the end of printable text in at most so many columns.
func cutFront(text string, columns int) string {
	width := runewidth.StringWidth(text)
	if width <= columns {
		return text
	}
	return runewidth.TruncateLeft(text, width-columns+1, "…")
}
