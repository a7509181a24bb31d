package fieldmap

import (
	"math"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// defaultVersion stands for an HTTP version that a source does not log.
const defaultVersion = "HTTP/1.1"

// Transaction writes the values into a transaction. It reports false when they are not those of an HTTP transaction: another
// protocol, or no method or request target. The raw heads are the authority; parsed parts serve where they are missing.
func (v *Values) Transaction(t *rules.Transaction) bool {
	t.Reset()
	if v.IsOther() {
		return false
	}
	hasLine, sent, isRequest := v.request(t)
	if !isRequest {
		return v.otherLog(t)
	}
	v.requestBody(t, hasLine && !t.RequestHeadCut || v.requestList.whole)
	v.response(t)
	t.Unknown = v.unknown(t, hasLine, sent) | unknownEnds(t)
	return true
}

// Request is Transaction without bodies and response headers: who asks whom for what, and the status, in a fraction of the time. It reports
// false also for what may be a request and does not say of what.
func (v *Values) Request(t *rules.Transaction) bool {
	t.Reset()
	if v.IsOther() {
		return false
	}
	if _, _, isRequest := v.request(t); !isRequest {
		return false
	}
	t.ResponseStatus = v.status(t)
	return true
}

// request writes the ends of the connection and the request but its body. A request without a raw request line has fewer headers sent in a
// raw head.
func (v *Values) request(t *rules.Transaction) (hasLine bool, sent int, isHTTP bool) {
	t.Partial = v.partial
	t.Arguments = v.appendArguments(t.Arguments)
	t.ClientIP, t.ServerIP = v.Get(ClientIP), v.Get(ServerIP)
	t.ClientPort, t.ServerPort = port(v.Get(ClientPort)), port(v.Get(ServerPort))
	hasLine = v.requestHead(t)
	sent = len(t.RequestHeaders)
	if !hasLine {
		v.requestParts(t)
	}
	isHTTP = hasLine || isRequest(trimLeft(t.Method), t.URI, v.Get(Version))
	if isHTTP {
		t.ServerName = serverName(t)
	}
	return hasLine, sent, isHTTP
}

// status returns the status that a transaction has, 0 when there is none.
func (v *Values) status(t *rules.Transaction) int {
	status := v.Get(Status)
	if raw := v.Get(ResponseHead); raw != "" {
		h := newHead(raw)
		_, code, hasLine := h.statusLine()
		switch _, isNumber := number(code, 999); {
		case hasLine && isInterim(code):
			if last := v.responseHead(t, raw); last != "" {
				status = last
			}
		case hasLine && isNumber:
			status = code
		}
	}
	if code, ok := number(status, 999); ok && code >= 100 {
		return int(code)
	}
	return 0
}

// requestHead reads the raw request head. It reports false when there is none, or one without a request line: then its header
// lines are read all the same.
func (v *Values) requestHead(t *rules.Transaction) (hasLine bool) {
	h := newHead(v.Get(RequestHead))
	if h.rest == "" {
		return false
	}
	t.Method, t.URI, t.Protocol, hasLine = h.requestLine()
	h.pseudo.allowed = h.pseudo.allowed || isMultiplexed(t.Protocol)
	t.RequestHeaders, t.RequestHeadCut = h.headers(t.RequestHeaders)
	if h.pseudo.allowed {
		hasLine = h.pseudo.complete(t) || hasLine
		if h.pseudo.odd {
			t.Partial |= rules.PartialHeaders
		}
	}
	if h.unread || h.hasMore(v.Get(RequestBody)) {
		t.Partial |= rules.PartialHeaders
	}
	if t.RequestHeadCut && hasLine {
		v.headersBehindCut(t)
	}
	return hasLine
}

// complete gives a transaction what its pseudo headers say, and reports whether that is a request line. They are odd when they say
// something else than what rules see.
func (p *pseudoHeaders) complete(t *rules.Transaction) (hasLine bool) {
	if p.method != "" && p.path != "" && t.Method == "" {
		t.Method, t.URI, t.Protocol = p.method, p.path, "HTTP/2.0"
		hasLine = true
	}
	p.odd = p.odd || p.method != "" && p.method != t.Method || p.path != "" && p.path != t.URI
	if at := headerAt(t.RequestHeaders, "Host"); p.authority != "" && at < 0 {
		t.RequestHeaders = append(t.RequestHeaders, rules.Header{Name: "Host", Value: p.authority})
	} else if p.authority != "" && t.RequestHeaders[at].Value != p.authority {
		p.odd = true
	}
	return hasLine
}

// requestParts uses the parts that the source has parsed.
func (v *Values) requestParts(t *rules.Transaction) {
	t.Method, t.URI, t.Protocol = v.Get(Method), v.Get(URI), v.Get(Version)
	if t.Method == "" && v.Has(Method) && strings.HasPrefix(t.URI, "/") {
		t.Method = "-"
	}
	if t.Protocol == "" {
		t.Protocol = defaultVersion
	}
	v.requestHeaders(t)
}

func (v *Values) response(t *rules.Transaction) {
	status := v.Get(Status)
	if raw := v.Get(ResponseHead); raw != "" {
		if code := v.responseHead(t, raw); code != "" {
			status = code
		}
		t.HasResponse = true
	} else {
		t.ResponseHeaders = v.slotHeaders(t.ResponseHeaders, asResponseHeader)
		t.ResponseHeaders = append(t.ResponseHeaders, v.responseList.list...)
		t.HasResponse = len(t.ResponseHeaders) > 0
	}
	if code, ok := number(status, 999); ok && code >= 100 {
		t.ResponseStatus = int(code)
		t.HasResponse = true
	}
	if t.ResponseProtocol == "" {
		t.ResponseProtocol = t.Protocol
	}
	v.responseBody(t, v.Get(ResponseHead) != "" && !t.ResponseHeadCut || v.responseList.whole)
	t.HasResponse = t.HasResponse || t.ResponseBody != ""
}

// responseHead reads the raw response head, with those of interim responses before it, and returns the status, "" when it has
// none.
func (v *Values) responseHead(t *rules.Transaction, raw string) (status string) {
	h := newHead(raw)
	for {
		version, code, hasLine := h.statusLine()
		h.pseudo.allowed = isMultiplexed(version)
		if hasLine {
			t.ResponseProtocol = version
			if _, isNumber := number(code, 999); isNumber {
				status = code
			} else if code != "" {
				h.unread = true
			}
		}
		t.ResponseHeaders, t.ResponseHeadCut = h.headers(t.ResponseHeaders)
		if !hasLine || !isInterim(code) || !h.continues() {
			break
		}
	}
	if h.unread || h.hasMore(v.Get(ResponseBody)) {
		t.Partial |= rules.PartialResponse
	}
	return status
}

// isInterim reports whether a response with a status has the one that answers the request behind it.
func isInterim(status string) bool {
	return len(status) == 3 && status[0] == '1' && status != "101"
}

// serverName returns the host that the client asked for, without port and brackets.
func serverName(t *rules.Transaction) string {
	host, _ := t.Header("Host")
	if strings.HasPrefix(host, "[") {
		if end := strings.IndexByte(host, ']'); end > 0 {
			return host[1:end]
		}
	}
	if at := strings.LastIndexByte(host, ':'); at >= 0 && strings.IndexByte(host, ':') == at {
		return host[:at]
	}
	return host
}

func port(s string) int {
	n, _ := number(s, math.MaxUint16)
	return int(n)
}

// number reads decimal digits of a number up to a largest one. Unlike strconv it allocates nothing for a text that is none.
func number(s string, largest uint64) (n uint64, ok bool) {
	for i := range len(s) {
		digit := uint64(s[i] - '0')
		if digit > 9 || n > (largest-digit)/10 {
			return 0, false
		}
		n = n*10 + digit
	}
	return n, s != ""
}
