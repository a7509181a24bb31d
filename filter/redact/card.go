package redact

import "github.com/fluent-bit-waf/fluent-bit-waf/rules/sensitive"

// A number of a payment card has so many digits.
const (
	shortestCard = 13
	longestCard  = 19
)

// cards adds the numbers of payment cards, in one piece or in groups with one blank, dash, dot, plus sign or percent escape of
// these between them. Any number with the first digits and the check digit of a card counts. The digits are in an extent.
func (s *scanner) cards(in extent) {
	at := in.start
	switch { // what begins in an escape is none of a number
	case at >= 1 && s.text[at-1] == '%':
		at--
	case at >= 2 && s.text[at-2] == '%':
		at -= 2
	}
	var buffer [8]span
	groups, digits := buffer[:0], 0
	for at < in.end {
		if c := s.text[at]; c-'0' > 9 {
			if at++; c == '%' {
				at += escapeLength(s.text[at-1:]) - 1
			}
			continue
		}
		start := at
		for at < len(s.text) && isDigit(s.text[at]) {
			at++
		}
		if n := len(groups); n > 0 && !isSeparator(s.text[groups[n-1].end:start]) {
			s.cardsIn(groups, digits)
			groups, digits = groups[:0], 0
		}
		groups = append(groups, span{start, at, Card})
		digits += at - start
	}
	s.cardsIn(groups, digits)
}

// cardsIn adds the numbers that some groups of so many digits in a row form.
func (s *scanner) cardsIn(groups []span, digits int) {
	if digits < shortestCard {
		return
	}
	for first := range groups {
		var buffer [longestCard]byte
		number := buffer[:0]
		for last := first; last < len(groups); last++ {
			group := s.text[groups[last].start:groups[last].end]
			if len(number)+len(group) > longestCard {
				break
			}
			number = append(number, group...)
			if len(number) >= shortestCard && isIssued(shared(number)) && sensitive.Luhn(shared(number)) {
				s.add(groups[first].start, groups[last].end, Card)
			}
		}
	}
}

// isIssued reports whether a number can be that of a card by its first digits and its length.
func isIssued(digits string) bool {
	switch n := len(digits); digits[0] {
	case '4':
		return n == 13 || n >= 16
	case '3':
		return n >= 14 && digits[1] != '1' && digits[1] != '2' && digits[1] != '3'
	case '2', '5', '6':
		return n >= 16
	default:
		return n >= 16 && digits[:2] == "81"
	}
}

func isSeparator(text string) bool {
	if len(text) > longestSeparator {
		return false
	}
	switch text {
	case " ", "-", ".", "+", "_", "%20", "%2D", "%2d", "%2B", "%2b", "\u00a0", "\u2009", "\u202f", "\u2010", "\u2011", "\u2012", "\u2013":
		return true
	}
	return false
}

// digitRow is a row of digits, with no more between them than separators of numbers have.
type digitRow struct{ digits, first, last int }

// add adds the digit at a place of a text, and returns where the row is when it is long enough for a card.
func (r *digitRow) add(text string, at int) (e extent) {
	if between := at - 1 - r.last; between > longestSeparator || between > 0 && endsNoSeparator[text[at-1]] {
		r.digits = 0
	}
	if r.digits == 0 {
		r.first = at
	}
	r.digits, r.last = r.digits+1, at
	if r.digits >= shortestCard {
		e = extent{r.first, at + 1}
	}
	return e
}

// longestSeparator is the length in bytes of the longest ones.
const longestSeparator = len("%20")

// endsNoSeparator are the letters that are the last byte of no separator.
var endsNoSeparator = setOf("acefghijklmnopqrstuvwxyzACEFGHIJKLMNOPQRSTUVWXYZ")

// escapeLength returns 3 for a percent escape, whose digits are no part of a number, and 1 for another byte.
func escapeLength(text string) int {
	if len(text) >= 3 && text[0] == '%' && isHex(text[1]) && isHex(text[2]) {
		return 3
	}
	return 1
}

func isHex(c byte) bool { c = lower(c); return isDigit(c) || 'a' <= c && c <= 'f' }
