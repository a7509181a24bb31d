package fieldmap

import (
	"slices"
	"strings"
	"unsafe"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/accesslog"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/intake"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
)

// Collectors put the record of a source into another one: below a key, as a map, as JSON text or as the plain line of the log. A
// record that no map fits is searched for one. Only such a record pays for the search.

// envelopes are the keys under which a record may hold another one, in the order in which they are tried: those that hold parsed
// records come first.
var envelopes = [...]string{"log_processed", "jsonPayload", "log", "message", "MESSAGE", "textPayload"}

// requestsKey holds a list of records.
const requestsKey = "records"

const (
	maxEnvelopes   = 3       // one in the other
	maxOpened      = 20      // of one record: a sender may repeat keys, and each that is opened has keys to be looked up
	maxInsideDepth = 64      // levels of JSON text
	maxInsideText  = 1 << 20 // bytes of a text
	// MaxRequests is how many records of a list are read.
	MaxRequests = 10_000
)

// Results of Choice.Read besides the place of a map.
const (
	// NoMap is what Read returns for a record that no map fits.
	NoMap = -1
	// Several is what Read returns for a record that holds a list of records, which Requests returns.
	Several = -2
)

// Inside says where in a record the values were read. Its zero value is the record itself.
type Inside struct {
	Path      string             // of the key that holds what was read, with dots between nested keys
	Body      []byte             // what was read, as a msgpack map: a view of the record or of the Values' own memory
	Columns   *accesslog.Columns // that the record announces
	IsLine    bool               // the record holds a text that is no JSON object, read or not
	requests  [][]byte
	truncated bool // there are more requests
}

// inner is what Values need to read a record inside another one.
type inner struct {
	Inside
	columns  *accesslog.Columns // in force, for lines that need them
	metadata []byte             // of the record; it may say them instead
	noted    *accesslog.Columns // what it said last
	decoder  intake.Decoder
	decoded  []byte // texts as msgpack
	pairs    []pair
	opened   int // envelopes
}

// size returns the bytes of memory that are held on to.
func (in *inner) size() int {
	const header, pairSize = 24, 40
	return cap(in.decoded) + header*cap(in.requests) + pairSize*cap(in.pairs)
}

// Inside returns where the record that was read last held what was read.
func (v *Values) Inside() *Inside { return &v.inner.Inside }

// SetColumns says which columns lines of the W3C extended format have that are read next. With nil they have those that the
// record's metadata says, when it does.
func (v *Values) SetColumns(c *accesslog.Columns) { v.inner.columns = c }

// Requests returns the bodies of the records in the list that was read last, MaxRequests at most; all says whether these are all.
func (v *Values) Requests() (bodies [][]byte, all bool) {
	return v.inner.requests, !v.inner.truncated
}

// OwnRequests is Requests with memory of its own: reading one of them leaves the others as they are.
func (v *Values) OwnRequests() [][]byte {
	own := make([][]byte, len(v.inner.requests))
	for i, body := range v.inner.requests {
		own[i] = slices.Clone(body)
	}
	return own
}

// readInside reads a record that stands inside the one whose pairs were split.
func (c *Choice) readInside(v *Values) int {
	if len(c.maps) < 2 { // the only map is used for every record
		return NoMap
	}
	in := &v.inner
	in.decoded, in.opened = in.decoded[:0], 0
	outer, layout := v.pairs, v.layout
	at := c.search(v, outer, "", maxEnvelopes)
	v.pairs, v.layout, in.pairs = outer, layout, v.pairs[:0]
	return at
}

// search tries the envelopes of a record in turn. The pairs of the record are left alone.
func (c *Choice) search(v *Values, pairs []pair, path string, levels int) int {
	if levels == 0 {
		return NoMap
	}
	for _, key := range envelopes {
		for i := len(pairs) - 1; i >= 0; i-- { // of a key that is repeated the last one counts, as for JSON readers
			if pairs[i].key != key {
				continue
			}
			if at := c.open(v, pairs[i].value, join(path, key), levels); at != NoMap {
				return at
			}
		}
	}
	for i := range pairs {
		if pairs[i].key == requestsKey && v.list(pairs[i].value, join(path, requestsKey)) {
			return Several
		}
	}
	return NoMap
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// open reads what an envelope holds, when a map fits it or something inside it.
func (c *Choice) open(v *Values, value []byte, path string, levels int) int {
	if v.inner.opened++; v.inner.opened > maxOpened {
		return NoMap
	}
	body, cut := value, false
	if text, isText := record.Text(value); isText {
		if body, cut = v.inner.text(text); body == nil {
			return NoMap
		}
	}
	mine := v.inner.pairs
	if levels < maxEnvelopes {
		mine = nil // the other ones are in use
	}
	v.pairs = mine[:0]
	if !v.split(nil, body) {
		return NoMap
	}
	if at := c.choose(v); at != NoMap {
		v.inner.Path, v.inner.Body = path, body
		if cut {
			v.partial |= asHeaders.part()
		}
		return at
	}
	return c.search(v, v.pairs, path, levels-1)
}

// columnsOfLine returns the columns of a line, nil when they are not known.
func (in *inner) columnsOfLine() *accesslog.Columns {
	if in.columns != nil || len(in.metadata) < 2 {
		return in.columns
	}
	text, _ := record.Text(record.Get(in.metadata, intake.ColumnsKey))
	if text == "" {
		return nil
	}
	if in.noted == nil || in.noted.String() != text {
		in.noted, _ = accesslog.ReadColumns(text)
	}
	return in.noted
}

// text returns the record in a text, nil when there is none: a JSON object, or a line of an access log.
func (in *inner) text(text string) (body []byte, cut bool) {
	if len(text) > maxInsideText {
		return nil, false
	}
	start := len(in.decoded)
	line := accesslog.TrimPrefix(text)
	if strings.HasPrefix(strings.TrimLeft(line, " \t\r\n"), "{") {
		bytes := unsafe.Slice(unsafe.StringData(line), len(line)) // only read
		decoded, err := in.decoder.AppendObject(in.decoded, bytes, maxInsideDepth)
		if err != nil {
			return nil, false
		}
		in.decoded = decoded
		return in.decoded[start:], false
	}
	in.IsLine = true
	if c, is := accesslog.ReadColumns(line); is {
		in.Columns = c
		return nil, false
	}
	decoded, reading := accesslog.Append(in.decoded, text, in.columnsOfLine())
	in.decoded = decoded
	if len(decoded) == start {
		return nil, false
	}
	return decoded[start:], reading.Cut
}

// list takes the records of a list. It reports false for anything else, and for a list without a record.
func (v *Values) list(value []byte, path string) bool {
	items, isArray := record.ReadArray(value)
	if !isArray {
		return false
	}
	v.inner.Path = path
	for items.Next() {
		if pairs, isMap := record.ReadMap(items.Value); !isMap || pairs.Len() == 0 {
			continue
		}
		if len(v.inner.requests) == MaxRequests {
			v.inner.truncated = true
			break
		}
		v.inner.requests = append(v.inner.requests, items.Value)
	}
	return len(v.inner.requests) > 0
}
