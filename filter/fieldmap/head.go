package fieldmap

import (
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/accesslog"
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
	lines  int  // header lines that have been read
	ended  bool // the blank line that ends the head has been read
	open   bool // the line that was read last has no end
	unread bool // the head has text that becomes neither start line nor header
	pseudo pseudoHeaders
}

// pseudoHeaders are those of HTTP/2 and HTTP/3, which stand in place of the request line and of Host.
type pseudoHeaders struct {
	allowed                 bool // in the head
	seen                    bool
	odd                     bool // one comes twice, or says what rules do not see
	method, path, authority string
}

// take reads a line of a pseudo header. It reports false for other lines.
func (p *pseudoHeaders) take(line string) bool {
	if !p.allowed || line[0] != ':' {
		return false
	}
	name, value, _ := strings.Cut(line[1:], ":")
	if name = line[:len(name)+1]; !isPseudo(name) {
		return false
	}
	p.note(name, strings.Trim(value, blanks))
	return true
}

// note keeps the value of a pseudo header.
func (p *pseudoHeaders) note(name, value string) {
	p.seen = true
	var known *string
	switch {
	case strings.EqualFold(name, ":method"):
		known = &p.method
	case strings.EqualFold(name, ":path"):
		known = &p.path
	case strings.EqualFold(name, authority):
		known = &p.authority
	default:
		p.odd = p.odd || !isPlainName(value)
		return
	}
	p.odd = p.odd || *known != "" && *known != value
	*known = value
}

// newHead starts with the first line that has text: servers ignore empty lines before a request (RFC 9112, section 2.2).
func newHead(raw string) head {
	h := head{rest: raw, size: len(raw)}
	h.skipEmpty()
	return h
}

func (h *head) skipEmpty() {
	for h.rest != "" && (h.rest[0] == '\r' || h.rest[0] == '\n') {
		h.rest = h.rest[1:]
	}
}

// line returns the next line without its end. It reports false at the blank line that ends the head, and at the end of the text.
func (h *head) line() (string, bool) {
	if h.rest == "" {
		return "", false
	}
	line := h.rest
	at := strings.IndexByte(line, '\n')
	if h.open = at < 0; h.open {
		h.rest = ""
	} else {
		line, h.rest = line[:at], line[at+1:]
	}
	line = strings.TrimSuffix(line, "\r")
	h.ended = line == "" && !h.open
	return line, line != ""
}

// requestLine reads the request line. Where the first line is none, that is the first line with a method and a version; what
// stands before it is unread. It reports false when there is none; then header lines are read from the start, and whether the
// first one was meant for a request line stays open.
func (h *head) requestLine() (method, target, version string, ok bool) {
	start := h.rest
	if h.pseudo.allowed = strings.HasPrefix(start, ":"); h.pseudo.allowed {
		return "", "", "", false
	}
	line, _ := h.line()
	if method, target, version, ok = requestLine(line); ok && (hasVersion(version) || isHTTP(target) || isRequest(method, target, version)) {
		h.unread = !accesslog.IsToken(trimLeft(method)) || !isNumbered(version) || strings.IndexByte(line, '\r') >= 0
		return method, target, version, true
	}
	for lines := 1; lines < maxHeadLines && h.rest != ""; lines++ {
		line, _ = h.line()
		if method, target, version, ok = requestLine(line); ok && hasVersion(version) && accesslog.IsToken(method) {
			h.unread = true
			return method, target, version, true
		}
	}
	h.rest, h.unread = start, true
	return "", "", "", false
}

// statusLine reads the status line as requestLine reads that of a request.
func (h *head) statusLine() (version, status string, ok bool) {
	start := h.rest
	for lines := 0; lines < maxHeadLines && h.rest != ""; lines++ {
		line, _ := h.line()
		if version, status, ok = statusLine(line); ok {
			h.unread = h.unread || lines > 0 || strings.IndexByte(line, '\r') >= 0
			return version, status, true
		}
	}
	h.rest = start
	return "", "", false
}

// headers appends the header lines of a head. A folded line continues the value before it with one blank, as servers read
// it; a line that is no header is passed over. The head is cut when its end is missing, or when it has more than maxHeadLines.
func (h *head) headers(dst []rules.Header) (headers []rules.Header, cut bool) {
	for ; ; h.lines++ {
		line, more := h.line()
		if !more {
			return dst, !h.ended && h.size >= minCutHead
		}
		if h.lines == maxHeadLines {
			h.unread = true
			return dst, true
		}
		if h.pseudo.take(line) {
			continue
		}
		if name, value, ok := headerLine(line); ok {
			dst = append(dst, rules.Header{Name: name, Value: value})
		} else {
			dst = h.oddLine(dst, line)
		}
	}
}

const blanks = " \t"

// headerLine splits a header line. It reports false for a line that servers do not agree on: one that is folded, that has no
// name or one with spaces or control characters in it, or that has a carriage return.
func headerLine(line string) (name, value string, ok bool) {
	at := 0
	for at < len(line) && line[at] > ' ' && line[at] != ':' && line[at] != 0x7f {
		at++
	}
	name = line[:at]
	for at < len(line) && (line[at] == ' ' || line[at] == '\t') {
		at++
	}
	if name == "" || at == len(line) || line[at] != ':' || strings.IndexByte(line[at:], '\r') >= 0 {
		return "", "", false
	}
	return name, strings.Trim(line[at+1:], blanks), true
}

