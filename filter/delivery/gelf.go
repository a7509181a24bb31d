package delivery

import (
	"fmt"
	"strconv"
	"time"

	jsoniter "github.com/json-iterator/go"
)

// The bounds of what makes up a GELF document. The lower bound of a document leaves room for the members that GELF demands.
const (
	minGELF         = 4096
	maxShortMessage = 1024
)

// gelfMark marks a shortened document: GELF has texts and numbers only.
const gelfMark = `"_shortened":"true"`

// gelfFormat makes GELF 1.1 documents of alerts.
type gelfFormat struct {
	machine  string // name of this machine
	limit    int    // bytes of a document
	counters *counters
}

// document returns the GELF document of an alert: of an object every value as an additional field, unless it is a GELF
// document already; of other text the text as the message.
func (f *gelfFormat) document(m *Message) []byte {
	text := oneLine(m.JSON)
	doc, isJSON := parseDocument(text)
	if isJSON && isGELF(doc) && len(text) <= f.limit {
		return text
	}
	head := gelfHead{host: quote(hostName(m.Host, f.machine)), time: gelfTime(m.Time), level: strconv.Itoa(severityOf(m))}
	fields := newGELFFields()
	switch {
	case isJSON && isGELF(doc):
		head.take(doc)
		fields.addGELF(doc)
	case isJSON:
		head.message = shortMessage(doc)
		fields.addItems(doc, "")
	default:
		head.message = quote(text)
		fields.add("full_message", head.message)
	}
	return f.join(head, fields.object())
}

// join writes the members that GELF demands and as much of the others as the limit allows.
func (f *gelfFormat) join(head gelfHead, fields []byte) []byte {
	doc := head.append(nil)
	fields, isShortened := shorten(fields, f.limit-len(doc), gelfMark)
	if isShortened {
		f.counters.shortened.Add(1)
	}
	if len(fields) == len("{}") {
		return doc
	}
	doc[len(doc)-1] = ','
	return append(doc, fields[1:]...)
}

func isGELF(doc *value) bool {
	version, host, message := doc.member("version"), doc.member("host"), doc.member("short_message")
	return version != nil && string(version.text) == `"1.1"` &&
		host != nil && host.kind == '"' && message != nil && message.kind == '"'
}

// gelfHead holds the members that GELF defines, as JSON.
type gelfHead struct {
	host, message []byte
	time, level   string
}

// take prefers what a GELF document says.
func (h *gelfHead) take(doc *value) {
	h.host = doc.member("host").text
	h.message = doc.member("short_message").text
	if v := doc.member("timestamp"); v != nil && v.isNumber() {
		h.time = string(v.text)
	}
	if v := doc.member("level"); v != nil && v.isNumber() {
		h.level = string(v.text)
	}
}

func (h *gelfHead) append(dst []byte) []byte {
	return fmt.Appendf(dst, `{"version":"1.1","host":%s,"short_message":%s,"timestamp":%s,"level":%s}`,
		cutQuoted(h.host, maxHostname), cutQuoted(h.message, maxShortMessage), h.time, h.level)
}

// gelfTime is seconds since 1970 with milliseconds.
func gelfTime(t time.Time) string {
	if t.IsZero() {
		t = time.Now()
	}
	return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', 3, 64)
}

// shortMessage is what an alert says in one line, as a JSON string: the rule's message, wherever its format has it.
func shortMessage(doc *value) []byte {
	candidates := []*value{doc.member("msg")}
	for i := range doc.items {
		candidates = append(candidates, doc.items[i].member("msg"))
	}
	candidates = append(candidates, doc.at("rule", "name"), doc.at("finding_info", "title"),
		doc.at("transaction", "messages", "0", "message"), doc.member("message"))
	for _, v := range candidates {
		if v != nil && v.kind == '"' && len(v.text) > len(`""`) {
			return v.text
		}
	}
	return []byte(`"web attack"`)
}

// quote returns clean text as a JSON string.
func quote[T string | []byte](text T) []byte {
	quoted, _ := jsoniter.ConfigFastest.Marshal(string(text)) // cannot fail for a string
	return quoted
}
