package redact

import (
	"strings"
	"unsafe"
)

// nearby is how far, in bytes, is looked for what belongs to a name.
const nearby = 4096

// nameBefore returns the name that ends before a place.
func (s *scanner) nameBefore(end int) string {
	start := end
	for start > 0 && isNameByte(s.text[start-1]) {
		start--
	}
	return s.text[start:end]
}

// argumentBreaks stand around the names of arguments. Other bytes, as in user(password) and user/password, are parts of them.
var argumentBreaks = setOf("&?;# \t\r\n\"'<>{},|=`\x00")

// argumentBefore returns the name that ends before a place, and in front of a quote that in quotes.
func (s *scanner) argumentBefore(end int) string {
	if end > 0 && isQuote(s.text[end-1]) {
		return s.quotedBefore(end)
	}
	start := end
	for start > 0 && !argumentBreaks[s.text[start-1]] {
		start--
	}
	return s.text[start:end]
}

// quotedBefore returns what is in the quotes that end before a place; "" when there are none.
func (s *scanner) quotedBefore(end int) string {
	if end == 0 || !isQuote(s.text[end-1]) {
		return ""
	}
	quote := s.text[end-1]
	for end--; end > 0 && s.text[end-1] == '\\'; end-- {
	}
	start := end
	for start > 0 && s.text[start-1] != quote && !isBreak(s.text[start-1]) && s.text[start-1] != '{' {
		start--
	}
	return s.text[start:end]
}

// classify is that of the Redactor, and knows the variables of the text.
func (s *scanner) classify(name string) class {
	for _, v := range s.variables {
		if name == v {
			return always
		}
	}
	return s.tells(name)
}

// tells is Redactor.classify for a part of the text, of which some are looked at by several methods.
func (s *scanner) tells(name string) class {
	if len(name) != len(s.told) || unsafe.StringData(name) != unsafe.StringData(s.told) {
		s.told, s.toldAs = name, s.r.classify(name)
	}
	return s.toldAs
}

// headerKind is that of the Redactor for a part of the text.
func (s *scanner) headerKind(name string) (Kind, class) {
	if kind, of, has := partsOf(name); has {
		return kind, of
	}
	return Argument, s.tells(name)
}

// assignment looks at name=value, as in arguments, attributes, parameters and files of settings.
func (s *scanner) assignment(at int) {
	if at < s.until {
		return
	}
	before := at
	for before > 0 && isBlank(s.text[before-1]) {
		before--
	}
	name := s.argumentBefore(before)
	if name == "" || s.tellsNothing(name) {
		return
	}
	start := at + 1
	for start < len(s.text) && (s.text[start] == '=' || s.text[start] == '>') { // a == b, a => b
		start++
	}
	isSpaced := before < at || start > at+1
	if isSpaced {
		start = s.afterBlanks(start)
	}
	from, to := s.assigned(start, isSpaced && s.indent(before-len(name)) >= 0)
	if s.argumentPair(name, before-len(name), from, to) {
		return
	}
	if of := s.classify(name); of != plain {
		s.addValue(from, to, of)
	}
}

// assigned returns where the value that begins at a place is: in quotes, or up to what separates values, or up to the end of
// the line.
func (s *scanner) assigned(start int, isLine bool) (from, to int) {
	if from, to, is := s.quoted(start); is {
		return from, to
	}
	if isLine {
		return start, start + endOf(s.text[start:], "\r\n")
	}
	to = start + valueLength(s.text[start:])
	if scheme := schemeLength(s.text[start:]); scheme > 0 && start+scheme > to && to < len(s.text) && isBlank(s.text[to]) {
		to = start + scheme
		to += valueLength(s.text[to:])
	}
	return start, to
}

// valueLength returns the length of the value of an argument.
func valueLength(text string) int { return endOf(text, "& \t\r\n") }

func (s *scanner) afterBlanks(at int) int {
	for at < len(s.text) && isBlank(s.text[at]) {
		at++
	}
	return at
}

// indent returns by how much the name that starts at a place is indented on its line, -1 when something stands before it.
func (s *scanner) indent(at int) int {
	start := at
	for start > 0 && !isBreak(s.text[start-1]) {
		start--
		if c := s.text[start]; !isBlank(c) && c != '-' && !isQuote(c) {
			return -1
		}
	}
	return at - start
}

