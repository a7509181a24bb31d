package fieldmap

import (
	"slices"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/accesslog"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// presentHeaders are the headers without a field whose absence rules detect.
var presentHeaders = [...]struct {
	name string
	part rules.Parts
}{
	{"Accept", rules.PartAccept},
	{"Content-Type", rules.PartContentType},
	{"Content-Length", rules.PartContentLength},
	{"Transfer-Encoding", rules.PartTransferEncoding},
}

// partOf returns the part that a request header is of, written with dashes or underscores.
func partOf(name string) rules.Parts {
	for i := range namedHeaders {
		if sameHeader(name, namedHeaders[i].name) {
			return namedHeaders[i].part
		}
	}
	for i := range presentHeaders {
		if sameHeader(name, presentHeaders[i].name) {
			return presentHeaders[i].part
		}
	}
	return rules.PartOtherHeaders
}

// sameHeader compares names of headers; a key may have an underscore where the name has a dash.
func sameHeader(key, name string) bool {
	if len(key) != len(name) {
		return false
	}
	for i := range len(key) {
		if c := key[i] | 0x20; c != name[i]|0x20 && (name[i] != '-' || key[i] != '_') {
			return false
		}
	}
	return true
}

// unparsed are the statuses with which servers answer a request whose head they did not read to its end: malformed, timed out,
// target too long, header fields too large, and nginx's own status for the latter.
var unparsed = []string{"400", "408", "414", "431", "494"}

// finishPresence tells what is not known from what was not sent. An empty key means that the client did not send the header where
// the server has read the whole head; of a request that it gave up on, it means nothing.
func (v *Values) finishPresence() {
	if status := v.texts[Status]; status != "" && !isStatus(status) {
		v.texts[Status] = ""
		v.given &^= 1 << Status
	}
	for i := range namedHeaders {
		if f := namedHeaders[i].field; v.texts[f] == redacted {
			v.texts[f] = ""
			v.given &^= 1 << f
		}
	}
	if v.texts[RequestBody] == redacted {
		v.texts[RequestBody] = ""
		v.given &^= 1 << RequestBody
	}
	if v.texts[Host] == "" && isMultiplexed(v.texts[Version]) { // servers have the host from :authority, which is no header
		v.given &^= 1 << Host
	}
	if status := v.texts[Status]; len(status) == 3 && status[0] == '4' && slices.Contains(unparsed, status) {
		v.forgetEmpty()
	}
}

// forgetEmpty takes empty headers for unknown ones.
func (v *Values) forgetEmpty() {
	v.notSent = 0
	v.requestList.whole = v.requestList.whole && len(v.requestList.list) > 0
	for i := range namedHeaders {
		if f := namedHeaders[i].field; v.texts[f] == "" {
			v.given &^= 1 << f
		}
	}
	for i := range v.slots {
		if s := &v.slots[i]; s.text == "" {
			s.given = false
		}
	}
}

// isSetAside takes what is no header, or one whose value the source keeps to itself, out of a list of headers: pseudo headers, of
// which the authority is the host, and headers whose absence rules would detect.
func (v *Values) isSetAside(r reading, name, text string) bool {
	if isPseudo(name) {
		if r == asHeader || r == asHeaders {
			v.pseudo.note(name, text)
			if strings.EqualFold(name, authority) {
				v.set(Host, text, lastRank)
			}
		}
		return true
	}
	if text != redacted || r == asResponseHeader || r == asResponseHeaders {
		return false
	}
	part := partOf(name) &^ rules.PartOtherHeaders
	v.lost |= part
	return part != 0
}

// finishPseudo marks a record whose pseudo headers say something else than what rules see.
func (v *Values) finishPseudo() {
	p := &v.pseudo
	odd := p.odd || p.path != "" && p.path != v.texts[URI] || p.method != "" && p.method != v.texts[Method] ||
		p.authority != "" && v.texts[Host] != "" && p.authority != v.texts[Host]
	for i := range v.requestList.list {
		h := &v.requestList.list[i]
		odd = odd || p.authority != "" && isNamed(h, "Host") && p.authority != h.Value
	}
	if odd {
		v.partial |= rules.PartialHeaders
	}
}

// isStatus reports whether a text is the status of a response: sources write 0 or -1 where there was none.
func isStatus(text string) bool {
	code, ok := number(text, 999)
	return ok && code >= 100
}

// isPseudo reports whether a name is that of a pseudo header of HTTP/2 or HTTP/3 (RFC 9113, section 8.3): it is no header.
func isPseudo(name string) bool {
	switch {
	case name == "" || name[0] != ':':
		return false
	case strings.EqualFold(name, authority), strings.EqualFold(name, ":method"), strings.EqualFold(name, ":path"),
		strings.EqualFold(name, ":scheme"), strings.EqualFold(name, ":status"), strings.EqualFold(name, ":protocol"):
		return true
	}
	return false
}

// authority is the pseudo header that stands for Host.
const authority = ":authority"

// standardMethods are the methods that are requests whatever the target looks like.
var standardMethods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"}

// isRequest reports whether a method and a target are those of a request: a method is a token (RFC 9110, section 9.1), and text
// that was no request may look like one. Servers log a dash for a method that they have not read; then there is no path either.
func isRequest(method, target, version string) bool {
	if slices.Contains(standardMethods, method) {
		return target != ""
	}
	if target == "" || !accesslog.IsToken(method) {
		return false
	}
	if method == "-" { // nginx takes it for a method
		return target[0] == '/'
	}
	return isHTTP(version) && version != simpleVersion || target[0] == '/' || strings.Contains(target, "://")
}

// upperMethod returns a standard method in upper case.
func upperMethod(method string) string {
	for _, standard := range standardMethods {
		if strings.EqualFold(method, standard) {
			return standard
		}
	}
	return method
}
