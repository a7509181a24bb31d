package alert

import (
	"math"
	"strings"
	"unicode/utf8"

	jsoniter "github.com/json-iterator/go"
	"github.com/tinylib/msgp/msgp"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/visible"
)

// maxDepth bounds how deep JSON is written; what lies deeper becomes null.
const maxDepth = 64

// JSON returns a msgpack value as one line of JSON, keys in the order of the map. Texts that are not UTF-8 are mended, control
// characters escaped.
func JSON(value []byte) []byte {
	stream := jsoniter.ConfigDefault.BorrowStream(nil)
	defer jsoniter.ConfigDefault.ReturnStream(stream)
	writeJSON(stream, value, 0)
	return append([]byte(nil), stream.Buffer()...)
}

func writeJSON(s *jsoniter.Stream, value []byte, depth int) {
	if text, isText := record.Text(value); isText {
		writeText(s, text)
		return
	}
	switch msgp.NextType(value) {
	case msgp.MapType:
		writeObject(s, value, depth)
	case msgp.ArrayType:
		writeArray(s, value, depth)
	case msgp.BoolType:
		b, _, _ := msgp.ReadBoolBytes(value)
		s.WriteBool(b)
	case msgp.IntType:
		n, _, _ := msgp.ReadInt64Bytes(value)
		s.WriteInt64(n)
	case msgp.UintType:
		n, _, _ := msgp.ReadUint64Bytes(value)
		s.WriteUint64(n)
	case msgp.Float32Type, msgp.Float64Type:
		f, _, _ := msgp.ReadFloat64Bytes(value)
		if math.IsNaN(f) || math.IsInf(f, 0) {
			s.WriteNil()
			return
		}
		s.WriteFloat64(f)
	default:
		s.WriteNil()
	}
}

func writeObject(s *jsoniter.Stream, value []byte, depth int) {
	pairs, isMap := record.ReadMap(value)
	if !isMap || depth == maxDepth {
		s.WriteNil()
		return
	}
	s.WriteObjectStart()
	first := true
	for pairs.Next() {
		if !pairs.IsKey {
			continue // JSON has no other keys
		}
		if !first {
			s.WriteMore()
		}
		first = false
		writeText(s, pairs.Key)
		s.WriteRaw(":")
		writeJSON(s, pairs.Value, depth+1)
	}
	s.WriteObjectEnd()
}

func writeArray(s *jsoniter.Stream, value []byte, depth int) {
	items, isArray := record.ReadArray(value)
	if !isArray || depth == maxDepth {
		s.WriteNil()
		return
	}
	s.WriteArrayStart()
	first := true
	for items.Next() {
		if !first {
			s.WriteMore()
		}
		first = false
		writeJSON(s, items.Value, depth+1)
	}
	s.WriteArrayEnd()
}

// writeText replaces what is no UTF-8, DEL and the C1 controls, which terminals obey, and controls of the direction of text;
// JSON's own escapes serve the rest.
func writeText(s *jsoniter.Stream, text string) {
	if !isASCII(text) {
		text = mended(text)
	}
	s.WriteString(text)
}

// isASCII reports whether a text has nothing but ASCII without DEL.
func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= 0x7f {
			return false
		}
	}
	return true
}

func mended(text string) string {
	text = strings.ToValidUTF8(text, replacement)
	if strings.ContainsFunc(text, isTerminalControl) {
		text = strings.Map(func(r rune) rune {
			if isTerminalControl(r) {
				return utf8.RuneError
			}
			return r
		}, text)
	}
	return text
}

const replacement = string(utf8.RuneError)

func isTerminalControl(r rune) bool { return r >= 0x7f && r < 0xa0 || visible.IsBidi(r) }