// quoted returns the text in the quotes that open at a place.
func (s *scanner) quoted(at int) (from, to int, is bool) {
	quote := s.quoteAt(at)
	if quote == "" {
		return 0, 0, false
	}
	const three = `"""`
	if from = at + len(three); strings.HasPrefix(s.text[at:], three) {
		if length := strings.Index(s.text[from:], three); length >= 0 {
			return from, from + length, true
		}
	}
	from = at + len(quote)
	return from, s.closing(from, quote), true
}

// quoteAt returns the quote that opens a text, with the backslashes before it; "" when there is none.
func (s *scanner) quoteAt(at int) string {
	end := at
	for end < len(s.text) && s.text[end] == '\\' {
		end++
	}
	if end < len(s.text) && isQuote(s.text[end]) {
		return s.text[at : end+1]
	}
	return ""
}

// closing returns where a quoted text ends that starts at a place: at a quote that has as many backslashes before it as the one
// that opened the text, or at the end.
func (s *scanner) closing(start int, quote string) int {
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
	if at+1 < len(s.text) && (s.text[at+1] == '/' || s.text[at+1] == '\\') {
		for _, scheme := range [...]string{"://", `:\/\/`} {
			if strings.HasPrefix(s.text[at:], scheme) {
				s.userInfo(at + len(scheme))
				return
			}
		}
	}
	if at < s.until {
		return
	}
	end := at
	for end > 0 && (isBlank(s.text[end-1]) || isBreak(s.text[end-1])) {
		end--
	}
	isQuoted := end > 0 && isQuote(s.text[end-1])
	var name string
	if isQuoted {
		name = s.quotedBefore(end)
	} else {
		for end = at; end > 0 && isBlank(s.text[end-1]); end-- {
		}
		name = s.nameBefore(end)
	}
	start := s.afterBlanks(at + 1)
	for isQuoted && start < len(s.text) && (isBlank(s.text[start]) || isBreak(s.text[start])) {
		start++
	}
	if name == "" || start == len(s.text) || s.tellsNothing(name) {
		return
	}
	if isQuoted {
		s.member(name, start)
	} else {
		s.line(name, end-len(name), start)
	}
}

// tellsNothing reports whether the name of a value tells nothing of it, nor of a value beside it.
func (s *scanner) tellsNothing(name string) bool {
	return s.classify(name) == plain && !pairWords.hasFold(lastWord(name))
}

// member looks at a member of an object, "name": value.
func (s *scanner) member(name string, start int) {
	from, to, is := s.quoted(start)
	if !is {
		from, to = start, start+memberLength(s.text[start:])
	}
	if s.memberPair(name, from, to, is) {
		return
	}
	s.addValue(from, to, s.classify(name))
}

// memberLength returns the length of a value without quotes: an object or a list with all that is in it, or what stands up to a
// separator.
func memberLength(text string) int {
	if text != "" && (text[0] == '{' || text[0] == '[') && !strings.HasPrefix(text, Placeholder) {
		return nestedLength(text)
	}
	return endOf(text, ",}] \t\r\n&")
}

// line looks at name: value, which goes to the end of the line, and to that of a block that is indented deeper.
func (s *scanner) line(name string, at, start int) {
	of := s.classify(name)
	from, to, isQuoted := s.quoted(start)
	switch {
	case isQuoted:
	case s.text[start] == '$' && of == always: // login(password: $p) of GraphQL
		from = start + 1
		if to = from + identifierLength(s.text[from:]); to > from && len(s.variables) < mostVariables {
			s.variables = append(s.variables, s.text[from:to])
		}
		return
	case of == always && (s.text[start] == '{' || s.text[start] == '[') && !strings.HasPrefix(s.text[start:], Placeholder):
		from, to = start, start+nestedLength(s.text[start:])
	case of == random || of == code:
		from, to = start, start+listLength(s.text[start:])
	default:
		from, to = start, start+endOf(s.text[start:], "\r\n")
	}
	if s.linePair(name, from, to) {
		return
	}
	if of == always && !isQuoted {
		if indent := s.indent(at); indent >= 0 {
			to = s.blockEnd(to, indent)
		} else if from == to { // a header whose value is on the next line
			from, to = s.lineValue(from)
		}
	}
	s.addValue(from, to, of)
}

