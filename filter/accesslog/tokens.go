package accesslog

import (
	"net/netip"
	"strings"
	"time"
)

// tokens cuts a line at single spaces. Text in double quotes, in which a backslash protects the next byte, and text that is in
// brackets as a whole may have spaces.
type tokens struct{ rest string }

// next returns the next token. It reports false at the end of the line and, with nothing taken, when quotes or brackets do not
// close or two spaces follow each other.
func (t *tokens) next() (token string, ok bool) {
	if t.rest == "" {
		return "", false
	}
	size := tokenSize(t.rest)
	if size <= 0 {
		return "", false
	}
	token = t.rest[:size]
	t.rest = strings.TrimPrefix(t.rest[size:], " ")
	return token, true
}

// tokenSize returns the length of the first token, -1 when it is malformed.
func tokenSize(s string) int {
	if s[0] == '[' {
		if end := strings.IndexByte(s, ']'); end > 0 && (end+1 == len(s) || s[end+1] == ' ') {
			return end + 1
		}
		return -1
	}
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case ' ':
			return i
		case '"':
			size := quoted(s[i:])
			if size < 0 {
				return -1
			}
			i += size - 1
			if s[0] == '"' && i+1 < len(s) && s[i+1] != ' ' {
				return -1
			}
		}
	}
	return len(s)
}

// quoted returns the length of the quoted text at the start, with its quotes, -1 when it does not end.
func quoted(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

// text returns the next token, which has to be in quotes, without them. Of a text that does not end, the rest of the line is
// returned and open is true.
func (t *tokens) text() (text string, open, ok bool) {
	if !strings.HasPrefix(t.rest, `"`) {
		return "", false, false
	}
	size := quoted(t.rest)
	if size < 0 {
		text, t.rest = t.rest[1:], ""
		return text, true, true
	}
	token, ok := t.next()
	if !ok {
		return "", false, false
	}
	return token[1 : len(token)-1], false, true
}

// all takes as many tokens as there are names of them, and reports false when there are less or one of them is not what it has to
// be.
func (t *tokens) all(is ...func(string) bool) bool {
	for _, fits := range is {
		token, ok := t.next()
		if !ok || !fits(token) {
			return false
		}
	}
	return true
}

func isNumber(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

func isStatus(s string) bool { return len(s) == 3 && isNumber(s) }

// isSize reports whether a text counts bytes; a dash stands for none.
func isSize(s string) bool { return s == "-" || isNumber(s) }

// isDecimal reports whether a text is a number with an optional sign and fraction.
func isDecimal(s string) bool {
	s = strings.TrimPrefix(strings.TrimPrefix(s, "-"), "+")
	whole, fraction, hasFraction := strings.Cut(s, ".")
	return isNumber(whole) && (!hasFraction || isNumber(fraction))
}

func isAddress(s string) bool {
	if number, _, _ := strings.Cut(s, "%"); strings.Trim(number, "0123456789abcdefABCDEF:.") != "" {
		return false // without the error that the parser would make
	}
	_, err := netip.ParseAddr(s)
	return err == nil
}

// splitPort splits host:port and [v6]:port; a bare IPv6 address may stand before the port as well.
func splitPort(s string) (host, port string, ok bool) {
	at := strings.LastIndexByte(s, ':')
	if at < 0 || !isNumber(s[at+1:]) || len(s[at+1:]) > 5 {
		return "", "", false
	}
	return strings.TrimSuffix(strings.TrimPrefix(s[:at], "["), "]"), s[at+1:], true
}

// isEndpoint reports whether a text is an address with a port.
func isEndpoint(s string) bool {
	host, _, ok := splitPort(s)
	return ok && isAddress(host)
}

// isTime reports whether a text is a time in a layout.
func isTime(layout, s string) bool {
	_, err := time.Parse(layout, s)
	return err == nil
}

func inLayout(layout string) func(string) bool {
	return func(s string) bool { return isTime(layout, s) }
}

// startsWithDate reports whether a text may start with YYYY-MM-DD.
func startsWithDate(s string) bool {
	return len(s) > len(time.DateOnly) && s[4] == '-' && s[7] == '-' && isNumber(s[:4])
}

// IsToken reports whether a text is a token of RFC 9110, as methods and names of headers are.
func IsToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}
