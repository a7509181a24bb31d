package intake

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"net/netip"
	"time"

	"github.com/tinylib/msgp/msgp"
)

// Sent says where a text comes from and when it was received.
type Sent struct {
	From netip.Addr // the zero value where there is no sender to name
	At   time.Time
}

// AppendEvents decodes the JSON objects of a text, one behind the other with or without spaces, commas not allowed, and
// appends an event [[time, {}], object] for each. At the first byte that is not JSON it stops with a *SyntaxError; the
// objects before it count.
func (d *Decoder) AppendEvents(dst, text []byte, received time.Time) (out []byte, records int, err error) {
	return d.AppendSent(dst, text, Sent{At: received})
}

// AppendSent is AppendEvents with the sender's address for the shape of records. Where that keeps what is no JSON, the text from
// the object with the error on is one more record.
func (d *Decoder) AppendSent(dst, text []byte, sent Sent) (out []byte, records int, err error) {
	out, _, records, err = d.AppendSome(dst, text, 0, math.MaxInt, sent)
	return out, records, err
}

// AppendSome is AppendSent from an offset in the text on. It stops behind the first object with which dst has enough bytes, and
// returns where: the next call goes on from there, until that is the length of the text. A small object makes a much larger event.
func (d *Decoder) AppendSome(dst, text []byte, from, enough int, sent Sent) (out []byte, next, records int, err error) {
	d.text, d.at = text, from
	if from == 0 && bytes.HasPrefix(text, byteOrderMark) {
		d.at = len(byteOrderMark)
	}
	defer d.release()
	if from == 0 && d.Plain != NoPlain {
		if out, records, is := d.line(dst, sent); is {
			return out, len(text), records, nil
		}
	}
	for d.blanks(); d.at < len(text); d.blanks() {
		if records > 0 && len(dst) >= enough {
			return dst, d.at, records, nil
		}
		start, from := len(dst), d.at
		if dst, err = d.event(dst, sent); err == nil {
			records++
			continue
		}
		dst = dst[:start]
		if d.Shape.KeepInvalid {
			dst = d.appendInvalid(dst, text[from:], behind(err, from), sent)
			records++
		}
		return dst, len(text), records, err
	}
	return dst, len(text), records, nil
}

// behind returns err with its place counted from an offset on.
func behind(err error, offset int) error {
	var place *SyntaxError
	if !errors.As(err, &place) {
		return err
	}
	return &SyntaxError{place.Offset - offset, place.Want}
}

// event appends the event of the object at the current place. On an error dst has grown by a part of it.
func (d *Decoder) event(dst []byte, sent Sent) ([]byte, error) {
	dst = appendHead(dst, sent.At)
	body := len(dst)
	d.time = time.Time{}
	dst, err := d.object(dst)
	if err != nil {
		return dst, err
	}
	if !d.time.IsZero() {
		putTime(dst[body-timeBehind:], d.time)
	}
	return d.appendAddress(dst, body, sent), nil
}

// appendAddress adds the sender to the map that starts at body, whose header is as wide as container writes it.
func (d *Decoder) appendAddress(dst []byte, body int, sent Sent) []byte {
	if d.Shape.AddressKey == "" || !sent.From.IsValid() {
		return dst
	}
	size := dst[body+1:]
	binary.BigEndian.PutUint32(size, binary.BigEndian.Uint32(size)+1)
	dst = msgp.AppendString(dst, d.Shape.AddressKey)
	var text [64]byte
	return msgp.AppendStringFromBytes(dst, sent.From.AppendTo(text[:0]))
}

// Keys of the record of a text that is no JSON.
const (
	rawKey   = "_raw"
	errorKey = "_error"
)

func (d *Decoder) appendInvalid(dst, text []byte, reason error, sent Sent) []byte {
	dst = appendHead(dst, sent.At)
	body := len(dst)
	dst = append(dst, map32, 0, 0, 0, 2)
	dst = msgp.AppendString(dst, rawKey)
	dst = msgp.AppendStringFromBytes(dst, text)
	dst = msgp.AppendString(dst, errorKey)
	dst = msgp.AppendString(dst, reason.Error())
	return d.appendAddress(dst, body, sent)
}

// AppendInvalid appends the record of something that could not even be read as text, when the shape of records keeps such.
func (d *Decoder) AppendInvalid(dst, sentBytes []byte, reason error, sent Sent) (out []byte, records int) {
	if !d.Shape.KeepInvalid {
		return dst, 0
	}
	return d.appendInvalid(dst, sentBytes, reason, sent), 1
}

// byteOrderMark is what some programs write before the first line.
var byteOrderMark = []byte("\ufeff")

// largeScratch is the size in bytes from which scratch memory is left to the garbage collector.
const largeScratch = 1 << 20

func (d *Decoder) release() {
	d.text = nil
	if cap(d.unquote) > largeScratch {
		d.unquote = nil
	}
	if cap(d.sketch) > largeScratch {
		d.sketch = nil
	}
}

// timeBehind is how many bytes before the body of an event its time starts.
const timeBehind = 9

// appendHead appends what stands before the body of an event: array headers, an EventTime and empty metadata.
func appendHead(dst []byte, t time.Time) []byte {
	dst = append(dst, 0x92, 0x92, 0xd7, 0x00, 0, 0, 0, 0, 0, 0, 0, 0, 0x80)
	putTime(dst[len(dst)-timeBehind:], t)
	return dst
}

func putTime(dst []byte, t time.Time) {
	binary.BigEndian.PutUint32(dst, uint32(t.Unix()))
	binary.BigEndian.PutUint32(dst[4:], uint32(t.Nanosecond()))
}
