package intake

import (
	"bytes"
	"encoding/binary"
	"time"
)

// AppendEvents decodes the JSON objects of a text, one behind the other with or without blanks, commas not allowed, and
// appends an event [[time, {}], object] for each. At the first byte that is not JSON it stops with a *SyntaxError; the
// objects before it count.
func (d *Decoder) AppendEvents(dst, text []byte, received time.Time) (out []byte, records int, err error) {
	d.text, d.at = text, 0
	if bytes.HasPrefix(text, byteOrderMark) {
		d.at = len(byteOrderMark)
	}
	defer d.release()
	for d.blanks(); d.at < len(text); d.blanks() {
		start := len(dst)
		if dst, err = d.object(appendHead(dst, received)); err != nil {
			return dst[:start], records, err
		}
		records++
	}
	return dst, records, nil
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
}

// appendHead appends what stands before the body of an event: array headers, an EventTime and empty metadata.
func appendHead(dst []byte, t time.Time) []byte {
	dst = append(dst, 0x92, 0x92, 0xd7, 0x00)
	dst = binary.BigEndian.AppendUint32(dst, uint32(t.Unix()))
	dst = binary.BigEndian.AppendUint32(dst, uint32(t.Nanosecond()))
	return append(dst, 0x80)
}
