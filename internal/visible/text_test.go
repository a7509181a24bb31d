package visible

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTextShowsWhatCannotBeSeen(t *testing.T) {
	for text, want := range map[string]string{
		"":                   "",
		"ä 世界 ✓":             "ä 世界 ✓",
		"a\tb\n":             `a\x09b\x0a`,
		"\x1b[31m":           `\x1b[31m`,
		"\xff\xc3":           `\xff\xc3`,
		"\u0085":             `\u0085`,
		"a\u202egpj":         `a\u202egpj`,
		"\u200b\ufeff":       `\u200b\ufeff`,
		"\U000e0041":         `\U000e0041`,
		"\ufffd is a letter": "\ufffd is a letter",
	} {
		require.Equal(t, want, Text(text))
	}
}
