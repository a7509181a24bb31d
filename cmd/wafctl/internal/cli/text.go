package cli

import (
	"bufio"
	"fmt"
	"strconv"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/visible"
	"github.com/mattn/go-runewidth"
)

// Count writes a number with its noun.
func Count[N int | uint64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return Grouped(n) + " " + noun + "s"
}

// Grouped writes a number with commas between its thousands.
func Grouped[N int | uint64](n N) string {
	text := fmt.Sprint(n)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}

// LineWriter buffers what a command prints.
func LineWriter(c *Console) *bufio.Writer { return bufio.NewWriterSize(c.Out, 64<<10) }

// Mend returns text as JSON can hold it, without the controls that terminals and editors obey and JSON does not escape.
func Mend(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= 0x7f && r < 0xa0 || visible.IsBidi(r) {
			return '\uFFFD'
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
}

// SeverityName returns the name of a severity, "" when a rule has none.
func SeverityName(name string) string {
	if name == "unknown" {
		return ""
	}
	return name
}

// Level writes a paranoia level; rules outside of CRS have none.
func Level(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// Wrapped breaks a text between words into lines of at most so many columns. A longer word has a line of its own.
func Wrapped(text string, columns int) (lines []string) {
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && runewidth.StringWidth(line)+1+runewidth.StringWidth(word) > columns {
			lines = append(lines, line)
			line = ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return append(lines, line)
}
