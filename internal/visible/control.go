package visible

import "unicode"

// IsControl reports whether terminals obey a character or receivers take it for the end of a line: the controls of ASCII and of
// Unicode, and the two line separators.
func IsControl(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }
