package prefilter

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"strings"
	"unicode"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter/variables"
)

// maker makes random transactions in which names, limits and encodings are as awkward as an attacker can make them, from a seed.
type maker struct {
	*rand.Rand
	limits *variables.Limits // of the engine, which some transactions reach
}

func newMaker(seed uint64, l *variables.Limits) maker {
	return maker{rand.New(rand.NewPCG(seed, 19)), l}
}

func (m maker) pick(list ...string) string { return list[m.IntN(len(list))] }

func (m maker) once(in int) bool { return m.IntN(in) == 0 }

// seldom is one of some texts once in so many times, and empty otherwise.
func (m maker) seldom(times int, list ...string) string {
	if m.once(times) {
		return m.pick(list...)
	}
	return ""
}

// several puts up to so many parts behind each other.
func (m maker) several(most int, part func() string) string {
	var b strings.Builder
	for range m.IntN(most + 1) {
		b.WriteString(part())
	}
	return b.String()
}

func (m maker) transaction() *model.Transaction {
	in := &model.Transaction{
		ClientIP: m.pick("192.0.2.7", "::1", "", "x"), ServerIP: m.pick("192.0.2.1", ""), ClientPort: m.IntN(70000) - 1, ServerPort: 80 * m.IntN(2),
		Method: m.pick("GET", "POST", "POST", "get", "", m.text()), Protocol: m.pick("HTTP/1.1", "HTTP/2.0", "", m.text()), URI: m.uri(),
		ServerName: m.pick("h", "", m.text()), RequestHeaders: m.headers(),
	}
	kind := m.pick("form", "form", "multipart", "multipart", "JSON", "JSON", "XML", "XML", "none", "none", "other")
	in.RequestBody = m.filled(m.body(kind), m.limits.RequestBody)
	named := kind
	if m.once(10) {
		named = m.pick("form", "multipart", "JSON", "XML", "other")
	}
	for range m.pick("", "-", "-", "-", "-", "-", "--") {
		in.RequestHeaders = append(in.RequestHeaders, model.Header{Name: m.folded("Content-Type"), Value: m.contentType(named)})
		named = m.pick("form", "multipart", "JSON", "other")
	}
	for range m.IntN(3) {
		in.RequestHeaders = append(in.RequestHeaders, model.Header{Name: m.folded("Cookie"), Value: m.cookies()})
	}
	m.Shuffle(len(in.RequestHeaders), func(i, k int) {
		in.RequestHeaders[i], in.RequestHeaders[k] = in.RequestHeaders[k], in.RequestHeaders[i]
	})
	in.HasResponse = !m.once(5)
	in.ResponseStatus, in.ResponseProtocol = m.IntN(1000)-10, m.pick("HTTP/1.1", "", m.text())
	in.ResponseHeaders = m.headers()
	for range m.pick("", "-", "-", "-", "--") {
		in.ResponseHeaders = append(in.ResponseHeaders, model.Header{Name: m.folded("Content-Type"), Value: m.mediaType()})
	}
	in.ResponseBody = m.filled(m.pick("", "<p>ok</p>", m.text(), m.body(kind)), m.limits.ResponseBody)
	return in
}

// filled makes a body about as long as a limit, unless that takes long.
func (m maker) filled(body string, limit int) string {
	if limit > 5000 || !m.once(10) {
		return body
	}
	size := limit - 1 + m.IntN(3)
	return (body + strings.Repeat("x", size))[:size]
}

// text is in no language.
func (m maker) text() string {
	if m.once(600) {
		return strings.Repeat(m.piece()+"x", 200+m.IntN(20000))
	}
	return m.several(5, m.piece)
}

func (m maker) piece() string {
	return m.pick("a", "A", "ab", "b", "k", "s", "1", "\u212a", "ſ", "İ", "é", "É", "ẞ", "\xff", "\xc3", "\xe2\x84", "\U0001f600", " ", "  ",
		"\t", "\v", "\n", "\r\n", "\x00", "\x01", "\x1f", "\x7f", "\u0085", "\u00a0", "\u3000", "%", "%2", "%41", "%4b", "%zz", "%2B", "%26", "%3d", "%00", "%ff", "%c3%a9",
		"%u0041", "+", "=", "==", "&", "&&", ";", "#", "?", "/", "//", "\\", "..", ".", ":", "@", "[", "]", `"`, "'", "<", ">", ",", "~", "!", "*",
		"$", "-", "_", "(", "|", "{", "`", "^")
}

// name is one of few, so that the same comes again, also in another form.
func (m maker) name() string {
	if m.once(5) {
		return m.text()
	}
	return m.folded(m.pick("", "a", "a", "ab", "b", "key", "k", "s", "id", "é", "x-a", "a\xff", "a\xfe", "json.a", "0"))
}

// folded writes a text with other letters that are the same, or look so, without regard to case.
func (m maker) folded(text string) string {
	if !m.once(3) {
		return text
	}
	return strings.Map(func(r rune) rune {
		switch c := unicode.ToLower(r); {
		case m.once(2):
			return r
		case c == 'k' && m.once(2):
			return '\u212a'
		case c == 's' && m.once(3):
			return 'ſ'
		case c == 'i' && m.once(3):
			return 'İ'
		case unicode.IsUpper(r):
			return c
		default:
			return unicode.ToUpper(r)
		}
	}, text)
}

// blank is what one side may take for a blank and the other not.
func (m maker) blank() string {
	return m.pick("", "", "", "", " ", "\t", "\r\n", "\v", "\x00", "\x01", "\x7f", "\u0085", "\u00a0", "\u3000", "\xa0")
}

func (m maker) uri() string {
	b := m.pick("/", "/", "/", "/", "", "//", "\\", "*", ".", "http://h", "https://u:p@h:8080/", "HTTP://[::1]/", "mailto:",
		"//h/", "/\x01", "h:443", "/%2f", "?", ":")
	part := m.text
	if m.once(2) { // most are plain
		b, part = m.pick("/", "/", "/", "//"), func() string {
			return m.pick("a", "b.php", "C", "~", ":", "@", "..", m.seldom(9, "%20", "!", "*", "é"))
		}
	}
	b += m.several(4, func() string { return part() + m.pick("/", "/", "//", "\\", "") })
	if !m.once(4) {
		b += "?" + m.query()
	}
	if m.once(6) {
		b += "#" + m.text()
	}
	return b
}

func (m maker) query() string {
	n := m.IntN(5)
	if m.once(25) {
		n = m.limits.Arguments - 1 + m.IntN(3)
	}
	var b strings.Builder
	for range n {
		b.WriteString(m.pick("a=1", m.name()+"="+m.text(), m.name()+"="+m.text(), m.name(), "="+m.text(), "=", ""))
		b.WriteString(m.pick("&", "&", "&", "&", "&&", ";"))
	}
	if m.once(2) {
		return strings.TrimRight(b.String(), "&")
	}
	return b.String()
}

func (m maker) headers() (all []model.Header) {
	for range m.IntN(6) {
		name := m.folded(m.pick("Host", "User-Agent", "X-A", "x-a", "X-K", "Keep-Alive", "Set-Cookie", "Cookie2",
			"Content-Length", "", "é", "X\xff", "x\xfe", m.name()))
		all = append(all, model.Header{Name: name, Value: m.pick("", "1", m.text(), m.blank()+m.text()+m.blank())})
	}
	return all
}

func (m maker) cookies() string {
	return m.several(5, func() string {
		return m.blank() + m.name() + m.blank() + m.pick("=", "=", "=", "", "==") + m.blank() + m.pick(m.text(), m.name()) + m.blank() +
			m.pick(";", "; ", ";", ";;", " ; ", ",", "")
	})
}

