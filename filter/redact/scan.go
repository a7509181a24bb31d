package redact

import (
	"slices"
	"strings"
)

// span is a secret in a text.
type span struct {
	start, end int
	kind       Kind
}

// scan finds the secrets in a text by what stands around them: lines of heads, arguments, fields of JSON, XML and multipart
// bodies. What cannot be told apart counts as secret. Spans are in order and do not overlap.
func (r *Redactor) scan(text string) []span {
	s := scanner{r: r, text: text}
	for i := 0; i < len(text); i++ {
		if i == 0 || text[i-1] == '\n' || text[i-1] == '\r' {
			s.headerLine(i)
		}
		switch c := text[i]; c {
		case '=':
			s.assignment(i)
		case ':':
			s.colon(i)
		case '>':
			s.element(i)
		case 'b', 'B':
			s.credentials(i)
		default:
			if isTokenStart[c] {
				s.token(i)
			}
		}
	}
	s.cards()
	if r.pattern != nil {
		s.own()
	}
	return merged(s.spans)
}

// scanner collects the spans of one text.
type scanner struct {
	r     *Redactor
	text  string
	spans []span
	until int // end of the furthest value; what begins inside it is a part of it
}

func (s *scanner) add(start, end int, k Kind) {
	if start < end {
		s.spans = append(s.spans, span{start, end, k})
		s.until = max(s.until, end)
	}
}

// merged sorts spans and joins those that overlap; the first one gives the kind.
func merged(spans []span) []span {
	slices.SortStableFunc(spans, func(a, b span) int { return a.start - b.start })
	joined := spans[:0]
	for _, next := range spans {
		if last := len(joined) - 1; last >= 0 && next.start < joined[last].end {
			joined[last].end = max(joined[last].end, next.end)
			continue
		}
		joined = append(joined, next)
	}
	return joined
}

// headerLine looks at a line that may be one of a head.
func (s *scanner) headerLine(at int) {
	end := at
	for end < len(s.text) && end-at < longestName && isNameByte(s.text[end]) {
		end++
	}
	name := s.text[at:end]
	for end < len(s.text) && isBlank(s.text[end]) {
		end++
	}
	if name == "" || end == len(s.text) || s.text[end] != ':' {
		return
	}
	kind, secret := s.r.headerKind(name)
	if !secret {
		return
	}
	start, end := s.lineValue(end + 1)
	s.value(start, end, kind)
}

// lineValue returns where the value of a header starts and ends; a line that begins with a blank goes on with it.
func (s *scanner) lineValue(start int) (int, int) {
	for start < len(s.text) && isBlank(s.text[start]) {
		start++
	}
	end := start
	for end < len(s.text) {
		if c := s.text[end]; c == '\r' || c == '\n' {
			next := end + 1
			if c == '\r' && next < len(s.text) && s.text[next] == '\n' {
				next++
			}
			if next >= len(s.text) || !isBlank(s.text[next]) {
				break
			}
			end = next
		}
		end++
	}
	return start, end
}

// value adds what is secret in the value of a header.
func (s *scanner) value(start, end int, kind Kind) {
	switch kind {
	case Authorization:
		s.add(start+schemeLength(s.text[start:end]), end, kind)
	case Cookie, SetCookie:
		s.cookies(start, end, kind)
	default:
		s.add(start, end, kind)
	}
	s.until = max(s.until, end)
}

// schemes are the words before credentials that are no secret themselves.
var schemes = []string{"basic", "bearer", "digest", "negotiate", "ntlm", "token", "apikey", "aws4-hmac-sha256", "hoba", "mutual", "dpop", "hawk"}

// schemeLength returns the length of a scheme with the blanks behind it, 0 when the value has none that is known.
func schemeLength(value string) int {
	at := strings.IndexAny(value, " \t")
	if at < 0 || !slices.Contains(schemes, strings.ToLower(value[:at])) {
		return 0
	}
	for at < len(value) && isBlank(value[at]) {
		at++
	}
	return at
}

// attributes are the names behind the first one of a Set-Cookie header that are those of no cookie.
var attributes = []string{"path", "domain", "expires", "max-age", "samesite", "priority", "version", "comment"}

// cookies adds the values of cookies; what has no name is a value.
func (s *scanner) cookies(start, end int, kind Kind) {
	lastQuote := strings.LastIndexByte(s.text[:end], '"')
	for at := start; at < end; {
		stop := s.cookieEnd(at, end, lastQuote)
		pair := s.text[at:stop]
		name, _, named := strings.Cut(pair, "=")
		word := strings.ToLower(strings.TrimSpace(name))
		switch {
		case kind == SetCookie && at > start && (slices.Contains(attributes, word) || !named):
		case named:
			s.add(at+len(name)+1, stop, kind)
		default:
			s.add(at+len(pair)-len(strings.TrimLeft(pair, " \t")), stop, kind)
		}
		at = stop + 1
	}
}

// cookieEnd returns where the cookie ends that starts at a place. A semicolon in quotes is a part of its value.
func (s *scanner) cookieEnd(at, end, lastQuote int) int {
	inQuotes := false
	for i := at; i < end; i++ {
		switch {
		case s.text[i] == '"' && (inQuotes || i > at && s.text[i-1] == '='):
			inQuotes = !inQuotes
		case s.text[i] == ';' && (!inQuotes || i > lastQuote):
			return i
		}
	}
	return end
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// isNameByte reports whether a byte can be part of the name of a header or argument as it stands.
func isNameByte(c byte) bool {
	return isWordByte(c) || strings.IndexByte("_-.[]%$@+\\*", c) >= 0
}
