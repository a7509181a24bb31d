package redact

import (
	"strings"
)

// nameBefore returns the name that ends before a place.
func (s *scanner) nameBefore(end int) string {
	start := end
	for start > 0 && end-start < longestName && isNameByte(s.text[start-1]) {
		start--
	}
	return s.text[start:end]
}

// assignment looks at name=value, as in arguments, attributes and parameters.
func (s *scanner) assignment(at int) {
	if at < s.until {
		return
	}
	name := s.nameBefore(at)
	if name == "" {
		return
	}
	start := at + 1
	if strings.EqualFold(name, "name") {
		s.namedPart(start)
		return
	}
	if !s.r.isSecretName(name) {
		return
	}
	if quote := s.quoteAt(start); quote != "" {
		start += len(quote)
		s.add(start, s.closing(start, quote), Argument)
		return
	}
	s.add(start, start+endOf(s.text[start:], "& \t\r\n"), Argument)
}

// nearby is how far, in bytes, is looked for what belongs to a name.
const nearby = 512

// namedPart looks at name="password": the value is the body of a part of a multipart body, or an attribute beside it.
func (s *scanner) namedPart(start int) {
	near := s.text[start:min(len(s.text), start+nearby)]
	name := near[:endOf(near, "; \t\r\n>")]
	if !s.r.isSecretName(strings.Trim(name, `"'\`)) {
		return
	}
	before := strings.ToLower(s.text[max(0, start-64):start])
	if strings.Contains(before, "form-data") {
		s.partBody(start)
		return
	}
	tag := start + endOf(near, "<>")
	open := max(0, start-nearby)
	open += max(strings.LastIndexByte(s.text[open:start], '<'), 0)
	if at := strings.Index(strings.ToLower(s.text[open:tag]), "value="); at >= 0 {
		at += open + len("value=")
		quote := s.quoteAt(at)
		at += len(quote)
		s.add(at, min(s.closing(at, quote), tag), Argument)
	}
}

// partBody adds what follows the blank line of a part, up to the line of the next boundary.
func (s *scanner) partBody(from int) {
	body := -1
	near := s.text[from:min(len(s.text), from+nearby)]
	for _, blank := range []string{"\r\n\r\n", "\n\n"} {
		if at := strings.Index(near, blank); at >= 0 && (body < 0 || from+at+len(blank) < body) {
			body = from + at + len(blank)
		}
	}
	if body < 0 {
		return
	}
	end := len(s.text)
	if at := strings.Index(s.text[body:], "\n--"); at >= 0 {
		end = body + at
	}
	s.add(body, end, Argument)
}

// quoteAt returns the quote that opens a text, with the backslashes before it; "" when there is none.
func (s *scanner) quoteAt(at int) string {
	end := at
	for end < len(s.text) && s.text[end] == '\\' {
		end++
	}
	if end < len(s.text) && (s.text[end] == '"' || s.text[end] == '\'') {
		return s.text[at : end+1]
	}
	return ""
}

// closing returns where a quoted text ends that starts at a place: at a quote that has as many backslashes before it as the one
// that opened the text, or at the end.
func (s *scanner) closing(start int, quote string) int {
	if quote == "" {
		return start + endOf(s.text[start:], " \t\r\n>")
	}
	slashes, mark := len(quote)-1, quote[len(quote)-1]
	run := 0
	for i := start; i < len(s.text); i++ {
		switch {
		case s.text[i] == '\\':
			run++
			continue
		case s.text[i] == mark && (run == slashes || slashes == 0 && run%2 == 0):
			return i - slashes
		}
		run = 0
	}
	return len(s.text)
}

// colon looks at "name": value, name: value and the credentials of a URL.
func (s *scanner) colon(at int) {
	if strings.HasPrefix(s.text[at:], "://") {
		s.userInfo(at + 3)
		return
	}
	if at < s.until {
		return
	}
	end := at
	for end > 0 && isBlank(s.text[end-1]) {
		end--
	}
	quoted := end > 0 && (s.text[end-1] == '"' || s.text[end-1] == '\'')
	if quoted {
		end--
		for end > 0 && s.text[end-1] == '\\' {
			end--
		}
	}
	name := s.nameBefore(end)
	if name == "" || !s.r.isSecretName(name) {
		return
	}
	start := at + 1
	for start < len(s.text) && (isBlank(s.text[start]) || quoted && isBreak(s.text[start])) {
		start++
	}
	if start == len(s.text) {
		return
	}
	if quote := s.quoteAt(start); quote != "" {
		start += len(quote)
		s.add(start, s.closing(start, quote), Argument)
		return
	}
	s.add(start, start+fieldLength(s.text[start:], quoted), Argument)
}

// fieldLength returns the length of the value of a field without quotes: an object or a list with all that is in it, or what
// stands up to a separator or the end of the line.
func fieldLength(text string, quoted bool) int {
	switch {
	case text[0] == '{' || text[0] == '[' && !strings.HasPrefix(text, Placeholder):
		return nestedLength(text)
	case quoted:
		return endOf(text, ",}] \t\r\n&")
	default:
		return endOf(text, "\r\n")
	}
}

// nestedLength returns the length of an object or a list, all of the text when it does not end.
func nestedLength(text string) int {
	depth, inText := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\':
			i++
		case c == '"':
			inText = !inText
		case inText:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(text)
}

// userInfo looks at the credentials in front of the host of a URL.
func (s *scanner) userInfo(start int) {
	near := s.text[start:min(len(s.text), start+nearby)]
	end := start + endOf(near, "/?#\"'<> \t\r\n")
	at := strings.LastIndexByte(s.text[start:end], '@')
	if at < 0 {
		return
	}
	if colon := strings.IndexByte(s.text[start:start+at], ':'); colon >= 0 {
		s.add(start+colon+1, start+at, Authorization)
	}
}

// element looks at the text of an XML element, whose opening tag ends here.
func (s *scanner) element(at int) {
	if at < s.until {
		return
	}
	open := strings.LastIndexByte(s.text[max(0, at-2*longestName):at], '<')
	if open < 0 {
		return
	}
	tag := s.text[max(0, at-2*longestName)+open+1 : at]
	name := tag[:endOf(tag, " \t\r\n")]
	if name == "" || strings.HasSuffix(tag, "/") || strings.IndexByte("/?!", name[0]) >= 0 || !s.r.isSecretName(name) {
		return
	}
	end := len(s.text)
	for close := at; close >= 0 && close+2+len(name) <= len(s.text); {
		if strings.EqualFold(s.text[close+2:close+2+len(name)], name) && s.text[close:close+2] == "</" {
			end = close
			break
		}
		next := strings.Index(s.text[close+1:], "</")
		if next < 0 {
			break
		}
		close += 1 + next
	}
	s.add(at+1, end, Argument)
}

// endOf returns where the first of some bytes stands in a text, its length when none does.
func endOf(text, bytes string) int {
	if end := strings.IndexAny(text, bytes); end >= 0 {
		return end
	}
	return len(text)
}

func isBreak(c byte) bool { return c == '\r' || c == '\n' }