// contentType is the one of a kind of body, often enough as nobody writes it.
func (m maker) contentType(kind string) (value string) {
	switch kind {
	case "form":
		value = "application/x-www-form-urlencoded"
	case "multipart":
		value = "multipart/form-data" + cmp.Or(m.seldom(9, "; boundary=c", " ", "; boundary=", "; boundary=b; boundary=b", ", boundary=b"),
			m.pick(";boundary=b", "; boundary=b", "; boundary=b", ` ; Boundary="b"`, "; charset=x; boundary=b"))
	case "JSON":
		value = m.pick("application/json", "application/json", "application/problem+json", "application/a.b-c+json", "application/jsonp", "text/json")
	case "XML":
		value = m.pick("text/xml", "application/xml", "application/soap+xml", "application/atom+xml", "text/xmlx")
	default:
		value = m.pick("text/plain", "", "image/png", "Image /png", "AUDIO/x", "video/", "font", "application/octet-stream",
			"x\napplication/json", "x\ntext/xml", m.text())
	}
	if m.once(4) {
		value = m.blank() + m.folded(value) + m.blank() + m.pick("", "", ";", "; charset=utf-8", ", text/plain", "x")
	}
	return value
}

// mediaType is the one of a response.
func (m maker) mediaType() string {
	value := m.pick("text/html", "text/html", "text/plain", "text/xml", "application/json", "image/png", "imaGe/png", "", m.text())
	return m.pick("", "", "", m.blank()) + m.pick(value, value, m.folded(value)) + m.pick("", "", "", "; charset=utf-8", " ;a", ";", m.blank())
}

func (m maker) body(kind string) string {
	switch kind {
	case "form":
		return m.query()
	case "multipart":
		return m.multipart()
	case "JSON":
		return m.damaged(m.seldom(9, " ", "\n", "\ufeff") + m.object(nested) + m.seldom(9, "\t", "\r\n", "\u00a0", ","))
	case "XML":
		return m.damaged(m.pick("", `<?xml version="1.0"?>`, `<?xml version="1.0" encoding="utf-8"?>`, `<?xml version="1.0" encoding="x"?>`,
			"<!DOCTYPE a [<!ENTITY e 'f'>]>", "\ufeff") + m.element(3))
	case "none":
		return ""
	}
	return m.pick("", "x") + m.text()
}

// damaged cuts one text in some off, or writes something into it.
func (m maker) damaged(text string) string {
	switch at := m.IntN(len(text) + 1); m.IntN(24) {
	case 0:
		return text[:at]
	case 1:
		return text[:at] + m.piece() + text[at:]
	}
	return text
}

func (m maker) multipart() string {
	line := "\r\n"
	if m.once(9) {
		line = "\n"
	}
	var b strings.Builder
	b.WriteString(m.pick("", "", "", "before"+line))
	for range m.IntN(5) {
		b.WriteString("--b" + m.seldom(15, " ", "c", "-") + line)
		if !m.once(15) {
			b.WriteString(m.pick("Content-Disposition", "Content-Disposition", "content-disposition", "CONTENT-disposition") + ": ")
			b.WriteString(m.disposition() + line)
		}
		for range m.IntN(3) {
			b.WriteString(m.pick("Content-Type: text/plain", "content-type: text/xml", "X-A: 1", "x-a: 2", "X-B:", "X-C: é", "X-C: \xff \t") + line)
		}
		b.WriteString(m.seldom(30, "Content-Disposition: form-data; name=c"+line, "X-ſ: 1"+line, "no header"+line, ":"+line, " folded"+line, "X-D: \x00"+line))
		b.WriteString(line + m.text() + line)
	}
	if m.once(9) {
		return b.String() + m.pick("", "--b", "--", "--b--after", "--c--")
	}
	return b.String() + "--b--" + m.pick("", line, line+"after")
}

func (m maker) disposition() string {
	value := m.pick("form-data", "form-data", "form-data", "Form-Data", "attachment")
	if m.once(30) {
		value = m.pick("", " ", "form-data,", "é")
	}
	for range m.pick("", "-", "-", "-", "-", "-", "-", "-", "-", "-", "--") {
		value += m.parameter("name")
	}
	for range m.pick("", "", "", "-", "-", "-", "-", "-", "-", "-", "--") {
		value += m.parameter("filename")
	}
	if m.once(5) {
		value += "; filename*=" + m.pick("utf-8''b%20c", "UTF-8'en'%e2%82%ac", "iso-8859-1''%e9", `"utf-8''q"`, "x", "utf-8''", "''a%zz", "utf-8''a%2fb")
	}
	return value + m.seldom(20, "; filename*0=a; filename*1=b", ";", "; filename", `; a="b;c"`)
}

