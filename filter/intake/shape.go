package intake

import (
	"encoding/base64"
	"math"
	"time"
	"unsafe"

	"github.com/tinylib/msgp/msgp"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/logtime"
)

// Shape says how records differ from what was sent. Its zero value leaves them as they were sent.
type Shape struct {
	AddressKey  string         // key that is added, with the sender's address; "" adds none
	TimeKey     string         // top-level key whose value becomes the time of the event, and stays; "" takes the time of receipt
	Zone        *time.Location // of times that name none; nil is UTC
	Base64Keys  []string       // top-level keys whose texts are base64 and are decoded
	KeepInvalid bool           // what is no JSON becomes a record of its own, with the keys _raw and _error
}

// member looks at a pair of the topmost object, whose key and value are in dst from the offsets given, and changes what the
// shape of records asks for.
func (d *Decoder) member(dst []byte, key, value int) []byte {
	if d.Shape.TimeKey == "" && len(d.Shape.Base64Keys) == 0 {
		return dst
	}
	name, _, err := msgp.ReadStringZC(dst[key:value])
	if err != nil {
		return dst
	}
	if string(name) == d.Shape.TimeKey && d.Shape.TimeKey != "" {
		if t, ok := readTime(dst[value:], d.Shape.Zone); ok {
			d.time = t
		} else {
			d.Untimed++
		}
	}
	for _, k := range d.Shape.Base64Keys {
		if string(name) == k {
			return d.plain(dst, value)
		}
	}
	return dst
}

// plain puts a decoded text in the place of one that is base64. Any other value stays.
func (d *Decoder) plain(dst []byte, value int) []byte {
	coded, _, err := msgp.ReadStringZC(dst[value:])
	if err != nil {
		return dst
	}
	if d.unquote, err = decodeBase64(d.unquote[:0], coded); err != nil {
		return dst
	}
	return msgp.AppendStringFromBytes(dst[:value], d.unquote)
}

// decodeBase64 appends what a base64 text holds, in the standard or the URL alphabet, with or without padding.
func decodeBase64(dst, coded []byte) ([]byte, error) {
	for len(coded) > 0 && coded[len(coded)-1] == '=' {
		coded = coded[:len(coded)-1]
	}
	alphabet := base64.RawStdEncoding
	for _, c := range coded {
		if c == '-' || c == '_' {
			alphabet = base64.RawURLEncoding
			break
		}
	}
	return alphabet.AppendDecode(dst, coded)
}

// readTime reads the value of a time key: a text as logs write times, or a number since 1970.
func readTime(value []byte, zone *time.Location) (t time.Time, ok bool) {
	switch msgp.NextType(value) {
	case msgp.StrType:
		text, _, err := msgp.ReadStringZC(value)
		if err != nil {
			return t, false
		}
		t, ok = logtime.Parse(unsafe.String(unsafe.SliceData(text), len(text)), zone) // keeps nothing of the text
	case msgp.IntType, msgp.UintType:
		n, _, err := msgp.ReadInt64Bytes(value)
		if err != nil {
			return t, false
		}
		t, ok = logtime.FromInt(n)
	case msgp.Float64Type:
		f, _, err := msgp.ReadFloat64Bytes(value)
		if err != nil {
			return t, false
		}
		t, ok = logtime.FromFloat(f)
	}
	return t, ok && inRange(t)
}

// inRange reports whether the time of an event, whose seconds are 32 bits without sign, can be t.
func inRange(t time.Time) bool { return t.Unix() > 0 && t.Unix() <= math.MaxUint32 }
