// Package fieldmap turns the fields of a log record into a transaction. A field map knows under which keys a source
// logs what; the built-in ones are tried in turn until one fits. The package also reads the raw heads of requests and
// responses, and finds the client behind trusted proxies.
package fieldmap

import "github.com/fluent-bit-waf/fluent-bit-waf/rules"

// Field is something that a log can say of a transaction.
type Field uint8

// The fields of a transaction, as named in field maps.
const (
	Protocol7 Field = iota // application protocol; anything but http is not a transaction
	Time                   // begin of the transaction
	ClientIP
	ClientPort
	ServerIP
	ServerPort
	Forward // client address reported by a proxy
	Method
	URI
	Version // HTTP version, for instance HTTP/1.1
	Host    // Host header
	UserAgent
	Referer
	Cookie
	Status
	RequestHead  // start line and header lines as sent
	RequestBody  //
	ResponseHead // status line and header lines as sent
	ResponseBody //
	Sensor       // host that made the record
	Message      // operator's label
	Source       // source's label
	Geo          // geographic origin
	Action       // what the source has done with the request, for instance BLOCK
	ServerName   // requested host, if the Host header is not logged as sent
	date         // of the time, where that has only the time of day
	path         // request target before the question mark, where it is logged in two parts
	query        // request target after the question mark
	fieldCount
)

// names are the fields as key files and alerts write them.
var names = [fieldCount]string{
	Protocol7: "l7_protocol", Time: "begin_time", ClientIP: "src_ip", ClientPort: "src_port", ServerIP: "dst_ip",
	ServerPort: "dst_port", Forward: "forward", Method: "method", URI: "url", Version: "protocol", Host: "domain",
	UserAgent: "agent", Referer: "referer", Cookie: "cookie", Status: "retcode", RequestHead: "req_header",
	RequestBody: "req_body", ResponseHead: "rsp_header", ResponseBody: "rsp_body", Sensor: "host", Message: "message",
	Source: "source", Geo: "geoip", Action: "action", ServerName: "server_name", date: "date", path: "path", query: "query",
}

// String returns the field's name.
func (f Field) String() string { return names[f] }

// Values are the fields of one record. Texts are views of the record or of the Values' own memory, valid until the next
// Read with the same Values.
type Values struct {
	source   *Map // that the record was read with
	proxies  Proxies
	ownPorts [2]string // that stand beside the addresses of client and server
	pseudo   pseudoHeaders
	urlHost  string // of the URL that the source makes of request targets
	texts    [fieldCount]string
	ranks    [fieldCount]uint8 // place of the key that gave a text among its alternatives
	given    uint64

	requestList  headerValues
	responseList headerValues
	arguments    []rules.Header
	slots        []slot      // of headers and arguments with a name of their own in the map
	lost         rules.Parts // that the source does not tell of this record, though it has a place for them
	notSent      rules.Parts // headers without a field that have a key, and that is empty
	unescaped    uint64      // fields that were logged without their escapes, as bits
	mayBeRaw     bool        //// the path may be one without escapes
	noVersion    bool        // the request line has no version
	absolute     bool        // the source makes absolute URLs of request targets
	untyped      bool        // the type of the request body is a guess
	partial      rules.Partial

	inner   inner
	pairs   []pair
	layout  *layout                // of the record, nil when it has too many keys
	recent  [recentLayouts]*layout // that are straight, the newest first
	scratch []byte                 // texts that are not in the record as they are
	own     [ownTexts][]byte
}

// headerValues are the headers that a record has in a list, a map, or under keys with a prefix.
type headerValues struct {
	list  []rules.Header
	whole bool // the list has every header that was sent
}

// slot is a header or argument that has a name of its own in the map.
type slot struct {
	text  string
	rank  uint8
	given bool
}

// Get returns a field as text, "" when the record does not have it.
func (v *Values) Get(f Field) string { return v.texts[f] }

// Has reports whether the record has a field; it may be empty.
func (v *Values) Has(f Field) bool { return v.given&(1<<f) != 0 }

// Map returns the name of the map that the record was read with.
func (v *Values) Map() string { return v.source.Name }

// Size returns the bytes of memory that the values hold on to.
func (v *Values) Size() int {
	const header, pairSize = 32, 40
	size := cap(v.scratch) + header*(cap(v.requestList.list)+cap(v.responseList.list)+cap(v.arguments)) + pairSize*cap(v.pairs) + v.inner.size()
	for i := range v.own {
		size += cap(v.own[i])
	}
	return size
}

// set stores a text that comes from the alternative with a rank. The first alternative with a text wins; a later key of the
// same rank replaces an earlier one, as JSON readers do.
func (v *Values) set(f Field, text string, rank uint8) {
	if v.given&(1<<f) != 0 && v.texts[f] != "" && (text == "" || rank > v.ranks[f]) {
		return
	}
	v.texts[f], v.ranks[f] = text, rank
	v.given |= 1 << f
	v.unescaped &^= 1 << f
}

func (v *Values) reset(m *Map) {
	v.source = m
	v.texts = [fieldCount]string{}
	v.ownPorts, v.pseudo, v.urlHost = [2]string{}, pseudoHeaders{}, ""
	v.given = 0
	v.requestList = headerValues{list: v.requestList.list[:0]}
	v.responseList = headerValues{list: v.responseList.list[:0]}
	v.arguments = v.arguments[:0]
	v.lost, v.notSent, v.partial, v.unescaped = 0, 0, 0, 0
	v.mayBeRaw, v.noVersion, v.absolute, v.untyped = false, false, false, false
	v.scratch = v.scratch[:0]
	if cap(v.slots) < len(m.slots) {
		v.slots = make([]slot, len(m.slots))
	}
	v.slots = v.slots[:len(m.slots)]
	clear(v.slots)
	for i := range m.constants {
		v.texts[m.constants[i].field] = m.constants[i].text
		v.given |= 1 << m.constants[i].field
		v.ranks[m.constants[i].field] = lastRank
	}
}
