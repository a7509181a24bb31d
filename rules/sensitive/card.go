package sensitive

import (
	"bytes"
	"strings"
)

const (
	shortestCard = 14
	longestCard  = 19
)

// CardDigits is how many DigitsInARow each text has in which a finder of cards finds one.
const CardDigits = shortestCard

// LabeledCard finds the number of a payment card that is written in groups, or that a word such as card stands in front
// of: what is hardly ever another number.
func LabeledCard(text string) (start, end int) {
	return findCard(text, func(start, end int) bool { return isGrouped(text[start:end]) || hasCardLabel(text, start) })
}

// BareCard finds any number that could be that of a payment card. One in ten numbers of that length with the first digits
// of a card is, whatever it numbers.
func BareCard(text string) (start, end int) {
	return findCard(text, func(int, int) bool { return true })
}

// CardList returns a finder of lists: at least some different card numbers, which are most of the numbers of their length.
func CardList(least int) Finder {
	return func(text string) (start, end int) { return findCardList(text, least) }
}

func findCard(text string, accept func(start, end int) bool) (start, end int) {
	for at := 0; ; {
		start, end, _, at = nextCard(text, at)
		if start < 0 || end > 0 && accept(start, end) {
			return start, end
		}
	}
}

// nextCard looks for the next number that is as long as a card's. End is 0 when it is none, start is -1 when there is no
// more; rest is where to go on.
func nextCard(text string, from int) (start, end int, d number, rest int) {
	first, last := grouped.run(text, from, shortestCard)
	if first < 0 {
		return -1, -1, d, len(text)
	}
	for first < last && !isDigit(text[first]) {
		first++
	}
	end = numberEnd(text, first, last)
	if !d.read(text[first:end]) || d.n < shortestCard || d.n > longestCard {
		return first, 0, d, max(end, first+1)
	}
	if !standsAlone(text, first, end) || isDecimal(text, first, end) || !d.isCard() {
		return first, 0, d, end
	}
	return first, end, d, end
}

// numberEnd returns where a number ends whose groups are separated by one blank or dash, always the same.
func numberEnd(text string, first, last int) int {
	var separator byte
	for i := first; i < last; i++ {
		c := text[i]
		if isDigit(c) {
			continue
		}
		if separator == 0 {
			separator = c
		}
		if c != separator || i+1 >= last || !isDigit(text[i+1]) {
			return i
		}
	}
	return last
}

// isGrouped reports whether a number is written in groups as cards are: 4-4-4-4, 4-6-5, 4-6-4 or 4-4-4-4-3.
func isGrouped(s string) bool {
	if len(s) < shortestCard+2 || isDigit(s[4]) || !isDigit(s[3]) {
		return false
	}
	parts := strings.FieldsFunc(s, func(c rune) bool { return c == ' ' || c == '-' })
	switch len(parts) {
	case 3:
		return len(parts[0]) == 4 && len(parts[1]) == 6 && (len(parts[2]) == 5 || len(parts[2]) == 4)
	case 4, 5:
		return len(parts[0]) == 4 && len(parts[1]) == 4 && len(parts[2]) == 4 && len(parts[3]) == 4
	}
	return false
}

// isCard reports whether the digits are the number of a card: a known range of issuers, its length, and the check digit.
func (d *number) isCard() bool {
	two, three, four, six := d.value(0, 2), d.value(0, 3), d.value(0, 4), d.value(0, 6)
	known := false
	switch {
	case two == 34 || two == 37: // American Express
		known = d.n == 15
	case two == 36 || two == 38 || 300 <= three && three <= 305: // Diners Club
		known = d.n == 14 || d.n == 16
	case d.digit[0] == 4: // Visa
		known = d.n == 16 || d.n == 19
	case 51 <= two && two <= 55, 2221 <= four && four <= 2720: // Mastercard
		known = d.n == 16
	case four == 6011, two == 65, 644 <= three && three <= 649: // Discover
		known = d.n == 16 || d.n == 19
	case 3528 <= four && four <= 3589: // JCB
		known = d.n == 16
	case two == 62, two == 81: // UnionPay
		known = d.n >= 16
	case 2200 <= four && four <= 2204, 508500 <= six && six <= 508999, 606985 <= six && six <= 607984: // Mir, RuPay
		known = d.n == 16
	}
	return known && !d.repeats() && d.luhn()
}

// repeats reports whether the number is a placeholder: after the issuer's digits it is one digit over and over.
func (d *number) repeats() bool {
	for i := 7; i < d.n-1; i++ {
		if d.digit[i] != d.digit[6] {
			return false
		}
	}
	return d.digit[6] == 0
}

// How far in front of a number, in bytes, a word can stand that says what it is, and one that says what it is a part of.
const (
	labelReach   = 32
	contextReach = 96
)

// cardLabels are words that say that a number is that of a card, in lower case.
var cardLabels = []string{
	"card", "credit", "debit", "pan\"", "pan=", "pan:", "pan>", "ccnum", "cc_num", "cc-num", "visa", "mastercard", "amex",
	"american express", "unionpay", "kreditkarte", "kartennummer", "carte", "tarjeta", "cartão", "cartao", "carta di", "karta",
	"银行卡", "信用卡", "卡号",
}

// otherLabels are words that say that it is something else, though a card is spoken of.
var otherLabels = []string{
	"track", "order", "invoice", "transaction", "trace", "session", "request", "reference", "timestamp", "loyalty", "gift",
}

// partLabels are words for the number of whatever is spoken of.
var partLabels = []string{"number", "num\"", "num=", "\"no\"", "account"}

func hasCardLabel(text string, start int) bool {
	label := text[max(0, start-labelReach):start]
	// What stands in front of the value before this one says nothing of this one.
	if at := strings.LastIndexAny(label, ",;}\n&"); at >= 0 {
		label = label[at+1:]
	}
	switch {
	case containsFold(label, otherLabels):
		return false
	case containsFold(label, cardLabels):
		return true
	}
	return containsFold(label, partLabels) && containsFold(text[max(0, start-contextReach):start], cardLabels)
}

// containsFold reports whether a text of at most contextReach bytes has one of some words in lower case.
func containsFold(s string, words []string) bool {
	var lowered [contextReach]byte
	for i := range len(s) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		lowered[i] = c
	}
	text := lowered[:len(s)]
	for _, w := range words {
		if bytes.Contains(text, []byte(w)) {
			return true
		}
	}
	return false
}

func findCardList(text string, least int) (start, end int) {
	cards, others, last := distinct{least: least, first: -1}, 0, 0
	for at := 0; ; {
		s, e, d, rest := nextCard(text, at)
		switch {
		case s < 0 && cards.count >= least && cards.count > others:
			return cards.first, last
		case s < 0:
			return -1, -1
		case e > 0:
			last = e
			cards.add(text[s:e], s)
		case d.n >= shortestCard && d.n <= longestCard:
			others++
		}
		at = rest
	}
}
