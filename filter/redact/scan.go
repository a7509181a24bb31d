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

// scanner collects the spans of one text.
type scanner struct {
	r     *Redactor
	text  string
	level int // of escapes that are undone
	spans []span

	until     int      // end of the furthest value; what begins inside it is a part of it
	path      int      // end of the furthest path that was read
	open      int      // place behind the last <, 0 before the first one and behind its >
	tagged    int      // the same of the last element whose attributes were read
	sibling   span     // the last value that stood under a name such as "value"
	variables []string // of GraphQL that stand for secrets
}

// isMark tells the bytes at which something is looked for.
var isMark = func() (marks [256]bool) {
	for i := range marks {
		marks[i] = isTokenStart[i]
	}
	for _, c := range []byte("\n\r=:><,-/bB") {
		marks[c] = true
	}
	return marks
}()

var isInWord = func() (set byteSet) {
	for c := range set {
		set[c] = isWordByte(byte(c))
	}
	return set
}()

// walk looks at the text from its start to its end.
func (s *scanner) walk() {
	s.headerLine(0)
	for i := 0; i < len(s.text); i++ {
		c := s.text[i]
		if !isMark[c] {
			continue
		}
		switch c {
		case '\n', '\r':
			s.headerLine(i + 1)
		case '=':
			s.assignment(i)
		case ':':
			s.colon(i)
		case '<':
			s.open = i + 1
		case '>':
			s.element(i)
		case ',':
			s.comma(i)
		case '/':
			s.segment(i)
		case '-':
			s.option(i)
			s.token(i)
		default:
			if i > 0 && isInWord[s.text[i-1]] && !s.escaped(i) {
				continue
			}
			if lower(c) == 'b' {
				s.credentials(i)
			} else {
				s.token(i)
			}
		}
	}
}

func (s *scanner) add(start, end int, k Kind) {
	if start < end {
		s.spans = append(s.spans, span{start, end, k})
		s.until = max(s.until, end)
	}
}

// addValue adds the value of a name: all of it, or the parts that look random.
func (s *scanner) addValue(start, end int, of class) {
	switch of {
	case always:
		s.add(start, end, Argument)
	case random, code:
		s.addRandom(start, end, of)
	}
}

// headerLine looks at a line that may be one of a head.
func (s *scanner) headerLine(at int) {
	end := at
	for end < len(s.text) && isNameByte(s.text[end]) {
		end++
	}
	name := s.text[at:end]
	for end < len(s.text) && isBlank(s.text[end]) {
		end++
	}
	if name == "" || end == len(s.text) || s.text[end] != ':' || strings.HasPrefix(s.text[end:], "://") {
		return
	}
	kind, of := s.r.headerKind(name)
	if strings.EqualFold(name, "Content-Disposition") {
		start, stop := s.lineValue(end + 1)
		s.disposition(start, stop)
		return
	}
	if of == plain {
		return
	}
	start, stop := s.lineValue(end + 1)
	s.value(start, stop, kind, of)
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
func (s *scanner) value(start, end int, kind Kind, of class) {
	switch kind {
	case Authorization:
		s.add(start+schemeLength(s.text[start:end]), end, kind)
	case Cookie, SetCookie:
		s.cookies(start, end, kind)
	default:
		s.addValue(start, end, of)
	}
	if of == always {
		s.until = max(s.until, end)
	}
}

// schemes are the words before credentials that are no secret themselves: those of IANA's registry, and some that services have
// of their own.
var schemes = []string{
	"basic", "bearer", "concealed", "digest", "dpop", "gnap", "hoba", "mutual", "negotiate", "oauth", "privatetoken", "scram-sha-1",
	"scram-sha-256", "vapid", "ntlm", "kerberos", "token", "apikey", "hawk", "aws", "aws4-hmac-sha256", "aws4-ecdsa-p256-sha256",
	"goog4-rsa-sha256", "goog4-hmac-sha256", "sharedkey", "sharedkeylite", "sharedaccesssignature", "signature", "genie", "geniekey", "key", "jwt",
}

const longestScheme = 32

// schemeLength returns the length of a scheme with the spaces behind it, 0 when the value has none that is known.
func schemeLength(value string) int {
	at := strings.IndexAny(value[:min(len(value), longestScheme+1)], " \t\r\n")
	if at < 0 || !slices.Contains(schemes, strings.ToLower(value[:at])) {
		return 0
	}
	for at < len(value) && (isBlank(value[at]) || isBreak(value[at])) {
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

// nameBytes are those that can be part of the name of a header or argument as it stands.
var nameBytes = func() (set byteSet) {
	set = setOf("_-.[]%$@+\\*")
	for c := range set {
		set[c] = set[c] || isInWord[c]
	}
	return set
}()

func isNameByte(c byte) bool { return nameBytes[c] }
