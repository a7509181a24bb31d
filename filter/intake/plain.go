package intake

import (
	"bytes"
	"strings"
	"unsafe"

	"github.com/tinylib/msgp/msgp"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/accesslog"
)

// Plain says which texts become the record {"log": TEXT}, as Fluent Bit's input tail makes it of a line.
type Plain uint8

// What becomes of a text that does not start with an object.
const (
	NoPlain    Plain = iota // it is an error
	KnownPlain              // a line of an access log becomes a record, anything else is an error
	AllPlain                // it becomes a record
)

const lineKey = "log"

// ColumnsKey is the key in a record's metadata with the columns of its line, written as the directive #Fields of the W3C extended
// format.
const ColumnsKey = "w3c_fields"

// PlainOf returns what texts are in an input that starts with some bytes: those of a file of plain lines are all lines.
func PlainOf(start []byte) Plain {
	start = bytes.TrimLeft(bytes.TrimPrefix(start, byteOrderMark), " \t\r\n")
	if len(start) == 0 || start[0] == '{' {
		return KnownPlain
	}
	return AllPlain
}

// LastColumns returns the columns that lines behind a text have, when those before it had some others.
func LastColumns(text []byte, before *accesslog.Columns) *accesslog.Columns {
	directive := []byte("#Fields:")
	if !bytes.Contains(text, directive) { // which is fast, as finding the last one is not
		return before
	}
	for end := len(text); ; {
		at := bytes.LastIndex(text[:end], directive)
		if at < 0 {
			return before
		}
		if at == 0 || text[at-1] == '\n' {
			line, _, _ := bytes.Cut(text[at:], newline)
			if c, is := accesslog.ReadColumns(string(line)); is {
				return c
			}
		}
		end = at
	}
}

// line takes the text as one line. It reports false when it is to be read as JSON.
func (d *Decoder) line(dst []byte, sent Sent) (out []byte, records int, is bool) {
	d.blanks()
	text := d.text[d.at:]
	if len(text) == 0 || text[0] == '{' {
		return dst, 0, false
	}
	line := unsafe.String(unsafe.SliceData(text), len(text)) // for the calls below only
	if text[0] == '#' {
		if c, announces := accesslog.ReadColumns(line); announces {
			d.Columns = c
		}
	}
	format := accesslog.None
	if d.Plain != AllPlain || d.Columns != nil || text[0] == '#' {
		format = d.format(line)
	}
	switch {
	case format == accesslog.Directive:
		return dst, 0, true
	case format == accesslog.None && d.Plain != AllPlain && !holdsObject(line):
		return dst, 0, false
	}
	if format == accesslog.W3C && d.Columns != nil {
		dst = msgp.AppendString(msgp.AppendString(appendHead(dst, &sent, 1), ColumnsKey), d.Columns.String())
	} else {
		dst = appendHead(dst, &sent, 0)
	}
	body := len(dst)
	dst = append(dst, map32, 0, 0, 0, 1)
	dst = msgp.AppendStringFromBytes(msgp.AppendString(dst, lineKey), bytes.TrimRight(text, "\r"))
	return d.appendAddress(dst, body, sent), 1, true
}

func (d *Decoder) format(line string) accesslog.Format {
	var reading accesslog.Reading
	d.sketch, reading = accesslog.Append(d.sketch[:0], line, d.Columns)
	return reading.Format
}

// holdsObject reports whether a line has an object behind the header of a log protocol.
func holdsObject(line string) bool {
	rest := accesslog.TrimPrefix(line)
	return len(rest) < len(line) && strings.HasPrefix(rest, "{") && strings.HasSuffix(strings.TrimRight(rest, " \t\r\n"), "}")
}
