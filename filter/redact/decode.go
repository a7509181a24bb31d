package redact

import (
	"encoding/base64"
	"encoding/hex"
	"html"
	"strconv"
	"strings"
	"unicode/utf8"
)

// decoder undoes one way to write a text within another one.
type decoder struct {
	name    string
	applies func(text string) bool                     // whether there may be something to undo
	each    func(text string, do func(start, end int)) // the parts that are escaped by themselves
	// decode returns a part without its escapes, and where each of its bytes and the end come from; nil when nothing was escaped.
	// With two places only, a secret in it makes all of the part one.
	decode func(text string) ([]byte, []int32)
}

// decoders are the ways that are known. Each part of a text goes through them again, so that they may be mixed.
var decoders = []decoder{
	{"percent escapes", hasPercent, between(percentBreaks), unescape(percentEscape)},
	{"JSON and JavaScript escapes", contains('\\'), betweenQuotes, unescape(slashEscape)},
	{"HTML and XML references", contains('&'), between(referenceBreaks), unescape(reference)},
	{"base64, base64url and hexadecimal digits", isLong, runs, decodeRun},
	{"HTTP/1.1 chunks", isChunked, whole, withoutChunks},
	{"UTF-16 and zero bytes", contains(0), whole, unescape(zero)},
}

func contains(c byte) func(string) bool {
	return func(text string) bool { return strings.IndexByte(text, c) >= 0 }
}

func whole(text string, do func(start, end int)) { do(0, len(text)) }

type byteSet [256]bool

func setOf(bytes string) (set byteSet) {
	for i := range len(bytes) {
		set[bytes[i]] = true
	}
	return set
}

// Bytes that stand unescaped between the parts of a text: an escaped one is a part's own.
var (
	percentBreaks   = setOf(" \t\r\n&=\"<>")
	referenceBreaks = setOf("<>\"")
)

// shortestPart is the length in bytes of a part that can hold a name, an escaped sign and a value, or an escaped secret.
const shortestPart = 6

func between(breaks byteSet) func(string, func(start, end int)) {
	return func(text string, do func(start, end int)) {
		start := 0
		for i := range len(text) {
			if breaks[text[i]] {
				if i-start >= shortestPart {
					do(start, i)
				}
				start = i + 1
			}
		}
		if len(text)-start >= shortestPart {
			do(start, len(text))
		}
	}
}

// betweenQuotes are the parts of a text between quotes without a backslash before them.
func betweenQuotes(text string, do func(start, end int)) {
	start := 0
	for i := 0; i <= len(text); i++ {
		switch {
		case i == len(text), text[i] == '"':
			if i > start {
				do(start, i)
			}
			start = i + 1
		case text[i] == '\\':
			i++
		}
	}
}

// unescape returns a decode that replaces escapes. The function returns the length of the one that a text begins with, and
// appends what it stands for; 0 when there is none.
func unescape(escape func(dst []byte, text string) (int, []byte)) func(string) ([]byte, []int32) {
	return func(text string) (decoded []byte, places []int32) {
		for i := 0; i < len(text); {
			before := len(decoded)
			n, grown := escape(decoded, text[i:])
			if n == 0 {
				if decoded != nil {
					decoded, places = append(decoded, text[i]), append(places, int32(i))
				}
				i++
				continue
			}
			if decoded == nil {
				decoded, places = make([]byte, i, len(text)), make([]int32, i, len(text)+1)
				copy(decoded, text[:i])
				for k := range places {
					places[k] = int32(k)
				}
				before = i
				_, grown = escape(decoded, text[i:])
			}
			for range len(grown) - before {
				places = append(places, int32(i))
			}
			decoded = grown
			i += n
		}
		if decoded == nil {
			return nil, nil
		}
		return decoded, append(places, int32(len(text)))
	}
}

func hasPercent(text string) bool { return hasAny(text, "%+") }

// percentEscape undoes %41, %u0041 and the plus sign of a form.
func percentEscape(dst []byte, text string) (int, []byte) {
	switch text[0] {
	case '+':
		return 1, append(dst, ' ')
	case '%':
	default:
		return 0, dst
	}
	if len(text) >= 3 && isHex(text[1]) && isHex(text[2]) {
		return 3, append(dst, nibble(text[1])<<4|nibble(text[2]))
	}
	if len(text) >= 6 && lower(text[1]) == 'u' {
		if r, ok := hexRune(text[2:6]); ok {
			return 6, utf8.AppendRune(dst, r)
		}
	}
	return 0, dst
}

// slashEscape undoes \", \/, \n, \x41 and \u0041.
func slashEscape(dst []byte, text string) (int, []byte) {
	if text[0] != '\\' || len(text) < 2 {
		return 0, dst
	}
	switch c := text[1]; c {
	case 'n':
		return 2, append(dst, '\n')
	case 'r':
		return 2, append(dst, '\r')
	case 't':
		return 2, append(dst, '\t')
	case '"', '\'', '/', '\\':
		return 2, append(dst, c)
	case 'x':
		if len(text) >= 4 && isHex(text[2]) && isHex(text[3]) {
			return 4, append(dst, nibble(text[2])<<4|nibble(text[3]))
		}
	case 'u':
		if len(text) >= 6 {
			if r, ok := hexRune(text[2:6]); ok {
				return 6, utf8.AppendRune(dst, r)
			}
		}
	}
	return 0, dst
}

