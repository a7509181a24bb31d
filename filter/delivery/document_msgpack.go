package delivery

import (
	"strconv"

	jsoniter "github.com/json-iterator/go"
	"github.com/tinylib/msgp/msgp"
)

// appendMsgpack writes the value as msgpack. A whole number becomes an integer if one of 64 bits holds it.
func (v *value) appendMsgpack(dst []byte) []byte {
	switch v.kind {
	case '{':
		dst = msgp.AppendMapHeader(dst, uint32(len(v.items)))
		for i := range v.items {
			dst = msgp.AppendString(dst, unquote(`"`+string(v.items[i].key)+`"`))
			dst = v.items[i].appendMsgpack(dst)
		}
		return dst
	case '[':
		dst = msgp.AppendArrayHeader(dst, uint32(len(v.items)))
		for i := range v.items {
			dst = v.items[i].appendMsgpack(dst)
		}
		return dst
	case '"':
		return msgp.AppendString(dst, unquote(string(v.text)))
	default:
		return appendLiteral(dst, string(v.text))
	}
}

// appendLiteral writes null, true, false or a number.
func appendLiteral(dst []byte, text string) []byte {
	switch text {
	case "null":
		return msgp.AppendNil(dst)
	case "true", "false":
		return msgp.AppendBool(dst, text == "true")
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return msgp.AppendInt64(dst, n)
	}
	if n, err := strconv.ParseUint(text, 10, 64); err == nil {
		return msgp.AppendUint64(dst, n)
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return msgp.AppendString(dst, text) // beyond what a float holds
	}
	return msgp.AppendFloat64(dst, n)
}

// unquote returns what a valid JSON string says.
func unquote(quoted string) string {
	var text string
	_ = jsoniter.ConfigFastest.UnmarshalFromString(quoted, &text)
	return text
}
