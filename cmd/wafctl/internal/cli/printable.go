package cli

import (
	"strings"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/visible"
)

// Printable returns text as it may be written to a terminal.
func Printable(text string) string { return visible.Text(text) }

// Cut returns printable text in at most so many columns.
func Cut(text string, columns int) string {
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
