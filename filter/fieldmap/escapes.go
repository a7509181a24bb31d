package fieldmap

import (
	"encoding/base64"
	"strings"
)

// escapes is how a source writes bytes that its log format has no place for.
type escapes uint8

const (
	noEscapes     escapes = iota
	backslash             // \x22 \" \\ \n, as Apache and nginx write the combined format
	hash                  // #22, as HAProxy writes headers and request lines
	percent               // %20, as CloudFront writes every field
	percentTarget         // the same in a part of the request target, which has escapes of its own
	percentAgent          // the same in the User-Agent, which CloudFront has written so twice for a time
	plus                  // + for a space, as IIS writes
)

var escapesByName = map[string]escapes{"backslash": backslash, "hash": hash, "percent": percent, "plus": plus}

// escapesNames are those that a map can ask for, for messages.
const escapesNames = "backslash, hash, percent or plus"

// of returns how a source with these escapes writes a target.
func (e escapes) of(t target) escapes {
	if e != percent || t.reading != asField {
		return e
	}
	switch t.field {
	case URI, path, query:
		return percentTarget
	case UserAgent:
		return percentAgent
	}
	return e
}

// undo returns a text without its escapes. What only looks like an escape stays as it is.
func (e escapes) undo(text string, scratch *[]byte) string {
	switch e {
	case backslash:
		if strings.IndexByte(text, '\\') >= 0 {
			return onScratch(scratch, func(dst []byte) []byte { return appendWithoutBackslashes(dst, text) })
		}
	case hash:
		if strings.IndexByte(text, '#') >= 0 {
			return onScratch(scratch, func(dst []byte) []byte { return appendDecoded(dst, text, '#') })
		}
	case percent:
		return undoPercents(text, scratch)
	case percentAgent:
		if text = undoPercents(text, scratch); strings.Contains(text, "%20") && strings.IndexByte(text, ' ') < 0 {
			return undoPercents(text, scratch)
		}
	case percentTarget:
		if strings.IndexByte(text, '%') >= 0 {
			return onScratch(scratch, func(dst []byte) []byte { return appendTarget(dst, text) })
		}
	case plus:
		if strings.IndexByte(text, '+') >= 0 {
			return onScratch(scratch, func(dst []byte) []byte { return appendWithSpaces(dst, text) })
		}
	}
	return text
}

func undoPercents(text string, scratch *[]byte) string {
	if strings.IndexByte(text, '%') < 0 {
		return text
	}
	return onScratch(scratch, func(dst []byte) []byte { return appendDecoded(dst, text, '%') })
}

// appendTarget appends a part of a request target without the escapes of the log. What cannot stand in a target as it is was an
// escape of the client, and stays one.
func appendTarget(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if s[i] == '%' {
			if c, ok := hexByte(s[i+1:]); ok && c > ' ' && c != '#' && c != '?' && c != 0x7f {
				dst = append(dst, c)
				i += 2
				continue
			}
		}
		dst = append(dst, s[i])
	}
	return dst
}

func appendWithSpaces(dst []byte, s string) []byte {
	for i := range len(s) {
		if s[i] == '+' {
			dst = append(dst, ' ')
		} else {
			dst = append(dst, s[i])
		}
	}
	return dst
}

// plain are the escapes with a letter of their own.
const plain = "n\nr\rt\tv\vf\fb\b\"\"\\\\"

func appendWithoutBackslashes(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			dst = append(dst, s[i])
			continue
		}
		if s[i+1] == 'x' {
			if c, ok := hexByte(s[i+2:]); ok {
				dst = append(dst, c)
				i += 3
				continue
			}
		}
		dst, i = appendPlain(dst, s, i)
	}
	return dst
}

// appendPlain appends what the escape at i means, or the backslash when it means nothing; it returns the last byte used.
func appendPlain(dst []byte, s string, i int) ([]byte, int) {
	for p := 0; p < len(plain); p += 2 {
		if plain[p] == s[i+1] {
			return append(dst, plain[p+1]), i + 1
		}
	}
	return append(dst, s[i]), i
}

// appendDecoded appends a text with the bytes for which a mark and two hexadecimal digits stand.
func appendDecoded(dst []byte, s string, mark byte) []byte {
	for i := 0; i < len(s); i++ {
		if s[i] == mark {
			if c, ok := hexByte(s[i+1:]); ok {
				dst = append(dst, c)
				i += 2
				continue
			}
		}
		dst = append(dst, s[i])
	}
	return dst
}

func hexByte(s string) (byte, bool) {
	if len(s) < 2 {
		return 0, false
	}
	high, low := hexDigit(s[0]), hexDigit(s[1])
	return high<<4 | low&0x0f, high < 16 && low < 16
}

func hexDigit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 0xff
}

// appendEscaped appends a part of a request target that was logged without its escapes as one that has them, so that reading
// it gives what was logged.
func appendEscaped(dst []byte, target string, part Field) []byte {
	const digits = "0123456789ABCDEF"
	for i := range len(target) {
		c := target[i]
		if c <= ' ' || c >= 0x7f || c == '%' || c == '#' || c == '?' && part == path {
			dst = append(dst, '%', digits[c>>4], digits[c&15])
		} else {
			dst = append(dst, c)
		}
	}
	return dst
}

// fromBase64 decodes a text in base64, with or without padding, in either alphabet. What is no base64 is no text at all.
func fromBase64(text string, scratch *[]byte) (decoded string, ok bool) {
	encoding := base64.RawStdEncoding
	if strings.ContainsAny(text, "-_") {
		encoding = base64.RawURLEncoding
	}
	text = strings.TrimRight(text, "=\r\n \t")
	decoded = onScratch(scratch, func(dst []byte) []byte {
		grown, err := encoding.AppendDecode(dst, []byte(text))
		if ok = err == nil; !ok {
			return dst
		}
		return grown
	})
	return decoded, ok
}

// onScratch appends to the scratch memory and returns what was appended. Earlier results stay valid when the memory moves.
func onScratch(scratch *[]byte, appendTo func([]byte) []byte) string {
	start := len(*scratch)
	*scratch = appendTo(*scratch)
	return view((*scratch)[start:])
}
