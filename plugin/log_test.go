package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLogLinesCannotBeForged(t *testing.T) {
	for line, want := range map[string]string{
		"panic: a\r[2026/01/01] [error] forged": "panic: a [2026/01/01] [error] forged",
		"\x1b[2J\x1b]0;title\a 100% %s %n \"'":  " [2J ]0;title  100% %s %n \"'",
		"\u009b31m\u2028é\xff\x00":              " 31m é  ",
		"nothing to do":                         "nothing to do",
	} {
		require.Equal(t, want, printable(line))
	}
}
