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
	return findCard(text, func(start, end int) bool {
		return (isGrouped(text[start:end]) || hasCardLabel(text, start)) && !IsExample(text, start)
	})
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

// isCard reports whether the digits are the number of a card: a known range of issuers, its length, the check digit, and no specimen.
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
	return known && d.luhn() && !d.isSpecimen()
}

// isSpecimen reports whether nobody pays with the number: one of those that payment providers publish for tests, or one that was made
// up, with hardly any different digits, one digit over and over, or digits that count up. One in a few hundred numbers of real cards
// looks like that.
func (d *number) isSpecimen() bool {
	var seen [10]bool
	different, equal, rising := 0, 1, 1
	for i, digit := range d.digit[:d.n] {
		if !seen[digit] {
			seen[digit] = true
			different++
		}
		if i > 0 {
			equal, rising = grow(equal, digit == d.digit[i-1]), grow(rising, digit == d.digit[i-1]+1)
		}
		if equal >= 5 || rising >= 6 {
			return true
		}
	}
	return different <= 4 || d.value(0, 5) == 40000 || testCards[d.value(0, d.n)]
}

// testCards are numbers that payment providers publish for tests, and the usual ones of documentation, besides those that show by their
// digits.
var testCards = map[int]bool{
	2222410740360010: true, 2223000048410010: true, 2223000148400010: true, 2223520443560010: true, 2303779999000275: true,
	2720994326581252: true, 3056930009020004: true, 30569309025904: true, 3566000020000410: true, 3566002020360505: true,
	3569990010095841: true, 36004244846408: true, 36070500001020: true, 36227206271667: true, 371144371144376: true, 371263462726550: true,
	371449635398431: true, 374245455400126: true, 378282246310005: true, 378734493671000: true, 38555565010005: true, 4001919257537193: true,
	4007702835532454: true, 4012000033330026: true, 4024007134364842: true, 4137894711755904: true, 4263982640269299: true,
	4485275742308327: true, 4508034508034509: true, 4532015112830366: true, 4532759734545858: true, 4539148803436467: true,
	4716461583322103: true, 4761739001010010: true, 4895142232120006: true, 4917484589897107: true, 4988438843884305: true,
	5019555544445555: true, 5100290029002909: true, 5200828282828210: true, 5409889944179029: true, 5413330089020011: true,
	5425233430109903: true, 5555341244441115: true, 6011000990139424: true, 6011000991543426: true, 6011514433546201: true,
	60115564485789458: true, 6011988461284820: true, 6250941006528599: true, 6759649826438453: true, 8171999927660000: true,
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

// containsFold reports whether the last contextReach bytes of a text have one of some words in lower case.
func containsFold(s string, words []string) bool {
	var lowered [contextReach]byte
	s = s[max(0, len(s)-contextReach):]
	for i := range len(s) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		lowered[i] = c
	}
	return containsAny(lowered[:len(s)], words)
}

func containsAny(text []byte, words []string) bool {
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
