package main

import (
	"bufio"
	"fmt"
	"strconv"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/visible"
)

// count writes a number with its noun.
func count[N int | uint64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return grouped(n) + " " + noun + "s"
}

// grouped writes a number with commas between its thousands.
func grouped[N int | uint64](n N) string {
	text := fmt.Sprint(n)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}

// lineWriter buffers what a command prints.
func lineWriter(c *console) *bufio.Writer { return bufio.NewWriterSize(c.out, 64<<10) }

// mend returns text as JSON can hold it, without the controls that terminals and editors obey and JSON does not escape.
func mend(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= 0x7f && r < 0xa0 || visible.IsBidi(r) {
			return '\uFFFD'
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
}

// severityName returns the name of a severity, "" when a rule has none.
func severityName(name string) string {
	if name == "unknown" {
		return ""
	}
	return name
}

// level writes a paranoia level; rules outside of CRS have none.
func level(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}
