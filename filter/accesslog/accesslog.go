// Package accesslog reads the plain lines that web servers, proxies and load balancers write of requests: the common and combined
// formats of Apache and nginx with or without a virtual host, HAProxy's HTTP log, the text formats of Envoy and Istio, AWS load
// balancers, and the W3C extended format of IIS and CloudFront.
//
// A line gives a record whose keys the built-in field maps know; its values keep the escapes of the log, which the map undoes.
// Reading is strict, because a part taken for another would hide what it holds: a line that does not follow its format up to the
// status of the response gives no record at all. What stands behind that and cannot be read is skipped, and the line counts as
// cut.
package accesslog

import (
	"strings"

	"github.com/tinylib/msgp/msgp"
)

// Format is how a line is written.
type Format uint8

// The formats.
const (
	None      Format = iota // no request, or not known
	Common                  // common and combined, with what servers add in front and behind
	HAProxy                 // HTTP log
	Envoy                   // default text format, and Istio's
	AWS                     // application and classic load balancers
	W3C                     // extended format
	Directive               // a line of the extended format that starts with #, and is no request
)

// Reading says what was read from a line.
type Reading struct {
	Format Format
	Cut    bool // something of the request was logged and not read: the line ends early, or its end is malformed
}

// MaxLine is the size in bytes from which a line is not read.
const MaxLine = 1 << 20

// Append appends the record of a line as a msgpack map, and nothing when the line is no request. Columns are those of the
// extended format that are in force, nil when none are known; then the default columns of IIS and CloudFront are tried.
func Append(dst []byte, line string, columns *Columns) ([]byte, Reading) {
	if len(line) > MaxLine {
		return dst, Reading{}
	}
	line, cut := trimPrefixes(strings.TrimRight(line, "\r\n\x00"))
	w := newWriter(dst)
	format := w.line(line, columns)
	if format == None || format == Directive {
		return w.dst[:w.start], Reading{Format: format} // the memory may be new
	}
	return w.end(), Reading{format, cut || w.cut}
}

// TrimPrefix takes off what syslog and container runtimes write before a line.
func TrimPrefix(line string) string {
	rest, _ := trimPrefixes(line)
	return rest
}

// line reads a line in the first format that it has.
func (w *writer) line(line string, columns *Columns) Format {
	switch {
	case strings.HasPrefix(line, "#"):
		if isDirective(line) {
			return Directive
		}
	case columns != nil && w.w3c(line, columns):
		return W3C
	case strings.IndexByte(line, '"') < 0:
		if w.w3cDefault(line) {
			return W3C
		}
	case w.envoy(line):
		return Envoy
	case w.common(line):
		return Common
	case w.haproxy(line):
		return HAProxy
	case w.aws(line):
		return AWS
	case w.w3cDefault(line):
		return W3C
	}
	return None
}

// writer writes a record.
type writer struct {
	dst   []byte
	start int // of the map
	pairs int
	cut   bool
}

func newWriter(dst []byte) *writer {
	return &writer{dst: append(dst, map16, 0, 0), start: len(dst)}
}

const map16 = 0xde

func (w *writer) add(key, value string) {
	w.key(key)
	w.dst = msgp.AppendString(w.dst, value)
}

func (w *writer) key(key string) {
	w.dst = msgp.AppendString(w.dst, key)
	w.pairs++
}

// reset takes back what was added, for the next format.
func (w *writer) reset() bool {
	w.dst, w.pairs, w.cut = w.dst[:w.start+3], 0, false
	return false
}

func (w *writer) end() []byte {
	w.dst[w.start+1], w.dst[w.start+2] = byte(w.pairs>>8), byte(w.pairs)
	return w.dst
}
