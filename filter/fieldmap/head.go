package fieldmap

import (
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

const maxHeaders = 4096 // lines read of one head; servers accept about 100

// head reads a raw head line by line; lines end with CRLF or LF.
type head struct{ rest string }

// line returns the next line without its end. It reports false at the blank line that ends the head, and at the end of the text.
func (h *head) line() (string, bool) {
	if h.rest == "" {
		return "", false
	}
	line, rest, _ := strings.Cut(h.rest, "\n")
	h.rest = rest
	line = strings.TrimSuffix(line, "\r")
	return line, line != ""
}

// headers appends the header lines of a head. A folded line continues the value before it with one blank, as servers read
// it. The result is whole when every line is a header.
func (h *head) headers(dst []rules.Header) (headers []rules.Header, whole bool) {
	whole = true
	for {
		line, more := h.line()
		if !more {
			return dst, whole
		}
		if len(dst) == maxHeaders {
			return dst, false
		}
		if line[0] == ' ' || line[0] == '\t' {
			if len(dst) == 0 {
				whole = false
				continue
			}
			last := &dst[len(dst)-1]
			last.Value = strings.TrimRight(last.Value, " \t") + " " + strings.Trim(line, " \t")
			continue
		}
		name, value, hasColon := strings.Cut(line, ":")
		name = strings.TrimRight(name, " \t")
		if !hasColon || name == "" {
			whole = false
			continue
		}
		dst = append(dst, rules.Header{Name: name, Value: strings.Trim(value, " \t")})
	}
}

// requestLine splits "METHOD target VERSION". The target may contain blanks, as scanners send them; HTTP/0.9 has no version.
func requestLine(line string) (method, target, version string, ok bool) {
	method, rest, ok := strings.Cut(line, " ")
	if !ok || method == "" {
		return "", "", "", false
	}
	rest = strings.Trim(rest, " ")
	if at := strings.LastIndexByte(rest, ' '); at >= 0 && strings.HasPrefix(rest[at+1:], "HTTP/") {
		return method, strings.TrimRight(rest[:at], " "), rest[at+1:], true
	}
	return method, rest, "", rest != ""
}

// statusLine splits "VERSION status reason".
func statusLine(line string) (version string, status string, ok bool) {
	version, rest, ok := strings.Cut(line, " ")
	status, _, _ = strings.Cut(strings.TrimLeft(rest, " "), " ")
	return version, status, ok && strings.HasPrefix(version, "HTTP/")
}
