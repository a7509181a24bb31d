package fieldmap

import (
	"mime"
	"strings"
	"unicode/utf8"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

const contentType = "Content-Type"

// completeCut writes over buf the start of a request body, closed so that the parser that the rules select for its type reads
// all of it, the last and incomplete value too. What cannot be closed comes back as it is.
func completeCut(buf []byte, headers []rules.Header, body string) []byte {
	keep, tail := closing(value(headers, contentType), body)
	return append(append(buf[:0], body[:keep]...), tail...)
}

// closing returns how many bytes of a cut body to keep and what to append.
func closing(mediaType, body string) (keep int, tail string) {
	switch bodyTypeOf(mediaType) {
	case typeJSON:
		return closeJSON(body)
	case typeXML:
		return closeXML(body)
	case typeMultipart:
		if _, parameters, err := mime.ParseMediaType(mediaType); err == nil && parameters["boundary"] != "" {
			return closeMultipart(body, parameters["boundary"])
		}
		return len(body), ""
	}
	return len(trimEscape(body)), ""
}

// bodyType is how rules read a request body.
type bodyType uint8

const (
	typeForm bodyType = iota // and everything unknown, which the Core Rule Set reads as a form
	typeMultipart
	typeJSON
	typeXML
)

// bodyTypeOf returns what the rules of the engine's configuration and the engine itself select for a Content-Type.
func bodyTypeOf(mediaType string) bodyType {
	s := strings.ToLower(strings.TrimSpace(mediaType))
	media, _, _ := strings.Cut(s, ";")
	subtype, isApplication := strings.CutPrefix(media, "application/")
	switch {
	case strings.HasPrefix(s, "multipart/form-data"):
		return typeMultipart
	case isApplication && (strings.HasPrefix(subtype, "json") || strings.Contains(subtype, "+json")):
		return typeJSON
	case strings.HasPrefix(s, "text/xml"), isApplication && (strings.HasPrefix(subtype, "xml") || strings.HasPrefix(subtype, "soap+xml")):
		return typeXML
	}
	return typeForm
}

// trimEscape removes an incomplete %XX from the end.
func trimEscape(s string) string {
	if at := strings.LastIndexByte(s, '%'); at >= 0 && at > len(s)-3 {
		return s[:at]
	}
	return s
}

// trimRune removes an incomplete UTF-8 sequence from the end.
func trimRune(s string) string {
	for n := 1; n < utf8.UTFMax && n <= len(s); n++ {
		if tail := s[len(s)-n:]; utf8.RuneStart(tail[0]) {
			if !utf8.FullRuneInString(tail) {
				return s[:len(s)-n]
			}
			break
		}
	}
	return s
}
