// Package sensitive finds data in text that must not leak: numbers of payment cards, national ids with their check digits,
// mail addresses and phone numbers. Finders allocate nothing and pass over text without digits at a fraction of its length.
// The operators of the bundled rule packs and the redaction of alerts use the same finders.
package sensitive

// Finder returns where the first finding in a text starts and ends, and -1 when there is none.
type Finder func(text string) (start, end int)

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func isAlphanumeric(c byte) bool { return isDigit(c) || isLetter(c) }

// class is a set of bytes.
type class [256]bool

func classOf(members func(byte) bool) (c class) {
	for i := range c {
		c[i] = members(byte(i))
	}
	return c
}

var (
	digits       = classOf(isDigit)
	alphanumeric = classOf(isAlphanumeric)
	grouped      = classOf(func(c byte) bool { return isDigit(c) || c == ' ' || c == '-' })
)

// run returns the first stretch of at least some bytes of a class at or behind a place, as long as it gets; -1 when there
// is none. It looks at one byte in least where the text has no such stretch.
func (c *class) run(text string, from, least int) (start, end int) {
	for at := from + least - 1; at < len(text); {
		if !c[text[at]] {
			at += least
			continue
		}
		start = at
		for start > from && c[text[start-1]] {
			start--
		}
		end = at + 1
		for end < len(text) && c[text[end]] {
			end++
		}
		if end-start >= least {
			return start, end
		}
		at = end + least
	}
	return -1, -1
}

// FewestDigits is how many digits in a row are worth to be counted: fewer are in every other text.
const FewestDigits = 7

// DigitsInARow returns how many digits of a text follow each other at most, when nothing counts that stands between the digits of
// numbers: spaces and any of -.+()/. Where that are fewer than FewestDigits it returns 0.
func DigitsInARow(text string) (most int) {
	for start, end := phonePart.run(text, 0, FewestDigits); start >= 0; start, end = phonePart.run(text, end, FewestDigits) {
		row := 0
		for i := start; i < end; i++ {
			if isDigit(text[i]) {
				row++
			}
		}
		most = max(most, row)
	}
	if most < FewestDigits {
		return 0
	}
	return most
}

// standsAlone reports whether no letter or digit touches text[start:end], so that it is no part of a longer number or token.
func standsAlone(text string, start, end int) bool {
	return (start == 0 || !isAlphanumeric(text[start-1]) && text[start-1] < 0x80) &&
		(end == len(text) || !isAlphanumeric(text[end]) && text[end] < 0x80)
}

// isDecimal reports whether text[start:end] is a part of a decimal number.
func isDecimal(text string, start, end int) bool {
	return start > 1 && text[start-1] == '.' && isDigit(text[start-2]) ||
		end+1 < len(text) && text[end] == '.' && isDigit(text[end+1])
}

// number holds the digits of a text.
type number struct {
	digit [24]byte // values, not characters
	n     int
}

// read takes the digits of a text; ok is false when there are more than fit.
func (d *number) read(text string) (ok bool) {
	d.n = 0
	for i := range len(text) {
		if !isDigit(text[i]) {
			continue
		}
		if d.n == len(d.digit) {
			return false
		}
		d.digit[d.n] = text[i] - '0'
		d.n++
	}
	return true
}

// value returns the number that some of the digits form.
func (d *number) value(from, to int) (v int) {
	for _, digit := range d.digit[from:to] {
		v = 10*v + int(digit)
	}
	return v
}

// weighted returns the sum of the leading digits times their weights.
func (d *number) weighted(weights ...int) (sum int) {
	for i, w := range weights {
		sum += w * int(d.digit[i])
	}
	return sum
}

// same reports whether all digits are equal.
func (d *number) same() bool {
	for _, digit := range d.digit[:d.n] {
		if digit != d.digit[0] {
			return false
		}
	}
	return true
}

// luhn reports whether the last digit is the check digit of ISO/IEC 7812 for the others.
func (d *number) luhn() bool {
	sum := 0
	for i := range d.n {
		v := int(d.digit[d.n-1-i])
		if i%2 == 1 {
			if v *= 2; v > 9 {
				v -= 9
			}
		}
		sum += v
	}
	return d.n > 1 && sum%10 == 0
}

// Luhn reports whether the digits of a text, 13 to 19 of them, have the check digit of payment cards.
func Luhn(text string) bool {
	var d number
	return d.read(text) && d.n >= 13 && d.n <= 19 && !d.same() && d.luhn()
}