// parameter is one of a Content-Disposition, most often as it should be.
func (m maker) parameter(name string) string {
	value := strings.NewReplacer("\r", "", "\n", "", "\x00", "", `"`, m.seldom(2, `"`)).Replace(m.name())
	if m.once(4) {
		name = m.pick(strings.ToUpper(name), m.folded(name))
	}
	if m.once(6) {
		return m.pick(";", " ; ", "", "; ") + name + m.pick("=", " = ") + fmt.Sprintf(m.pick("%s", "'%s'", `"a\"%s"`, `"%s`, `a"%s"`, `""`), value)
	}
	return "; " + name + `="` + value + `"`
}

// nested is how deep objects are at most.
const nested = 3

func (m maker) object(depth int) string {
	if depth == nested && m.once(40) { // the paths of some values are several times as long as the body
		return `{"` + strings.Repeat("k", 1000) + `":{` + strings.Repeat(`"a":1,`, 5+m.IntN(5)) + `"b":2}}`
	}
	n := m.IntN(5)
	if depth == nested && m.once(12) {
		n, depth = m.limits.Arguments-1+m.IntN(3), 0
	}
	space := func() string { return m.seldom(9, " ", "\n", "\t\r") }
	members := make([]string, n)
	isArray := m.once(3)
	for i := range members {
		members[i] = m.jsonValue(depth)
		if !isArray {
			members[i] = m.jsonText() + space() + ":" + space() + members[i]
		}
	}
	all := strings.Join(members, space()+","+space())
	if isArray {
		return "[" + all + "]"
	}
	return "{" + all + "}"
}

func (m maker) jsonValue(depth int) string {
	if depth > 0 && m.once(3) {
		return m.object(depth - 1)
	}
	return m.pick("1", "-2.50e3", "1E400", "null", "true", "false", "{}", "[]", "[[]]", "0", m.jsonText(), m.jsonText(), m.jsonText())
}

func (m maker) jsonText() string {
	return `"` + m.pick("a", "A", "a", "b", "a.b", "0", "", m.several(4, func() string {
		return m.pick("a", "k", "é", "\u212a", "\xff", `\u0041`, `\u0000`, `\ud83d\ude00`, `\ud83d`, `\\`, `\"`, `\/`, `\n`, ".", "%41", "+",
			"\x7f", "<", "[", "}", `\u00E9`)
	})) + `"`
}

func (m maker) element(depth int) string {
	name := m.pick("a", "b", "x:c", "é", "br", "A")
	attributes := m.several(3, func() string {
		return " " + m.pick("k", "K", "xmlns", "xmlns:x", "x:y", "é") +
			m.pick(`="`+m.xmlText()+`"`, `='`+m.xmlText()+`'`, `="`+m.xmlText()+`"`, "=v", "")
	})
	inside := m.several(4, func() string {
		switch {
		case depth > 0 && m.once(3):
			return m.element(depth - 1)
		case m.once(6):
			return m.pick("<![CDATA[ c<d>&amp; ]]>", "<!-- e -->", "<?php f ?>", "<br/>", "<![CDATA[]]>", "<g h>")
		}
		return m.xmlText()
	})
	return "<" + name + attributes + m.pick(">", ">", ">", " >") + inside +
		m.pick("</"+name+">", "</"+name+">", "</"+name+">", "</"+name+" >", "</z>", "")
}

func (m maker) xmlText() string {
	return m.several(3, func() string {
		return m.pick("a", "é", "1", " ", "\n", "\u00a0", "&lt;", "&#65;", "&#x41;", "&eacute;", "&amp;amp;", "&e;", "%41", "+", "]]", "=", "/", ";", "\u212a")
	})
}
