package fieldmap

import (
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

const (
	maxHeadLines = 4096 // lines read of one head; servers accept about 100
	// A head without the blank line that ends it counts as cut from this size in bytes. Shorter ones come from sources that
	// trim what they log: probes that cut do it far behind the length of common heads.
	minCutHead = 1024
)

// head reads a raw head line by line; lines end with CRLF or LF.
type head struct {
	rest   string
	size   int  // of the whole head in bytes
	ended  bool // the blank line that ends the head has been read
	unread bool // some lines do not become headers: there are more than maxHeadLines, or they are none
}

func newHead(raw string) head { return head{rest: raw, size: len(raw)} }

// line returns the next line without its end. It reports false at the blank line that ends the head, and at the end of the text.
func (h *head) line() (string, bool) {
	if h.rest == "" {
		return "", false
	}
	line, hasEnd := h.rest, false
	if at := strings.IndexByte(line, '\n'); at >= 0 {
		line, h.rest, hasEnd = line[:at], line[at+1:], true
	} else {
		h.rest = ""
	}
	line = strings.TrimSuffix(line, "\r")
	h.ended = line == "" && hasEnd
	return line, line != ""
}

// headers appends the header lines of a head. A folded line continues the value before it with one blank, as servers read
// it; a line that is no header is passed over. The head is cut when its end is missing, or when it has more than maxHeadLines.
func (h *head) headers(dst []rules.Header) (headers []rules.Header, cut bool) {
	for lines := 0; ; lines++ {
		line, more := h.line()
		if !more {
			return dst, !h.ended && h.size >= minCutHead
		}
		if lines == maxHeadLines {
			h.unread = true
			return dst, true
		}
		if line[0] == ' ' || line[0] == '\t' {
			lines += h.fold(dst, line, maxHeadLines-lines-1)
			continue
		}
		name, value, hasColon := strings.Cut(line, ":")
		if name = strings.TrimRight(name, blanks); hasColon && name != "" {
			dst = append(dst, rules.Header{Name: name, Value: strings.Trim(value, blanks)})
		} else if h.rest != "" { // the last line may be cut
			h.unread = true
		}
	}
}

const blanks = " \t"

// fold continues the last header with a folded line and those that follow it, at most a number of them, and returns how many
// followed. All are joined at once: a head that consists of them must not take the square of its size.
func (h *head) fold(headers []rules.Header, line string, most int) (more int) {
	var values []string
	if len(headers) > 0 && headers[len(headers)-1].Value != "" {
		values = append(values, headers[len(headers)-1].Value)
	}
	for {
		if value := strings.Trim(line, blanks); value != "" {
			values = append(values, value)
		}
		if more == most || h.rest == "" || h.rest[0] != ' ' && h.rest[0] != '\t' {
			break
		}
		line, _ = h.line()
		more++
	}
	if len(headers) > 0 {
		headers[len(headers)-1].Value = strings.Join(values, " ")
	} else {
		h.unread = true
	}
	return more
}

// simpleVersion is what servers take a request line without a version for.
const simpleVersion = "HTTP/0.9"

// requestLine splits "METHOD target VERSION". Blanks before the method belong to it, and the target may contain blanks, as
// scanners send them: the version is then only what starts with HTTP/.
func requestLine(line string) (method, target, version string, ok bool) {
	lead := len(line) - len(strings.TrimLeft(line, " "))
	at := strings.IndexByte(line[lead:], ' ')
	if at <= 0 {
		return "", "", "", false
	}
	method = line[:lead+at]
	rest := strings.TrimLeft(line[lead+at:], " ")
	at = strings.LastIndexByte(rest, ' ')
	switch {
	case at < 0:
		target, version = rest, simpleVersion
	case strings.HasPrefix(rest[at+1:], "HTTP/") || strings.IndexByte(rest, ' ') == at:
		target, version = strings.TrimRight(rest[:at], " "), rest[at+1:]
	default:
		target, version = rest, simpleVersion
	}
	return method, target, version, target != ""
}

// statusLine splits "VERSION status reason".
func statusLine(line string) (version string, status string, ok bool) {
	version, rest, ok := strings.Cut(line, " ")
	status, _, _ = strings.Cut(strings.TrimLeft(rest, " "), " ")
	return version, status, ok && strings.HasPrefix(version, "HTTP/")
}

// isNamed reports whether a header has a name; case is ignored.
func isNamed(h *rules.Header, name string) bool {
	return len(h.Name) == len(name) && strings.EqualFold(h.Name, name)
}

// value returns the value of the first header with a name, "" when there is none.
func value(headers []rules.Header, name string) string {
	for i := range headers {
		if isNamed(&headers[i], name) {
			return headers[i].Value
		}
	}
	return ""
}
