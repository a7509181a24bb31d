package fieldmap

import (
	"encoding/binary"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter"
)

// lastIdentity is the number of the newest map: two maps may make different transactions of the same fields.
var lastIdentity atomic.Uint64

// unseen are the fields that only alerts show.
const unseen = 1<<Time | 1<<Forward | 1<<Sensor | 1<<Message | 1<<Source | 1<<Geo | 1<<Action | 1<<date

// reduced are the fields of which only a part tells transactions apart.
const reduced = 1<<ClientIP | 1<<ClientPort | 1<<ServerIP | 1<<ServerPort | 1<<ResponseHead

// framingHeaders are the response headers that say what the body is.
var framingHeaders = []string{"content-type", "content-encoding", "transfer-encoding", "content-length"}

// IsOther reports whether the record is of another protocol than HTTP.
func (v *Values) IsOther() bool {
	return v.Has(Protocol7) && !strings.EqualFold(v.Get(Protocol7), "http")
}

// AppendIdentity appends what tells transactions apart for rules that look at no more than reads says: records with the same
// identity make transactions on which the verdict is the same. It costs less than making the transaction. Every text has its
// length before it, so that none runs into the next.
func (v *Values) AppendIdentity(dst []byte, reads *prefilter.Reads) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, v.source.identity)
	dst = binary.LittleEndian.AppendUint64(dst, v.given&^unseen)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(v.lost))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(v.notSent))
	dst = append(dst, v.flags())
	for f := range fieldCount {
		if (unseen|reduced)&(1<<f) == 0 {
			dst = appendText(dst, v.texts[f])
		}
	}
	dst = v.appendConnection(dst, reads)
	dst = appendHeaders(dst, v.requestList.list)
	dst = appendHeaders(dst, v.responseList.list)
	dst = appendHeaders(dst, v.arguments)
	for i := range v.slots {
		dst = appendText(dst, v.slots[i].text)
		dst = append(dst, bit(v.slots[i].given, 0))
	}
	return appendResponseHead(dst, v.texts[ResponseHead], reads)
}

func (v *Values) flags() byte {
	return bit(v.requestList.whole, 1) | bit(v.responseList.whole, 2) | byte(v.partial)<<3
}

func bit(set bool, at uint) byte {
	if set {
		return 1 << at
	}
	return 0
}

func appendText(dst []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint32(dst, uint32(len(s))), s...)
}

func appendHeaders(dst []byte, list []rules.Header) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(list)))
	for i := range list {
		dst = appendText(appendText(dst, list[i].Name), list[i].Value)
	}
	return dst
}

// ClientAddress returns the client's address as rules see it, "" when it is not known.
func (v *Values) ClientAddress() string { return v.texts[ClientIP] }

// appendConnection appends what rules see of addresses and ports, and which of them are known.
func (v *Values) appendConnection(dst []byte, reads *prefilter.Reads) []byte {
	client, server := v.ClientAddress(), v.texts[ServerIP]
	dst = append(dst, bit(client == "", 0)|bit(server == "", 1))
	client, answers := reads.ClientAddress(client)
	dst = binary.LittleEndian.AppendUint64(appendText(dst, client), answers)
	if reads.ServerAddress {
		dst = appendText(dst, server)
	}
	if reads.Ports {
		dst = appendText(appendText(dst, v.texts[ClientPort]), v.texts[ServerPort])
	}
	return dst
}

// appendResponseHead appends the status line and those header lines that say what the body is or that rules look at: dates and
// numbers of requests differ in every response. A head that has anything else is appended as it is.
func appendResponseHead(dst []byte, raw string, reads *prefilter.Reads) []byte {
	dst = append(dst, bit(raw == "", 0)|bit(len(raw) >= minCutHead, 1))
	if reads.AllResponse {
		return appendText(dst, raw)
	}
	start := len(dst)
	h := newHead(raw)
	line, _ := h.line()
	dst = appendText(dst, line)
	_, _, isStart := statusLine(line)
	for lines := 0; ; lines++ {
		line, more := h.line()
		if !more {
			break
		}
		name, _, isHeader := headerLine(line)
		if !isHeader || lines == maxHeadLines {
			return appendText(dst[:start], raw)
		}
		if isSeen(name, reads) {
			dst = appendText(dst, line)
		}
	}
	if !isStart || hasText(h.rest) {
		return appendText(dst[:start], raw)
	}
	return append(dst, bit(h.ended, 0))
}

func isSeen(name string, reads *prefilter.Reads) bool {
	return slices.ContainsFunc(framingHeaders, func(framing string) bool { return strings.EqualFold(framing, name) }) ||
		reads.SeesResponseHeader(name)
}