// oddLine reads a line that is folded, or that servers do not agree on: they refuse it, skip it, or take a carriage return for
// the end of a line. Where it has a name, its value is a header all the same. Only the last line may be the start of a name.
func (h *head) oddLine(dst []rules.Header, line string) []rules.Header {
	if line[0] == ' ' || line[0] == '\t' {
		h.lines += h.fold(dst, line, maxHeadLines-h.lines-1)
		return dst
	}
	name, value, hasColon := strings.Cut(line, ":")
	if name = strings.TrimRight(name, blanks); hasColon && name != "" {
		dst = append(dst, rules.Header{Name: name, Value: strings.Trim(value, blanks)})
	}
	h.unread = h.unread || !h.open || !isPlainName(line)
	return dst
}

// isPlainName reports whether a text has what names of headers consist of, which no attack can do with.
func isPlainName(s string) bool {
	for i := range len(s) {
		if c := s[i] | 0x20; (c < 'a' || c > 'z') && (s[i] < '0' || s[i] > '9') && s[i] != '-' && s[i] != '_' {
			return false
		}
	}
	return true
}

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
		h.unread = h.unread || strings.IndexByte(line, '\r') >= 0
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

// hasMore reports whether text stands behind the end of the head. What a body starts with is read as that body.
func (h *head) hasMore(body string) bool { return hasText(h.rest) && !strings.HasPrefix(body, h.rest) }

// continues reports whether another head follows, and goes on to it.
func (h *head) continues() bool {
	if !h.ended {
		return false
	}
	h.skipEmpty()
	return isHTTP(h.rest)
}

// hasText reports whether a text has more than spaces and control characters.
func hasText(s string) bool {
	for i := range len(s) {
		if s[i] > ' ' && s[i] != 0x7f {
			return true
		}
	}
	return false
}

// simpleVersion is what servers take a request line without a version for.
const simpleVersion = "HTTP/0.9"

func isHTTP(version string) bool { return strings.HasPrefix(version, "HTTP/") }

// isNumbered reports whether a version is HTTP/ and a number, or empty.
func isNumbered(version string) bool {
	number, is := strings.CutPrefix(version, "HTTP/")
	for i := range len(number) {
		if c := number[i]; c != '.' && (c < '0' || c > '9') {
			return false
		}
	}
	return is || version == ""
}

// hasVersion reports whether a request line has the version that was read from it.
func hasVersion(version string) bool { return isHTTP(version) && version != simpleVersion }

// requestLine splits "METHOD target VERSION". Spaces before the method belong to it, and the target may contain spaces, as
// scanners send them: the version is then only what starts with HTTP/. Lenient servers take tabs, vertical tabs, form feeds
// and carriage returns for spaces (RFC 9112, section 3).
func requestLine(line string) (method, target, version string, ok bool) {
	lead := len(line) - len(trimLeft(line))
	at := lead
	for at < len(line) && !isBlank(line[at]) {
		at++
	}
	if at == lead || at == len(line) {
		return "", "", "", false
	}
	method = line[:at]
	rest := trimLeft(line[at:])
	whole := trimRight(rest)
	last := len(whole)
	for last > 0 && !isBlank(whole[last-1]) {
		last--
	}
	if last > 0 && isHTTP(whole[last:]) {
		return method, trimRight(whole[:last]), whole[last:], true
	}
	target, version = rest, simpleVersion
	if at = strings.IndexByte(rest, ' '); at > 0 && strings.LastIndexByte(rest, ' ') == at {
		target, version = rest[:at], rest[at+1:]
	}
	return method, target, version, target != ""
}

// isWholeVersion reports whether a version has its last digit.
func isWholeVersion(version string) bool {
	if !isHTTP(version) {
		return false
	}
	last := version[len(version)-1]
	return '0' <= last && last <= '9'
}

// cutTarget returns the request target of a line without a version: it goes on to the end, where the start of a version may stand.
func cutTarget(line, method string) string {
	_, rest, _ := strings.Cut(line, method)
	rest = trimRight(trimLeft(rest))
	last := strings.LastIndexByte(rest, ' ') + 1
	if tail := rest[last:]; last > 0 && (isHTTP(tail) || tail == "HTTP/"[:min(len(tail), len("HTTP/"))]) {
		return trimRight(rest[:last])
	}
	return rest
}

// isBlank reports whether a character may stand between the parts of a start line.
func isBlank(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }

func trimLeft(s string) string {
	for s != "" && isBlank(s[0]) {
		s = s[1:]
	}
	return s
}

func trimRight(s string) string {
	for s != "" && isBlank(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

// statusLine splits "VERSION status reason".
func statusLine(line string) (version string, status string, ok bool) {
	at := 0
	for at < len(line) && !isBlank(line[at]) {
		at++
	}
	version, status = line[:at], trimLeft(line[at:])
	end := 0
	for end < len(status) && !isBlank(status[end]) {
		end++
	}
	return version, status[:end], at < len(line) && isHTTP(version)
}

// isNamed reports whether a header has a name; case is ignored.
func isNamed(h *rules.Header, name string) bool {
	return len(h.Name) == len(name) && strings.EqualFold(h.Name, name)
}

// value returns the value of the first header with a name, "" when there is none.
func value(headers []rules.Header, name string) string {
	if at := headerAt(headers, name); at >= 0 {
		return headers[at].Value
	}
	return ""
}

// headerAt returns the place of the first header with a name, -1 when there is none.
func headerAt(headers []rules.Header, name string) int {
	for i := range headers {
		if isNamed(&headers[i], name) {
			return i
		}
	}
	return -1
}
