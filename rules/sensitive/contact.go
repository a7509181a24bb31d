package sensitive

import "strings"

// Emails returns a finder of texts with at least some different mail addresses. It finds from the first to the last of them.
func Emails(least int) Finder {
	return func(text string) (start, end int) {
		d := distinct{least: least, first: -1}
		for at := 0; ; {
			i := strings.IndexByte(text[at:], '@')
			if i < 0 {
				return -1, -1
			}
			i += at
			at = i + 1
			if s, e := mailAround(text, i); s >= 0 && d.add(text[s:e], s) {
				return d.first, e
			}
		}
	}
}

// mailAround returns the address around an @, -1 when there is none.
func mailAround(text string, at int) (start, end int) {
	start, end = at, at+1
	for start > 0 && (isAlphanumeric(text[start-1]) || strings.IndexByte("._%+-", text[start-1]) >= 0) {
		start--
	}
	dot := -1
	for end < len(text) && (isAlphanumeric(text[end]) || text[end] == '-' || text[end] == '.') {
		if text[end] == '.' {
			dot = end
		}
		end++
	}
	if dot == end-1 { // a full stop behind the address
		end--
		dot = strings.LastIndexByte(text[at:end], '.') + at
	}
	if start == at || dot <= at+1 || end-dot < 3 || !isLetter(text[end-1]) {
		return -1, -1
	}
	return start, end
}

// PhoneDigits is how many DigitsInARow each text has in which a finder of phone numbers finds one.
const PhoneDigits = 9

// Phones returns a finder of texts with at least some different phone numbers: international ones, those of North America
// in their usual form, and Chinese mobile numbers where they are most of the numbers of their length.
func Phones(least int) Finder {
	return func(text string) (start, end int) {
		d := distinct{least: least, first: -1}
		others, last := 0, 0
		for at := 0; ; {
			s, e, rest, is := nextPhone(text, at)
			switch {
			case s < 0 && d.count >= least && d.count > others:
				return d.first, last
			case s < 0:
				return -1, -1
			case is:
				last = e
				d.add(text[s:e], s)
			default:
				others++
			}
			at = rest
		}
	}
}

var phonePart = classOf(func(c byte) bool { return isDigit(c) || strings.IndexByte(" -.()+/", c) >= 0 })

// nextPhone looks for the next stretch that is as long as a phone number, and says whether it is one. Start is -1 when
// there is none; rest is where to go on.
func nextPhone(text string, from int) (start, end, rest int, is bool) {
	start, end = phonePart.run(text, from, 9)
	if start < 0 {
		return start, end, end, false
	}
	rest = end
	for start < end && !isDigit(text[start]) && text[start] != '+' && text[start] != '(' {
		start++
	}
	for end > start && !isDigit(text[end-1]) {
		end--
	}
	return start, end, rest, end-start >= 9 && standsAlone(text, start, end) && isPhone(text[start:end])
}

func isPhone(s string) bool {
	var d number
	if !d.read(s) {
		return false
	}
	switch {
	case s[0] == '+':
		return d.n >= 9 && d.n <= 15 && d.digit[0] != 0 && !strings.ContainsAny(s[1:], "+")
	case s[0] == '(': // (212) 555-0123
		return d.n == 10 && len(s) >= 13 && s[4] == ')' && d.digit[0] >= 2
	case len(s) == 12 && (s[3] == '-' || s[3] == '.') && s[3] == s[7]: // 212-555-0123
		return d.n == 10 && d.digit[0] >= 2
	}
	return len(s) == 11 && d.n == 11 && d.digit[0] == 1 && d.digit[1] >= 3 // a Chinese mobile number
}

// MaxDistinct is how many different texts a finder can count.
const MaxDistinct = 256

// distinct counts different texts up to a number.
type distinct struct {
	least  int
	count  int
	first  int // place of the first text
	hashes [MaxDistinct]uint32
}

// add reports whether there are enough different texts with this one.
func (d *distinct) add(text string, at int) bool {
	h := uint32(2166136261)
	for i := range len(text) {
		h = (h ^ uint32(text[i]|0x20)) * 16777619
	}
	for _, known := range d.hashes[:min(d.count, len(d.hashes))] {
		if known == h {
			return d.count >= d.least
		}
	}
	if d.first < 0 {
		d.first = at
	}
	if d.count < len(d.hashes) {
		d.hashes[d.count] = h
	}
	d.count++
	return d.count >= d.least
}
