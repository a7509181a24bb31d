package fieldmap

import "strings"

// closeXML returns how much of a cut XML text to keep and what to append, so that a lenient parser reads all that is kept.
// Elements may stay open; an open CDATA section, attribute or tag is closed, and what cannot be is skipped.
func closeXML(body string) (keep int, tail string) {
	for at := 0; ; {
		open := strings.IndexByte(body[at:], '<')
		if open < 0 {
			return at + len(trimEntity(trimRune(body[at:]))), ""
		}
		at += open
		size := markupSize(body[at:])
		if size > 0 {
			at += size
			continue
		}
		if content, isData := strings.CutPrefix(body[at:], cdata); isData {
			return len(body) - len(content) + len(strings.TrimRight(trimRune(content), "]")), "]]>"
		}
		keep, tail = closeTag(body[at:])
		return at + keep, tail
	}
}

const cdata = "<![CDATA["

// markupSize returns the size of what starts with <, 0 when its end is missing.
func markupSize(s string) int {
	for _, kind := range [...]struct{ start, end string }{{"<!--", "-->"}, {cdata, "]]>"}, {"<?", "?>"}, {"<!", ">"}} {
		if strings.HasPrefix(s, kind.start) {
			if end := strings.Index(s[len(kind.start):], kind.end); end >= 0 {
				return len(kind.start) + end + len(kind.end)
			}
			return 0
		}
	}
	for i := 1; i < len(s); i++ {
		switch c := s[i]; c {
		case '>':
			return i + 1
		case '"', '\'':
			end := strings.IndexByte(s[i+1:], c)
			if end < 0 {
				return 0
			}
			i += 1 + end
		}
	}
	return 0
}

// closeTag closes a tag whose end is missing behind its last attribute, which may be incomplete.
func closeTag(s string) (keep int, tail string) {
	if len(s) < 2 || strings.IndexByte("!?/", s[1]) >= 0 {
		return 0, ""
	}
	for i := 1; i < len(s); i++ {
		if quote := s[i]; quote == '"' || quote == '\'' {
			end := strings.IndexByte(s[i+1:], quote)
			if end < 0 {
				return i + 1 + len(trimEntity(trimRune(s[i+1:]))), string(quote) + ">"
			}
			i += 1 + end
			keep, tail = i+1, ">"
		}
	}
	return keep, tail
}

// trimEntity removes an incomplete &name; from the end.
func trimEntity(s string) string {
	if at := strings.LastIndexByte(s, '&'); at >= 0 && strings.IndexByte(s[at:], ';') < 0 && !strings.ContainsAny(s[at:], " \t\r\n") {
		return s[:at]
	}
	return s
}
