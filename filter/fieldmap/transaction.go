package fieldmap

import (
	"math"
	"net/netip"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// defaultVersion stands for an HTTP version that a source does not log.
const defaultVersion = "HTTP/1.1"

// Transaction writes the values into a transaction. It reports false when they are not those of an HTTP transaction: another
// protocol, or no method or request target. The raw heads are the authority; parsed parts serve where they are missing.
func (v *Values) Transaction(t *rules.Transaction) bool {
	t.Reset()
	if v.Has(Protocol7) && !strings.EqualFold(v.Get(Protocol7), "http") {
		return false
	}
	t.Arguments = v.appendArguments(t.Arguments)
	t.ClientIP, t.ServerIP = address(v.Get(ClientIP)), address(v.Get(ServerIP))
	t.ClientPort, t.ServerPort = port(v.Get(ClientPort)), port(v.Get(ServerPort))
	raw := v.requestHead(t)
	if !raw {
		v.requestParts(t)
	}
	if t.Method == "" || t.URI == "" {
		return v.otherLog(t)
	}
	t.ServerName = serverName(t)
	if body := v.Get(RequestBody); raw || body == "" || v.hasContentType(t) || v.typeOfBody(t, body) {
		t.RequestBody = body
	}
	t.RequestCut = v.Has(RequestBody) && (isCut(t.RequestHeaders, t.RequestBody) || v.atLimit(v.Get(RequestBody)))
	v.response(t)
	t.Unknown = v.unknown(t, raw)
	return true
}

// requestHead reads the raw request head; it reports false when there is none that can be read.
func (v *Values) requestHead(t *rules.Transaction) bool {
	if v.Get(RequestHead) == "" {
		return false
	}
	h := head{v.Get(RequestHead)}
	line, _ := h.line()
	method, target, version, ok := requestLine(line)
	if !ok {
		return false
	}
	t.Method, t.URI, t.Protocol = method, target, version
	t.RequestHeaders, _ = h.headers(t.RequestHeaders)
	return true
}

// requestParts uses the parts that the source has parsed.
func (v *Values) requestParts(t *rules.Transaction) {
	t.Method, t.URI, t.Protocol = v.Get(Method), v.Get(URI), v.Get(Version)
	if t.Protocol == "" {
		t.Protocol = defaultVersion
	}
	v.requestHeaders(t)
}

func (v *Values) response(t *rules.Transaction) {
	status := v.Get(Status)
	if raw := v.Get(ResponseHead); raw != "" {
		h := head{raw}
		line, _ := h.line()
		if version, code, ok := statusLine(line); ok {
			t.ResponseProtocol = version
			status = code
		}
		t.ResponseHeaders, _ = h.headers(t.ResponseHeaders)
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
	t.ResponseBody = v.Get(ResponseBody)
	t.HasResponse = t.HasResponse || t.ResponseBody != ""
	t.ResponseCut = t.ResponseBody != "" && (isCut(t.ResponseHeaders, t.ResponseBody) || v.atLimit(t.ResponseBody))
}

// atLimit reports whether a body is as long as the source lets it be.
func (v *Values) atLimit(body string) bool {
	return v.source.bodyLimit > 0 && len(body) == v.source.bodyLimit
}

// isCut reports whether Content-Length promises more than the body has.
func isCut(headers []rules.Header, body string) bool {
	for i := range headers {
		if len(headers[i].Name) == len("Content-Length") && strings.EqualFold(headers[i].Name, "Content-Length") {
			n, ok := number(headers[i].Value, math.MaxInt64)
			return ok && n > uint64(len(body))
		}
	}
	return false
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

// address returns an IP address without brackets and zone; a text that is no address stays as it is.
func address(s string) string {
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		s = s[1 : len(s)-1]
	}
	if at := strings.IndexByte(s, '%'); at > 0 {
		if _, err := netip.ParseAddr(s[:at]); err == nil {
			return s[:at]
		}
	}
	return s
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