// longestReference is how many bytes a reference such as &quot; or &#x000022; may have.
const longestReference = 12

func reference(dst []byte, text string) (int, []byte) {
	if text[0] != '&' {
		return 0, dst
	}
	end := strings.IndexByte(text[:min(len(text), longestReference)], ';')
	if end < 2 {
		return 0, dst
	}
	decoded := html.UnescapeString(text[:end+1])
	if decoded == text[:end+1] {
		return 0, dst
	}
	return end + 1, append(dst, decoded...)
}

func zero(dst []byte, text string) (int, []byte) {
	if text[0] == 0 {
		return 1, dst
	}
	return 0, dst
}

func nibble(c byte) byte {
	if isDigit(c) {
		return c - '0'
	}
	return lower(c) - 'a' + 10
}

func hexRune(digits string) (rune, bool) {
	n, err := strconv.ParseUint(digits, 16, 32)
	return rune(n), err == nil
}

// shortestRun is how many letters and digits hold something that can be told: name=value.
const shortestRun = 16

func isLong(text string) bool { return len(text) >= shortestRun }

// inRun are the bytes of both alphabets of base64.
var inRun = setOf("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_")

// runs are the parts of a text that may be base64. A slash is a digit of it, and in a path what stands between two parts.
func runs(text string, do func(start, end int)) {
	start, slash := 0, -1
	piece := func(end int) {
		if slash >= 0 && end-slash-1 >= shortestRun {
			do(slash+1, end)
		}
	}
	for i := 0; i <= len(text); i++ {
		if i < len(text) && inRun[text[i]] {
			if text[i] == '/' {
				piece(i)
				slash = i
			}
			continue
		}
		piece(i)
		if i-start >= shortestRun {
			do(start, i)
		}
		start, slash = i+1, -1
	}
}

// decodeRun undoes base64 and hexadecimal digits that hold text. What is found in it makes a secret of all.
func decodeRun(text string) ([]byte, []int32) {
	for _, decode := range []func(string) []byte{fromHex, fromBase64} {
		if !isText(decode(text[:shortestRun])) {
			continue
		}
		if decoded := decode(text); isText(decoded) {
			return decoded, []int32{0, int32(len(text))}
		}
	}
	return nil, nil
}

func fromHex(text string) []byte {
	decoded, err := hex.DecodeString(text[:len(text)&^1])
	if err != nil {
		return nil
	}
	return decoded
}

var urlAlphabet = strings.NewReplacer("-", "+", "_", "/")

// fromBase64 undoes base64 in both alphabets, padded or not; what is left at the end of a text that was cut is dropped.
func fromBase64(text string) []byte {
	text = strings.TrimRight(text, "=")
	if len(text)%4 == 1 {
		text = text[:len(text)-1]
	}
	if hasAny(text, "-_") {
		text = urlAlphabet.Replace(text)
	}
	decoded, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return nil
	}
	return decoded
}

// isText reports whether bytes are text, as what is no base64 is not when it is decoded.
func isText(decoded []byte) bool {
	if len(decoded) < shortestRun/2 {
		return false
	}
	whole := len(decoded)
	for whole > len(decoded)-utf8.UTFMax && !utf8.Valid(decoded[:whole]) { // the last character may be cut
		whole--
	}
	if whole == len(decoded)-utf8.UTFMax {
		return false
	}
	for _, c := range decoded {
		if c < ' ' && c != '\n' && c != '\r' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// isChunked reports whether a text begins with the size of a chunk.
func isChunked(text string) bool {
	end := strings.IndexByte(text[:min(len(text), 20)], '\n')
	if end < 1 || !isHex(text[0]) {
		return false
	}
	digits := 0
	for digits < end && isHex(text[digits]) {
		digits++
	}
	return text[digits] == '\r' || text[digits] == '\n' || text[digits] == ';'
}

// withoutChunks joins the chunks of a body, the last of which may be cut.
func withoutChunks(text string) (joined []byte, places []int32) {
	for at := 0; at < len(text); {
		line := strings.IndexByte(text[at:], '\n')
		if line < 0 {
			break
		}
		digits := strings.TrimRight(text[at:at+line], "\r")
		digits, _, _ = strings.Cut(digits, ";")
		size, err := strconv.ParseUint(strings.TrimSpace(digits), 16, 31)
		if err != nil || size == 0 {
			break
		}
		at += line + 1
		end := min(len(text), at+int(size))
		for ; at < end; at++ {
			joined, places = append(joined, text[at]), append(places, int32(at))
		}
		for at < len(text) && isBreak(text[at]) && at < end+2 {
			at++
		}
	}
	if joined == nil {
		return nil, nil
	}
	return joined, append(places, places[len(places)-1]+1)
}
