package sensitive

import "unicode/utf8"

// Mask hides the middle of a text: what is left shows what it is to who knows it, and is of no use to who does not. Short
// texts are hidden whole.
func Mask(s string) string {
	const stars = "************"
	n := utf8.RuneCountInString(s)
	switch {
	case n == 0:
		return ""
	case n < 8:
		return stars[:n]
	case n < 14:
		return first(s, 2) + stars[:n-2]
	}
	return first(s, 4) + stars[:min(n-8, len(stars))] + last(s, 4)
}

func first(s string, n int) string {
	at := 0
	for range n {
		_, size := utf8.DecodeRuneInString(s[at:])
		at += size
	}
	return s[:at]
}

func last(s string, n int) string {
	at := len(s)
	for range n {
		_, size := utf8.DecodeLastRuneInString(s[:at])
		at -= size
	}
	return s[at:]
}
