package delivery

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/visible"
)

// oneLine returns text as one line of valid UTF-8 without control characters: whatever a log record holds, it can neither
// forge a second line nor steer a terminal. In a JSON object they become escapes, so that no value changes; in other text
// spaces. A text that is clean already is returned as it is, without surrounding spaces.
func oneLine(text []byte) []byte {
	text = bytes.TrimSpace(text)
	if isClean(text) {
		return text
	}
	inJSON := len(text) > 0 && text[0] == '{'
	line := make([]byte, 0, len(text)+64)
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && size == 1:
			line = utf8.AppendRune(line, utf8.RuneError)
		case !visible.IsControl(r):
			line = append(line, text[:size]...)
		case inJSON && r >= 0x7f:
			line = fmt.Appendf(line, `\u%04x`, r)
		default:
			// JSON has no raw control bytes inside its strings; outside of them they are spaces.
			line = append(line, ' ')
		}
		text = text[size:]
	}
	return line
}

func isClean(text []byte) bool {
	for len(text) > 0 {
		if c := text[0]; c < utf8.RuneSelf {
			if c < ' ' || c == 0x7f {
				return false
			}
			text = text[1:]
			continue
		}
		r, size := utf8.DecodeRune(text)
		if visible.IsControl(r) || r == utf8.RuneError && size == 1 {
			return false
		}
		text = text[size:]
	}
	return true
}