// listLength returns the length of values with commas between them.
func listLength(text string) int {
	at := 0
	for {
		at += endOf(text[at:], "; \t\r\n&")
		if at == 0 || at >= len(text) || text[at-1] != ',' || !isBlank(text[at]) {
			return at
		}
		at++
	}
}

// mostVariables bounds how many variables of a text are looked for.
const mostVariables = 16

// blockEnd returns where the lines end that are indented deeper than a name.
func (s *scanner) blockEnd(at, indent int) int {
	for at < len(s.text) {
		next := at
		for next < len(s.text) && isBreak(s.text[next]) {
			next++
		}
		start := next
		if next = s.afterBlanks(next); next-start <= indent || next == len(s.text) || isBreak(s.text[next]) {
			break
		}
		at = next + endOf(s.text[next:], "\r\n")
	}
	return at
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

func identifierLength(text string) int {
	end := 0
	for end < len(text) && (isWordByte(text[end]) || text[end] == '_') {
		end++
	}
	return end
}

// again looks for the values of variables that turned out to be secrets.
func (s *scanner) again() {
	for at := 0; ; at++ {
		next := strings.IndexByte(s.text[at:], ':')
		if next < 0 {
			return
		}
		at += next
		end := at
		for end > 0 && (isBlank(s.text[end-1]) || isBreak(s.text[end-1])) {
			end--
		}
		if name := s.quotedBefore(end); name != "" {
			for _, v := range s.variables {
				if strings.TrimRight(name, `\`) == v {
					start := s.afterBlanks(at + 1)
					if from, to, is := s.quoted(start); is {
						s.add(from, to, Argument)
					} else {
						s.add(start, start+memberLength(s.text[start:]), Argument)
					}
				}
			}
		}
	}
}

// ordinaryUsers are names before the @ of a URL that tell nothing when they stand alone.
var ordinaryUsers = wordsOf("git anonymous ftp root admin user guest")

// userInfo looks at what stands before the host of a URL: credentials, or a token that takes the place of the user.
func (s *scanner) userInfo(start int) {
	near := s.text[start:min(len(s.text), start+nearby)]
	end := start + endOf(near, "/?#\\\"'<> \t\r\n")
	at := strings.LastIndexByte(s.text[start:end], '@')
	if at < 0 {
		return
	}
	at += start
	user, _, hasPassword := strings.Cut(s.text[start:at], ":")
	if hasPassword && start+len(user)+1 < at && !looksRandom(user) {
		s.add(start+len(user)+1, at, Authorization)
		return
	}
	if hasPassword || !ordinaryUsers.has(strings.ToLower(user)) {
		s.add(start, at, Authorization)
	}
}

// option looks at --password VALUE and -u USER:PASSWORD of a command.
func (s *scanner) option(at int) {
	if at < s.until || at > 0 && !isBlank(s.text[at-1]) && !isQuote(s.text[at-1]) {
		return
	}
	end := at
	for end < len(s.text) && isNameByte(s.text[end]) {
		end++
	}
	name := strings.TrimLeft(s.text[at:end], "-")
	if end == len(s.text) || !isBlank(s.text[end]) || name == "" || at+1 == end {
		return
	}
	from, to := s.assigned(s.afterBlanks(end), false)
	switch {
	case name == "u" || name == "user" || name == "U":
		if colon := strings.IndexByte(s.text[from:to], ':'); colon >= 0 {
			s.add(from+colon+1, to, Argument)
		}
	case s.text[at+1] == '-':
		s.addValue(from, to, s.classify(name))
	}
}

// endOf returns where the first of some bytes stands in a text, its length when none does.
func endOf(text, bytes string) int {
	if end := strings.IndexAny(text, bytes); end >= 0 {
		return end
	}
	return len(text)
}

func isBreak(c byte) bool { return c == '\r' || c == '\n' }

func isQuote(c byte) bool { return c == '"' || c == '\'' }
