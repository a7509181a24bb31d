package fieldmap

import (
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"strings"
	"unsafe"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/accesslog"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// bodyArgument is what rules see of a body that is neither a form nor anything else that they can take apart.
const bodyArgument = "body"

// hasContentType reports whether it is known what the request body is.
func (v *Values) hasContentType(t *rules.Transaction) bool {
	_, found := t.Header(contentType)
	return found || v.requestList.whole || v.notSent&rules.PartContentType != 0 || v.listed(contentType)
}

// typeOfBody finds out from its looks what a body is whose Content-Type the source does not log, and adds the header that makes
// rules read it so. It reports false when the body looks like nothing of that kind: then it is inspected as one argument, since
// reading a text as a form finds fault with its line breaks.
func (v *Values) typeOfBody(t *rules.Transaction, body string) (typed bool) {
	v.untyped = true
	mediaType := v.looksOf(body)
	if mediaType == "" {
		t.Arguments = append(t.Arguments, rules.Header{Name: bodyArgument, Value: v.withoutNUL(body)})
		return false
	}
	t.RequestHeaders = append(t.RequestHeaders, rules.Header{Name: "Content-Type", Value: mediaType})
	return true
}

// looksOf returns the type of a body, "" when it looks like none.
func (v *Values) looksOf(body string) (mediaType string) {
	if start := strings.TrimLeft(body, " \t\r\n"); v.startsJSON(start) {
		return "application/json"
	} else if strings.HasPrefix(start, "<?xml") && parsesXML(start) {
		return "text/xml"
	}
	if strings.HasPrefix(body, "--") {
		if mediaType = v.multipart(body); mediaType != "" {
			return mediaType
		}
	}
	if isForm(body) {
		return "application/x-www-form-urlencoded"
	}
	return ""
}

// startsJSON reports whether a text is a JSON object or array, or the start of one. What only begins like one would be hidden
// from rules by a parser that gives up.
func (v *Values) startsJSON(text string) bool {
	if text == "" || text[0] != '{' && text[0] != '[' {
		return false
	}
	j := jsonCut{body: text, open: v.own[requestBrackets][:0]}
	defer func() { v.own[requestBrackets] = j.open }()
	for {
		if j.skipSpace(); j.at == len(text) {
			return true
		}
		if _, cut, ok := j.step(); !ok || cut {
			return ok
		}
	}
}

// parsesXML reports whether a text is XML as the engine reads it, or the start of it.
func parsesXML(text string) bool {
	keep, tail := closeXML(text)
	d := xml.NewDecoder(io.MultiReader(strings.NewReader(text[:keep]), strings.NewReader(tail)))
	d.Strict = false
	d.AutoClose, d.Entity = xml.HTMLAutoClose, xml.HTMLEntity
	for {
		if _, err := d.Token(); err != nil {
			var syntax *xml.SyntaxError
			return errors.Is(err, io.EOF) || errors.As(err, &syntax) && syntax.Msg == "unexpected EOF"
		}
	}
}

// multipart returns the type of a body that begins with the boundary of its parts, "" when it does not. Nothing may stand behind
// the last part: parsers pass over it.
func (v *Values) multipart(body string) string {
	line, rest, _ := strings.Cut(body[len("--"):], "\n")
	boundary := strings.TrimSuffix(line, "\r")
	const longest = 70 // RFC 2046
	if boundary == "" || len(boundary) > longest || !accesslog.IsToken(boundary) || !strings.Contains(rest, ":") ||
		strings.TrimSpace(epilogue(rest, boundary)) != "" {
		return ""
	}
	return onScratch(&v.scratch, func(dst []byte) []byte { return append(append(dst, "multipart/form-data; boundary="...), boundary...) })
}

// epilogue returns what stands behind the last part.
func epilogue(body, boundary string) string {
	for {
		before, after, found := strings.Cut(body, boundary)
		if rest, closes := strings.CutPrefix(after, "--"); !found || closes && strings.HasSuffix(before, "--") {
			return rest
		}
		body = after
	}
}

// isForm reports whether a text is a form as browsers write it, on one line that programs may end: name=value pairs, or any
// escaped text.
func isForm(body string) bool {
	body = strings.TrimRight(body, "\r\n")
	if strings.ContainsAny(body, "\r\n") {
		return false
	}
	name, _, hasValue := strings.Cut(body, "=")
	if !hasValue {
		return hasEscape(body) && !strings.ContainsAny(body, " \t<>\"'")
	}
	return name != "" && !strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || strings.ContainsRune("<>\"'(){};", c) })
}

// hasEscape reports whether a text has a %XX.
func hasEscape(s string) bool {
	for i := 0; i+2 < len(s); i++ {
		if s[i] == '%' && isHex(s[i+1]) && isHex(s[i+2]) {
			return true
		}
	}
	return false
}

func isHex(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f' }

// withoutNUL replaces NUL bytes: they are normal in a binary body, and an attack in an argument.
func (v *Values) withoutNUL(body string) string {
	if strings.IndexByte(body, 0) < 0 {
		return body
	}
	return onScratch(&v.scratch, func(dst []byte) []byte {
		for i := range len(body) {
			dst = append(dst, max(body[i], 1))
		}
		return dst
	})
}

// typeOfResponse adds the Content-Type of a response whose source logs bodies without their type, if it is one that rules
// inspect.
func typeOfResponse(t *rules.Transaction, body string) {
	const enough = 512 // bytes that DetectContentType looks at
	start := body[:min(len(body), enough)]
	guess, _, _ := strings.Cut(http.DetectContentType(unsafe.Slice(unsafe.StringData(start), len(start))), ";")
	if strings.HasPrefix(guess, "text/") {
		t.ResponseHeaders = append(t.ResponseHeaders, rules.Header{Name: "Content-Type", Value: guess})
	}
}
