// Package fieldmap turns the fields of a log record into a transaction: it knows under which keys a source logs what, and
// reads the raw heads of requests and responses.
package fieldmap

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
	Forward // client address that a proxy reports
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
	fieldCount
)

// names are the fields as key files and alerts write them.
var names = [fieldCount]string{
	Protocol7: "l7_protocol", Time: "begin_time", ClientIP: "src_ip", ClientPort: "src_port", ServerIP: "dst_ip",
	ServerPort: "dst_port", Forward: "forward", Method: "method", URI: "url", Version: "protocol", Host: "domain",
	UserAgent: "agent", Referer: "referer", Cookie: "cookie", Status: "retcode", RequestHead: "req_header",
	RequestBody: "req_body", ResponseHead: "rsp_header", ResponseBody: "rsp_body", Sensor: "host", Message: "message",
	Source: "source", Geo: "geoip",
}

// String returns the field's name.
func (f Field) String() string { return names[f] }

// Values are the fields of one record. Texts are views of the record or of the Values' own memory, valid until the next
// Read with the same Values.
type Values struct {
	texts   [fieldCount]string
	given   uint64
	scratch []byte // numbers written as text
}

// Get returns a field as text, "" when the record does not have it.
func (v *Values) Get(f Field) string { return v.texts[f] }

// Has reports whether the record has a field; it may be empty.
func (v *Values) Has(f Field) bool { return v.given&(1<<f) != 0 }

// Size returns the bytes of memory that the values hold on to.
func (v *Values) Size() int { return cap(v.scratch) }

func (v *Values) set(f Field, text string) {
	v.texts[f] = text
	v.given |= 1 << f
}

func (v *Values) reset() {
	v.texts = [fieldCount]string{}
	v.given = 0
	v.scratch = v.scratch[:0]
}
