package redact

import (
	"encoding/base64"
	"encoding/hex"
	"html"
	"strconv"
	"strings"
	"unicode/utf8"
)

// encoding is a way to write a text within another one.
type encoding uint8

const (
	percent encoding = iota
	slash
	markup
	base64Or16
	chunks
	zeros
	encodingCount
)

// decoder undoes an encoding.
type decoder struct {
	name string
	// parts appends those that are encoded by themselves; what has no signs, which are at some place, is skipped.
	parts func(parts []extent, text string, signs extent) []extent
	// decode returns a part without its escapes, and where each of its bytes and the end come from; nil when nothing was escaped.
	// With two places only, a secret in it makes all of the part one.
	decode func(m *memory, text string) ([]byte, []int32)
}

// decoders are those of all encodings. Each part of a text goes through them again, so that they may be mixed.
var decoders = [encodingCount]decoder{
	percent:    {"percent escapes", partsWith("%+", percentBreaks), unescape("%+", percentEscape)},
	slash:      {"JSON and JavaScript escapes", betweenQuotes, unescape(`\`, slashEscape)},
	markup:     {"HTML and XML references", partsWith("&", referenceBreaks), unescape("&", reference)},
	base64Or16: {"base64, base64url and hexadecimal digits", runs, decodeRun},
	chunks:     {"HTTP/1.1 chunks", whole, withoutChunks},
	zeros:      {"UTF-16 and zero bytes", whole, unescape("\x00", zero)},
}

func whole(parts []extent, text string, _ extent) []extent {
	return append(parts, extent{0, len(text)})
}

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

// partsWith returns a function that appends the parts of a text between some bytes that have one of some signs.
func partsWith(some string, breaks byteSet) func([]extent, string, extent) []extent {
	isSign := setOf(some)
	return func(parts []extent, text string, signs extent) []extent {
		start, has := signs.start, false
		for start > 0 && !breaks[text[start-1]] {
			start--
		}
		for i := signs.start; start < signs.end; i++ {
			if i < len(text) && !breaks[text[i]] {
				has = has || isSign[text[i]]
				continue
			}
			if has && i-start >= shortestPart {
				parts = append(parts, extent{start, i})
			}
			start, has = i+1, false
		}
		return parts
	}
}

// betweenQuotes appends the parts of a text between quotes without a backslash before them that have a backslash.
func betweenQuotes(parts []extent, text string, _ extent) []extent {
	start, has := 0, false
	for i := 0; i <= len(text); i++ {
		switch {
		case i == len(text), text[i] == '"':
			if has && i > start {
				parts = append(parts, extent{start, i})
			}
			start, has = i+1, false
		case text[i] == '\\':
			has = true
			i++
		}
	}
	return parts
}

// unescape returns a decode that replaces escapes, all of which begin with one of some signs. The function returns the length of
// the one that a text begins with, and what it stands for; 0 when there is none.
func unescape(signs string, escape func(text string) (int, string)) func(*memory, string) ([]byte, []int32) {
	isSign := setOf(signs)
	return func(m *memory, text string) (decoded []byte, places []int32) {
		copied := 0 // bytes of the text
		for i := 0; i < len(text); {
			if !isSign[text[i]] {
				i++
				continue
			}
			n, stands := escape(text[i:])
			if n == 0 {
				i++
				continue
			}
			if decoded == nil {
				decoded, places = m.bytes.take(len(text)), m.places.take(len(text)+1)
			}
			decoded = append(append(decoded, text[copied:i]...), stands...)
			for ; copied < i; copied++ {
				places = append(places, int32(copied))
			}
			for range len(stands) {
				places = append(places, int32(i))
			}
			i += n
			copied = i
		}
		if decoded == nil {
			return nil, nil
		}
		decoded = append(decoded, text[copied:]...)
		for ; copied <= len(text); copied++ {
			places = append(places, int32(copied))
		}
		if len(decoded) <= len(text) { // else it has grown out of the room
			m.bytes.keep(len(decoded))
			m.places.keep(len(places))
		}
		return decoded, places
	}
}

// percentEscape undoes %41, %u0041 and the plus sign of a form.
func percentEscape(text string) (int, string) {
	switch {
	case text[0] == '+':
		return 1, " "
	case len(text) >= 3 && isHex(text[1]) && isHex(text[2]):
		return 3, byteText(nibble(text[1])<<4 | nibble(text[2]))
	case len(text) >= 6 && lower(text[1]) == 'u':
		return hexRune(text[2:6])
	}
	return 0, ""
}

// slashEscape undoes \", \/, \n, \x41 and \u0041.
func slashEscape(text string) (int, string) {
	if len(text) < 2 {
		return 0, ""
	}
	switch c := text[1]; c {
	case 'n':
		return 2, "\n"
	case 'r':
		return 2, "\r"
	case 't':
		return 2, "\t"
	case '"', '\'', '/', '\\':
		return 2, text[1:2]
	case 'x':
		if len(text) >= 4 && isHex(text[2]) && isHex(text[3]) {
			return 4, byteText(nibble(text[2])<<4 | nibble(text[3]))
		}
	case 'u':
		if len(text) >= 6 {
			return hexRune(text[2:6])
		}
	}
	return 0, ""
}

// longestReference is how many bytes a reference such as &quot; or &#x000022; may have.
const longestReference = 12

func reference(text string) (int, string) {
	end := strings.IndexByte(text[:min(len(text), longestReference)], ';')
	if end < 2 {
		return 0, ""
	}
	decoded := html.UnescapeString(text[:end+1])
	if decoded == text[:end+1] {
		return 0, ""
	}
	return end + 1, decoded
}

func zero(string) (int, string) { return 1, "" }

// byteText returns a text of one byte.
func byteText(c byte) string { return allBytes[c : int(c)+1] }

var allBytes = func() string {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	return string(all)
}()

func nibble(c byte) byte {
	if isDigit(c) {
		return c - '0'
	}
	return lower(c) - 'a' + 10
}

// hexRune returns the length of an escape of two signs and four digits, and the character that the digits stand for; 0 when they are none.
func hexRune(digits string) (int, string) {
	n, err := strconv.ParseUint(digits, 16, 32)
	if err != nil {
		return 0, ""
	}
	return 2 + len(digits), string(rune(n))
}

// shortestRun is how many letters and digits hold something that can be told: name=value.
const shortestRun = 16

// inRun are the bytes of both alphabets of base64.
var inRun = setOf("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_")

// runs appends the parts of a text that may be base64. A slash is a digit of it, and in a path what stands between two parts.
func runs(parts []extent, text string, signs extent) []extent {
	start, slash := signs.start, -1
	for i := start; i <= signs.end; i++ {
		isIn := i < signs.end && inRun[text[i]]
		if isIn && text[i] != '/' {
			continue
		}
		if slash >= 0 && mayHoldText(text[slash+1:i]) {
			parts = append(parts, extent{slash + 1, i})
		}
		if isIn {
			slash = i
			continue
		}
		if mayHoldText(text[start:i]) {
			parts = append(parts, extent{start, i})
		}
		start, slash = i+1, -1
	}
	return parts
}

// mayHoldText reports whether a run is long enough, and its beginning is text when it is decoded: few that are no base64 are.
func mayHoldText(run string) bool {
	if len(run) < shortestRun {
		return false
	}
	var digits, decoded [shortestRun]byte
	copy(digits[:], run)
	if n, err := hex.Decode(decoded[:], digits[:]); err == nil && isText(decoded[:n]) {
		return true
	}
	for i, c := range digits {
		switch c {
		case '-':
			digits[i] = '+'
		case '_':
			digits[i] = '/'
		}
	}
	n, err := base64.RawStdEncoding.Decode(decoded[:], digits[:])
	return err == nil && isText(decoded[:n])
}

// decodeRun undoes base64 and hexadecimal digits that hold text. What is found in it makes a secret of all.
func decodeRun(_ *memory, text string) ([]byte, []int32) {
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
	for _, c := range decoded {
		if c < ' ' && c != '\n' && c != '\r' && c != '\t' || c == 0x7f {
			return false
		}
	}
	whole := len(decoded)
	for whole > len(decoded)-utf8.UTFMax && !utf8.Valid(decoded[:whole]) { // the last character may be cut
		whole--
	}
	return whole > len(decoded)-utf8.UTFMax
}

// isChunked reports whether a text begins with the size of a chunk.
func isChunked(text string) bool {
	if text == "" || !isHex(text[0]) {
		return false
	}
	end := strings.IndexByte(text[:min(len(text), 20)], '\n')
	if end < 1 {
		return false
	}
	digits := 0
	for digits < end && isHex(text[digits]) {
		digits++
	}
	return text[digits] == '\r' || text[digits] == '\n' || text[digits] == ';'
}

// withoutChunks joins the chunks of a body, the last of which may be cut.
func withoutChunks(_ *memory, text string) (joined []byte, places []int32) {
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
