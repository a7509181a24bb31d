package wafprocessor

import (
	"encoding/binary"
	"strings"
	"time"

	"github.com/tinylib/msgp/msgp"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

// The filter reads a log record as one map: the keys of its body, if that is a map, and its attributes. So parsers of the collector may
// put what they have read in either of them. Of a name that both have, the body's value counts. A body of any other type stands under
// bodyKey, where the filter looks for JSON text and for plain lines of access logs. What the collector holds beside them and the filter
// can use comes last: the workload of the resource, and the trace.

// bodyKey is where a record holds a body that is not a map.
const bodyKey = "log"

// traceKey is where the filter looks for what connects the records of one request.
const traceKey = "trace_id"

// deepest bounds nested values; rules see no more than this anyway.
const deepest = 64

// appendEvent appends a log record as a msgpack event, [[time, {}], fields]. What stands under the key of verdicts is not the
// record's own.
func appendEvent(dst []byte, r plog.LogRecord, workload []byte, alertKey string, now time.Time) []byte {
	t := timeOf(r, now)
	dst = append(dst, 0x92, 0x92, 0xd7, 0x00)
	dst = binary.BigEndian.AppendUint32(dst, uint32(t.Unix()))
	dst = binary.BigEndian.AppendUint32(dst, uint32(t.Nanosecond()))
	dst = msgp.AppendMapHeader(dst, 0)
	return appendFields(dst, r, workload, alertKey)
}

// timeOf returns when the event has happened, as far as the record says.
func timeOf(r plog.LogRecord, now time.Time) time.Time {
	switch {
	case r.Timestamp() != 0:
		return r.Timestamp().AsTime()
	case r.ObservedTimestamp() != 0:
		return r.ObservedTimestamp().AsTime()
	}
	return now
}

func appendFields(dst []byte, r plog.LogRecord, workload []byte, alertKey string) []byte {
	body := r.Body()
	fields, isMap := pcommon.Map{}, body.Type() == pcommon.ValueTypeMap
	if isMap {
		fields = body.Map()
	}
	hasBody := !isMap && body.Type() != pcommon.ValueTypeEmpty
	shadowed := func(name string) bool {
		if isMap {
			return hasKey(fields, name)
		}
		return hasBody && name == bodyKey
	}

	head := len(dst)
	dst = append(dst, 0xdf, 0, 0, 0, 0) // a map whose size is filled in below
	size := uint32(0)
	for name, value := range r.Attributes().All() {
		if !shadowed(name) {
			dst, size = appendValue(msgp.AppendString(dst, name), value, 0), size+1
		}
	}
	if hasBody {
		dst, size = appendValue(msgp.AppendString(dst, bodyKey), body, 0), size+1
	}
	if isMap {
		for name, value := range fields.All() {
			if name != alertKey {
				dst, size = appendValue(msgp.AppendString(dst, name), value, 0), size+1
			}
		}
	}
	has := func(name string) bool { return shadowed(name) || hasKey(r.Attributes(), name) }
	if workload != nil && !has(workloadKey) {
		dst, size = append(msgp.AppendString(dst, workloadKey), workload...), size+1
	}
	if id := r.TraceID(); !id.IsEmpty() && !has(traceKey) {
		dst, size = msgp.AppendString(msgp.AppendString(dst, traceKey), id.String()), size+1
	}
	binary.BigEndian.PutUint32(dst[head+1:], size)
	return dst
}

func appendValue(dst []byte, v pcommon.Value, depth int) []byte {
	if depth == deepest {
		return msgp.AppendNil(dst)
	}
	switch v.Type() {
	case pcommon.ValueTypeStr:
		return msgp.AppendString(dst, v.Str())
	case pcommon.ValueTypeInt:
		return msgp.AppendInt64(dst, v.Int())
	case pcommon.ValueTypeDouble:
		return msgp.AppendFloat64(dst, v.Double())
	case pcommon.ValueTypeBool:
		return msgp.AppendBool(dst, v.Bool())
	case pcommon.ValueTypeBytes:
		return msgp.AppendBytes(dst, v.Bytes().AsRaw())
	case pcommon.ValueTypeSlice:
		dst = msgp.AppendArrayHeader(dst, uint32(v.Slice().Len()))
		for _, item := range v.Slice().All() {
			dst = appendValue(dst, item, depth+1)
		}
		return dst
	case pcommon.ValueTypeMap:
		dst = msgp.AppendMapHeader(dst, uint32(v.Map().Len()))
		for name, value := range v.Map().All() {
			dst = appendValue(msgp.AppendString(dst, name), value, depth+1)
		}
		return dst
	default:
		return msgp.AppendNil(dst)
	}
}

func hasKey(m pcommon.Map, name string) bool {
	_, has := m.Get(name)
	return has
}

// isVerdict reports whether an attribute is one of those that hold a verdict.
func isVerdict(name, alertKey string) bool {
	rest, is := strings.CutPrefix(name, alertKey)
	return is && alertKey != "" && (rest == "" || rest[0] == '.')
}
