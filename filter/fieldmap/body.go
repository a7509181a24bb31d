package fieldmap

import (
	"errors"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// ownText names the memory of Values for one text of a transaction that is not a view of the record.
type ownText uint8

const (
	requestUnchunked ownText = iota
	requestBrackets          // that are open in a JSON body
	requestClosed
	responseUnchunked
	responseDecoded
	ownTexts
)

// requestBody writes the body into a transaction: without chunked framing, and closed where it is cut. Without a whole head
// its type may be one that was sent and not logged; a body that looks like no type is an argument. One with a content coding is inspected as
// it is, like in an engine in the request path, and what it stands for is not seen.
func (v *Values) requestBody(t *rules.Transaction, wholeHead bool) {
	body := v.Get(RequestBody)
	if body == "" {
		t.RequestCut = v.Has(RequestBody) && promises(t.RequestHeaders, 0)
	} else {
		body, t.RequestCut = v.unframe(requestUnchunked, t.RequestHeaders, body, wholeHead, true)
		if !wholeHead && !v.hasContentType(t) && !v.typeOfBody(t, body) {
			return
		}
	}
	if declaresEntities(t.RequestHeaders, body) || isOpaque(contentCodings(t.RequestHeaders), body) {
		t.Partial |= rules.PartialBody
	}
	if t.RequestCut {
		v.own[requestClosed] = completeCut(v.own[requestClosed], t.RequestHeaders, body)
		body = view(v.own[requestClosed])
	}
	t.RequestBody = body
}

// declaresEntities reports whether a body is XML with entities of its own. The engine does not expand them, so that none can
// bomb it or fetch anything; what they stand for is not seen.
func declaresEntities(headers []rules.Header, body string) bool {
	return strings.Contains(body, "<!ENTITY") && bodyTypeOf(value(headers, contentType)) == typeXML
}

// responseBody writes the body into a transaction: without chunked framing, and decoded. Headers that name codings leave with
// the codings. A body that cannot be decoded stays as it is, and is partial: what it stands for is not seen.
func (v *Values) responseBody(t *rules.Transaction, wholeHead bool) {
	body := v.Get(ResponseBody)
	if body == "" {
		return
	}
	codings := contentCodings(t.ResponseHeaders)
	isDecoded := len(codings) > 0 && isText(body) // by the source
	body, t.ResponseCut = v.unframe(responseUnchunked, t.ResponseHeaders, body, wholeHead, !isDecoded)
	if len(codings) > 0 && !isDecoded {
		decoded, err := decode(v.own[responseDecoded], body, codings)
		v.own[responseDecoded] = decoded
		if isDecoded = len(decoded) > 0; isDecoded {
			body = view(decoded)
			t.ResponseCut = t.ResponseCut || err != nil
		}
		if !isDecoded || errors.Is(err, io.ErrShortBuffer) {
			t.Partial |= rules.PartialResponse
		}
	}
	if !wholeHead && value(t.ResponseHeaders, contentType) == "" {
		typeOfResponse(t, body)
	}
	if isDecoded {
		t.ResponseHeaders = withoutCodings(t.ResponseHeaders)
	}
	t.ResponseBody = body
}

// unknownEnds returns the parts of a transaction that stand behind the places where its heads and bodies are cut.
func unknownEnds(t *rules.Transaction) (parts rules.Parts) {
	if t.RequestHeadCut {
		parts |= rules.PartOtherHeaders
		for i := range namedHeaders {
			if value(t.RequestHeaders, namedHeaders[i].name) == "" {
				parts |= namedHeaders[i].part
			}
		}
		for i := range presentHeaders {
			if value(t.RequestHeaders, presentHeaders[i].name) == "" {
				parts |= presentHeaders[i].part
			}
		}
	}
	if t.RequestCut {
		parts |= rules.PartBodyEnd
	}
	if t.ResponseHeadCut {
		parts |= rules.PartResponseHeader
	}
	if t.ResponseCut {
		parts |= rules.PartResponseEnd
	}
	return parts
}

// unframe returns a body without chunked framing and whether it is cut: the last chunk is missing, Content-Length promises
// more, or nothing tells its length and it ends where the source cuts. Without a whole head, framing from end to end tells of
// itself. Content-Length tells nothing of a body that the source has decoded.
func (v *Values) unframe(memory ownText, headers []rules.Header, body string, wholeHead, byLength bool) (unframedBody string, cut bool) {
	atLimit := len(body) == v.source.bodyLimit && body != ""
	if chunked(headers) || !wholeHead && strings.HasSuffix(body, "0\r\n\r\n") {
		var state framing
		body, v.own[memory], state = unchunk(v.own[memory], body)
		return body, state == cutFrame || state == unframed && atLimit
	}
	if length, known := contentLength(headers); known && byLength {
		return body, length > uint64(len(body))
	}
	return body, atLimit
}

func chunked(headers []rules.Header) bool {
	for i := range headers {
		if isNamed(&headers[i], "Transfer-Encoding") && strings.HasSuffix(strings.ToLower(headers[i].Value), "chunked") {
			return true
		}
	}
	return false
}

// promises reports whether Content-Length says that a body is longer than a size.
func promises(headers []rules.Header, size uint64) bool {
	length, known := contentLength(headers)
	return known && length > size
}

func contentLength(headers []rules.Header) (length uint64, known bool) {
	return number(value(headers, "Content-Length"), math.MaxInt64)
}

// withoutCodings removes the headers that name content codings; the slice is changed in place.
func withoutCodings(headers []rules.Header) []rules.Header {
	return slices.DeleteFunc(headers, func(h rules.Header) bool { return isNamed(&h, "Content-Encoding") })
}
