package accesslog

import (
	"fmt"
	"strings"
)

// clfFields are the fields of a line in the combined log format, as a parser that knows the format cuts them out: what stands
// between the quotes is left as the server wrote it.
type clfFields struct{ client, method, target, status, referer, agent string }

// clf returns the fields of the line that a server writes, whose texts are escaped by the server. A parser ends a target at its
// first blank.
func (r *Request) clf(escape func(string) string) clfFields {
	target, _, _ := strings.Cut(r.Target, " ")
	return clfFields{
		client: clientIP, method: r.Method, target: escape(target), status: fmt.Sprint(r.Status),
		referer: orDash(escape(r.Header("Referer"))), agent: orDash(escape(r.Header("User-Agent"))),
	}
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// apacheEscaped writes a text as Apache does: quotes and backslashes with a backslash, other bytes that do not print as C does.
func apacheEscaped(s string) string {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteString("\\" + string(rune(c)))
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\t':
			b.WriteString(`\t`)
		case c < ' ' || c >= 0x7f:
			fmt.Fprintf(&b, `\x%02x`, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// nginxEscaped writes a text as nginx does without escape=json.
func nginxEscaped(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c == '"' || c == '\\' || c < ' ' || c >= 0x7f {
			fmt.Fprintf(&b, `\x%02X`, c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// haproxyEscaped writes a text as HAProxy does: a hash and two hexadecimal digits for what does not print and for the bytes given.
func haproxyEscaped(s, special string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || strings.IndexByte(special, c) >= 0 {
			fmt.Fprintf(&b, "#%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
