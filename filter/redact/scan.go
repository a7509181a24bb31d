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

	told   string // the last name that was classified,
	toldAs class  // and what it tells
	has    traits
}

// traits are what has to be in a text for something to be found in it. They are known once it was walked through.
type traits struct {
	escapes [encodingCount]extent // from the first to the last sign of each encoding, for instance percent sign
	card    extent                // of digits in a row, with little between them, that may be the numbers of cards
}

// extent is where a part of a text is, or something is in it; nowhere when its end is 0.
type extent struct{ start, end int }

// join extends the extent to the end of a later one.
func (e *extent) join(later extent) {
	if e.end == 0 {
		e.start = later.start
	}
	e.end = max(e.end, later.end)
}

var isInWord = func() (set byteSet) {
	for c := range set {
		set[c] = isWordByte(byte(c))
	}
	return set
}()

// walk looks at the text from its start to its end: at all that is no part of a word, and where words begin.
func (s *scanner) walk() {
	s.headerLine(0)
	s.begin(0)
	run := 0                     // where the bytes begin that may be base64
	number := digitRow{last: -1} // that may be a card
	for i := 0; i < len(s.text); i++ {
		c := s.text[i]
		kind := byteKinds[c]
		if kind == inWord {
			continue
		}
		if kind == digit {
			s.has.card.join(number.add(s.text, i))
			continue
		}
		if kind&breaksRun != 0 {
			if i-run >= shortestRun {
				s.has.escapes[base64Or16].join(extent{run, i})
			}
			run = i + 1
		}
		if kind&isMark != 0 {
			s.mark(i, c)
		}
		s.begin(i + 1)
		if i > 0 && s.text[i-1] == '%' && s.isWordAt(i+1) {
			s.begin(i + 2)
		}
		if c == '%' && s.isWordAt(i+1) && s.isWordAt(i+2) {
			s.begin(i + 3)
		}
	}
	if len(s.text)-run >= shortestRun {
		s.has.escapes[base64Or16].join(extent{run, len(s.text)})
	}
	if isChunked(s.text) {
		s.has.escapes[chunks].join(extent{0, len(s.text)})
	}
}

// byteKind is what a byte is to walk.
type byteKind uint8

// A byte of a word is inWord or digit, others are isOther and what else fits.
const (
	inWord byteKind = iota
	digit
	isOther   byteKind = 1 << iota
	breaksRun          // no digit of base64
	isMark             // mark looks at it
)

var byteKinds = func() (kinds [256]byteKind) {
	for i := range kinds {
		switch c := byte(i); {
		case isDigit(c):
			kinds[i] = digit
		case !isInWord[c]:
			kinds[i] = isOther
			if !inRun[c] {
				kinds[i] |= breaksRun
			}
		}
	}
	for _, c := range []byte("\n\r=:<>,/-%+\\&\x00") {
		kinds[c] |= isMark
	}
	return kinds
}()

func (s *scanner) isWordAt(at int) bool { return at < len(s.text) && isInWord[s.text[at]] }

// mark looks at a byte that is no part of a word.
func (s *scanner) mark(at int, c byte) {
	switch c {
	case '\n', '\r':
		s.headerLine(at + 1)
	case '=':
		s.assignment(at)
	case ':':
		s.colon(at)
	case '<':
		s.open = at + 1
	case '>':
		s.element(at)
	case ',':
		s.comma(at)
	case '/':
		s.segment(at)
	case '-':
		s.option(at)
		s.key(at)
	case '%', '+':
		s.has.escapes[percent].join(extent{at, at + 1})
	case '\\':
		s.has.escapes[slash].join(extent{at, at + 1})
	case '&':
		s.has.escapes[markup].join(extent{at, at + 1})
	case 0:
		s.has.escapes[zeros].join(extent{at, at + 1})
	}
}

// begin looks at the beginning of a word, or at what follows a percent escape.
func (s *scanner) begin(at int) {
	if at+1 >= len(s.text) || beginnings[s.text[at]]&(1<<(s.text[at+1]&63)) == 0 {
		return
	}
	if lower(s.text[at]) == 'b' {
		s.credentials(at)
	} else {
		s.token(at)
	}
}

// beginnings are the first two bytes of the prefixes of tokens and of the schemes of credentials: by the first one, a bit for the second
// one, that bytes share whose last six bits are the same.
var beginnings = func() (seconds [256]uint64) {
	for _, p := range prefixes {
		seconds[p.text[0]] |= 1 << (p.text[1] & 63)
	}
	for _, b := range []byte("bB") {
		for _, second := range []byte("eEaA") { // bearer and basic
			seconds[b] |= 1 << (second & 63)
		}
	}
	return seconds
}()

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
	kind, of := s.headerKind(name)
	if len(name) == len("Content-Disposition") && strings.EqualFold(name, "Content-Disposition") {
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
