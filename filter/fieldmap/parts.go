package fieldmap

import (
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// namedHeaders are the request headers that have a field of their own.
var namedHeaders = [...]struct {
	field Field
	name  string
	part  rules.Parts
}{
	{Host, "Host", rules.PartHost},
	{UserAgent, "User-Agent", rules.PartUserAgent},
	{Referer, "Referer", rules.PartReferer},
	{Cookie, "Cookie", rules.PartCookie},
}

// requestHeaders adds the headers that the source has parsed. Those of a list come as they were sent; a field adds one that the
// list does not have.
func (v *Values) requestHeaders(t *rules.Transaction) {
	t.RequestHeaders = v.slotHeaders(t.RequestHeaders, asHeader)
	t.RequestHeaders = append(t.RequestHeaders, v.requestList.list...)
	for i := range namedHeaders {
		h := &namedHeaders[i]
		value := v.texts[h.field]
		if h.field == Host && value == "" {
			value = v.texts[ServerName]
		}
		if value == "" {
			continue
		}
		if _, listed := t.Header(h.name); !listed {
			t.RequestHeaders = append(t.RequestHeaders, rules.Header{Name: h.name, Value: value})
		}
	}
}

// headersBehindCut completes a raw head that is cut: a header that it does not reach, or not to its end, has a field of its own.
func (v *Values) headersBehindCut(t *rules.Transaction) {
	last := len(t.RequestHeaders) - 1
	for i := range namedHeaders {
		h := &namedHeaders[i]
		whole := v.texts[h.field]
		at := headerAt(t.RequestHeaders, h.name)
		switch {
		case whole == "":
		case at < 0:
			t.RequestHeaders = append(t.RequestHeaders, rules.Header{Name: h.name, Value: whole})
		case at == last && strings.HasPrefix(whole, t.RequestHeaders[at].Value):
			t.RequestHeaders[at].Value = whole
		}
	}
}

// slotHeaders appends the headers of one kind that have a name of their own in the map.
func (v *Values) slotHeaders(dst []rules.Header, kind reading) []rules.Header {
	for i := range v.slots {
		if s := &v.slots[i]; s.text != "" && v.source.slots[i].reading == kind {
			dst = append(dst, rules.Header{Name: v.source.slots[i].name, Value: s.text})
		}
	}
	return dst
}

// otherLog makes a transaction of a record that is none of HTTP: its arguments are all that rules see. It reports false when it
// has none.
func (v *Values) otherLog(t *rules.Transaction) bool {
	if len(t.Arguments) == 0 {
		return false
	}
	arguments, partial := t.Arguments, t.Partial
	t.Reset()
	t.Arguments, t.Partial = arguments, partial
	t.ClientIP, t.ServerIP = v.Get(ClientIP), v.Get(ServerIP)
	t.ClientPort, t.ServerPort = port(v.Get(ClientPort)), port(v.Get(ServerPort))
	t.Unknown = rules.AllParts
	if t.ClientIP != "" {
		t.Unknown &^= rules.PartClient
	}
	if t.ServerIP != "" {
		t.Unknown &^= rules.PartServer
	}
	return true
}

// appendArguments appends the arguments that the map takes from the record.
func (v *Values) appendArguments(dst []rules.Header) []rules.Header {
	return append(v.slotHeaders(dst, asArgument), v.arguments...)
}

// unknown returns the parts of an HTTP transaction that the record does not tell. A key that is there with an empty value says
// that the part was empty. The first headers, as many as sent says, are those of a raw head.
func (v *Values) unknown(t *rules.Transaction, hasLine bool, sent int) (parts rules.Parts) {
	if !hasLine {
		parts = v.unknownRequest(t)
		for i := range namedHeaders {
			if headerAt(t.RequestHeaders[:sent], namedHeaders[i].name) >= 0 {
				parts &^= namedHeaders[i].part
			}
		}
	} else if isMultiplexed(t.Protocol) && headerAt(t.RequestHeaders, "Host") < 0 {
		parts |= rules.PartHost | rules.PartHostName // stands in a pseudo header that was not logged
	}
	for _, p := range [...]struct {
		unknown bool
		part    rules.Parts
	}{
		{t.ClientIP == "", rules.PartClient},
		{t.ServerIP == "", rules.PartServer},
		{!v.Has(RequestBody), rules.PartBody | rules.PartBodyEnd},
		{v.untyped, rules.PartBodyEnd},
		{t.ResponseStatus == 0, rules.PartStatus},
		{v.Get(ResponseHead) == "" && !v.responseList.whole, rules.PartResponseHeader},
		{t.ResponseBody == "", rules.PartResponseBody | rules.PartResponseEnd},
	} {
		if p.unknown {
			parts |= p.part
		}
	}
	return parts
}

// unknownRequest returns what parsed parts do not tell of a request head.
func (v *Values) unknownRequest(t *rules.Transaction) (parts rules.Parts) {
	parts |= v.lost
	if v.Get(Version) == "" {
		parts |= rules.PartProtocol
	}
	if _, hasHost := t.Header("Host"); !hasHost {
		parts |= rules.PartHostName
	}
	if v.requestList.whole {
		// A list of all headers may skip Host, which some servers keep apart.
		if !v.listed("Host") && !v.Has(Host) {
			parts |= rules.PartHost
		}
		return parts
	}
	parts |= rules.PartOtherHeaders
	for i := range namedHeaders {
		if h := &namedHeaders[i]; !v.Has(h.field) && !v.listed(h.name) {
			parts |= h.part
		}
	}
	for i := range presentHeaders {
		if h := &presentHeaders[i]; !v.listed(h.name) {
			parts |= h.part &^ v.notSent
		}
	}
	return parts
}

// listed reports whether a request header is in a list of headers or has a name of its own in the map.
func (v *Values) listed(name string) bool {
	for i := range v.requestList.list {
		if strings.EqualFold(v.requestList.list[i].Name, name) {
			return true
		}
	}
	for i := range v.slots {
		if s := v.source.slots[i]; v.slots[i].given && s.reading == asHeader && strings.EqualFold(s.name, name) {
			return true
		}
	}
	return false
}
