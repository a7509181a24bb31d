package redact

import "strings"

const (
	namesOfPairs  = "name key field param parameter header attribute attr property label variable option type id kind k n"
	valuesOfPairs = "value values val v content contents data text default string"
	wordsOfTags   = "equiv itemprop" // with which attributes of elements end besides: http-equiv
)

// Members that hold a name, and those beside them that hold its value: {"name": "password", "value": …}.
var (
	pairNames  = wordsOf(namesOfPairs)
	pairValues = wordsOf(valuesOfPairs)
	tagWords   = wordsOf(wordsOfTags)
	pairWords  = wordsOf(namesOfPairs + " " + valuesOfPairs + " " + wordsOfTags)
)

// named returns what a text tells of the value beside it, when it is the name of one.
func (s *scanner) named(from, to int) class {
	if to-from > nearby {
		return plain
	}
	return s.classify(strings.Trim(s.text[from:to], `"'\ `))
}

// argumentPair looks at name=password&value=… and at attributes of elements. It reports whether it was the name of a pair.
func (s *scanner) argumentPair(name string, at, from, to int) bool {
	word := lastWord(name)
	if pairValues.hasFold(word) {
		s.sibling = span{from, to, Argument}
	}
	inTag := s.open > 0 && at-s.open < nearby
	if inTag && s.tagged != s.open && (pairNames.hasFold(word) || tagWords.hasFold(word)) {
		s.tagged = s.open
		s.tag()
	}
	if !pairNames.hasFold(word) {
		return false
	}
	of := s.named(from, to)
	if of != always {
		return false
	}
	if next := s.nextArgument(to); next > 0 {
		end := next + endOf(s.text[next:], "=&; \t\r\n")
		if end < len(s.text) && s.text[end] == '=' && pairValues.hasFold(lastWord(s.text[next:end])) {
			s.addValue(end+1, end+1+valueLength(s.text[end+1:]), of)
			return true
		}
	}
	if at > 0 && s.sibling.end == at-1 && (s.text[at-1] == '&' || s.text[at-1] == ';') {
		s.addValue(s.sibling.start, s.sibling.end, of)
		return true
	}
	return false
}

// nextArgument returns where the next argument begins behind a value, 0 when there is none.
func (s *scanner) nextArgument(at int) int {
	if at < len(s.text) && (s.text[at] == '&' || s.text[at] == ';') {
		return at + 1
	}
	return 0
}

// memberPair looks at {"name": "password", "value": …}, in any order.
func (s *scanner) memberPair(name string, from, to int, isText bool) bool {
	word := lastWord(name)
	if pairValues.hasFold(word) {
		s.sibling = span{from, to, Argument}
	}
	if !isText || !pairNames.hasFold(word) {
		return false
	}
	of := s.named(from, to)
	if of == plain {
		return false
	}
	s.besides(from, of)
	for at, end := to+1, min(len(s.text), to+nearby); at < end; at++ {
		switch c := s.text[at]; c {
		case '{', '[':
			at += nestedLength(s.text[at:end]) - 1
		case '}', ']':
			return false
		case '"', '\'':
			_, stop, _ := s.quoted(at)
			at = stop
		case ':':
			before := at
			for before > 0 && (isBlank(s.text[before-1]) || isBreak(s.text[before-1])) {
				before--
			}
			if start := s.afterSpace(at + 1); pairValues.hasFold(lastWord(s.quotedBefore(before))) {
				from, to, is := s.quoted(start)
				if !is {
					from, to = start, start+memberLength(s.text[start:])
				}
				s.addValue(from, to, of)
				return false
			}
		}
	}
	return false
}

// besides adds the last value when it stands before its name in the same object.
func (s *scanner) besides(at int, of class) {
	if last := s.sibling; last.end > 0 && at-last.end < nearby && last.end < at && !hasAny(s.text[last.end:at], "{}") {
		s.addValue(last.start, last.end, of)
	}
}

func (s *scanner) afterSpace(at int) int {
	for at < len(s.text) && (isBlank(s.text[at]) || isBreak(s.text[at])) {
		at++
	}
	return at
}

// linePair looks at name: password in a line, and value: … in the one before or behind it.
func (s *scanner) linePair(name string, from, to int) bool {
	word := lastWord(name)
	if pairValues.hasFold(word) {
		s.sibling = span{from, to, Argument}
	}
	if !pairNames.hasFold(word) || to-from > 256 {
		return false
	}
	of := s.named(from, to)
	if of == plain {
		return false
	}
	if last := s.sibling; last.end > 0 && last.end < from && from-last.end < 256 && strings.Count(s.text[last.end:from], "\n") == 1 {
		s.addValue(last.start, last.end, of)
		return true
	}
	next := s.afterSpace(to + endOf(s.text[to:], "\r\n"))
	end := next + endOf(s.text[next:], ": \t\r\n")
	if end < len(s.text) && s.text[end] == ':' && pairValues.hasFold(lastWord(s.text[next:end])) {
		start := s.afterBlanks(end + 1)
		stop := start + endOf(s.text[start:], "\r\n")
		if indent := s.indent(next); indent >= 0 {
			stop = s.blockEnd(stop, indent)
		}
		s.addValue(start, stop, of)
		return true
	}
	return false
}

// comma looks at "name", "value": headers in a list, and arguments of functions. Lists of names look the same, so that only
// what looks random is a secret; but what follows the name of credentials is one.
func (s *scanner) comma(at int) {
	if at == 0 || at < s.until || !isQuote(s.text[at-1]) {
		return
	}
	name := s.quotedBefore(at)
	if name == "" || len(name) > 64 {
		return
	}
	start := s.afterSpace(at + 1)
	from, to, is := s.quoted(start)
	if !is {
		return
	}
	kind, of := s.r.headerKind(strings.TrimRight(name, `\`))
	switch {
	case of == plain:
	case kind == Authorization || kind == Cookie || kind == SetCookie:
		s.value(from, to, kind, of)
	default:
		s.addRandom(from, to, random)
	}
}
