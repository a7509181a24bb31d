package corpus

import (
	"encoding/binary"
	"strconv"

	"github.com/tinylib/msgp/msgp"
)

// ProbeLimit is the size in bytes at which Nano probes cut bodies by default.
const ProbeLimit = 1024

// Field is one key of a Nano record with its value.
type Field struct{ Key, Value string }

// Nano returns the record as a Nano probe sends it, bodies cut at a limit in bytes; 0 keeps them whole.
func (r *Record) Nano(limit int) []Field {
	fields := []Field{
		{"BEGIN_TIME", r.Begin}, {"host", "10.64.1.254"}, {"SRC_IP", r.SrcIP}, {"DST_IP", r.DstIP},
		{"SRC_PORT", strconv.Itoa(r.SrcPort)}, {"DST_PORT", strconv.Itoa(r.DstPort)}, {"CARD", "br-vmr"},
		{"SRC_NET_DELAY", "0.01"}, {"DST_NET_DELAY", "0.13"}, {"BYTES", strconv.Itoa(len(r.RequestHead) + len(r.RequestBody))},
		{"RETCODE", strconv.Itoa(r.Status)}, {"METHOD", r.Method}, {"URL", r.Target}, {"DOMAIN", r.Host}, {"FORWARD", "0.0.0.0"},
	}
	for _, f := range []Field{{"AGENT", r.Agent}, {"REFERER", r.Referer}, {"COOKIE", r.Cookie}} {
		if f.Value != "" {
			fields = append(fields, f)
		}
	}
	return append(fields, Field{"REQ_HEADER", r.RequestHead}, Field{"REQ_BODY", cut(r.RequestBody, limit)},
		Field{"RSP_HEADER", r.ResponseHead}, Field{"RSP_BODY", cut(r.ResponseBody, limit)},
		Field{"L7_PROTOCOL", "http"}, Field{"L4_PROTOCOL", "tcp"}, Field{"message", "jxit"})
}

func cut(body string, limit int) string {
	if limit > 0 && len(body) > limit {
		return body[:limit]
	}
	return body
}

// AppendEvent appends the record as a msgpack event in Fluent Bit's form, [[time, {}], body], bodies cut at a limit in bytes;
// 0 keeps them whole.
func (r *Record) AppendEvent(dst []byte, limit int) []byte {
	dst = append(dst, 0x92, 0x92, 0xd7, 0x00)
	dst = binary.BigEndian.AppendUint32(dst, 1717053408)
	dst = binary.BigEndian.AppendUint32(dst, 917000000)
	dst = append(dst, 0x80)
	fields := r.Nano(limit)
	dst = msgp.AppendMapHeader(dst, uint32(len(fields)))
	for _, f := range fields {
		dst = msgp.AppendString(msgp.AppendString(dst, f.Key), f.Value)
	}
	return dst
}
