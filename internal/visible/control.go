package visible

import (
	"strings"
	"unicode"
)

// IsControl reports whether terminals obey a character, receivers take it for the end of a line, or it changes the order in
// which a text is shown: the controls of ASCII and of Unicode, the two line separators, and those of IsBidi.
func IsControl(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || IsBidi(r)
}

// IsBidi reports whether a character controls the direction of text, so that what is read is not what is there.
func IsBidi(r rune) bool {
	return r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' || r == '\u200e' || r == '\u200f' || r == '\u061c'
}

// HasBidi reports whether one of them is in a text.
func HasBidi(text string) bool {
	if strings.IndexByte(text, 0xe2) < 0 && strings.IndexByte(text, 0xd8) < 0 { // all of them begin so
		return false
	}
	return strings.ContainsFunc(text, IsBidi)
}

// WithoutBidi returns a text with U+FFFD in their place.
func WithoutBidi(text string) string {
	if !HasBidi(text) {
		return text
	}
	return strings.Map(func(r rune) rune {
		if IsBidi(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}
