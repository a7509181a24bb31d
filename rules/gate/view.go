package gate

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/corazawaf/coraza/v3/types/variables"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corazalink"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
)

// pair is one value of a collection: its name as it was sent, the key under which Coraza keeps it, which is what targets select by, and
// the value.
type pair struct{ name, key, value string }

// Collections whose values the gate knows.
type collection uint8

const (
	argsGet collection = iota
	argsPost
	requestHeaders
	requestCookies
	responseHeaders
	files
	filesNames
	filesSizes
	partHeaders
	multipartFilename
	multipartName
	xml
	collections
)

// view holds all variables of one transaction as Coraza computes them. Texts are views of the input or of the arena.
type view struct {
	single    [256]string
	pairs     [collections][]pair
	arena     arena
	path      []byte     // of a value in a JSON body
	processor *processed // of a body that Coraza's own processor has read, nil otherwise
}

// arena is memory for texts of one transaction. A text stays valid until the arena is reset, also when the arena grows.
type arena struct{ buf []byte }

func (a *arena) reset() { a.buf = a.buf[:0] }

// room returns memory behind the last text for one of at most n bytes, of which take makes a text.
func (a *arena) room(n int) []byte {
	a.buf = slices.Grow(a.buf, n)
	return a.buf[len(a.buf) : len(a.buf)+n]
}

// take returns the first n bytes of the room.
func (a *arena) take(n int) string {
	mark := len(a.buf)
	a.buf = a.buf[:mark+n]
	return a.since(mark)
}

// since returns what was appended after a mark.
func (a *arena) since(mark int) string { return viewOf(a.buf[mark:]) }

func (a *arena) join(parts ...string) string {
	mark := len(a.buf)
	for _, p := range parts {
		a.buf = append(a.buf, p...)
	}
	return a.since(mark)
}

func (a *arena) number(n int) string {
	mark := len(a.buf)
	a.buf = strconv.AppendInt(a.buf, int64(n), 10)
	return a.since(mark)
}

// lower returns a text as package strings does, which makes U+FFFD of what is no UTF-8 where a text has more than ASCII.
func (a *arena) lower(s string) string {
	at := 0
	for at < len(s) && s[at] < utf8.RuneSelf && fold[s[at]] == s[at] {
		at++
	}
	if at == len(s) {
		return s
	}
	mark := len(a.buf)
	a.buf = append(a.buf, s[:at]...)
	for at < len(s) {
		if c := s[at]; c < utf8.RuneSelf {
			a.buf = append(a.buf, fold[c])
			at++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[at:])
		a.buf = utf8.AppendRune(a.buf, unicode.ToLower(r))
		at += size
	}
	return a.since(mark)
}

// unescape decodes + and %hh; what is no escape stays.
func (a *arena) unescape(s string) string {
	at := strings.IndexAny(s, "+%")
	if at < 0 {
		return s
	}
	mark := len(a.buf)
	a.buf = append(a.buf, s[:at]...)
	for i := at; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '+':
			c = ' '
		case c == '%' && i+2 < len(s) && unhex[s[i+1]] >= 0 && unhex[s[i+2]] >= 0:
			c = byte(unhex[s[i+1]]<<4 | unhex[s[i+2]])
			i += 2
		}
		a.buf = append(a.buf, c)
	}
	return a.since(mark)
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// limits are the settings of the engine that bound what it reads. Sizes are in bytes.
type limits struct {
	requestBody  int
	responseBody int
	cutRequest   bool // longer bodies are read as far as the limit; otherwise they end the evaluation
	cutResponse  bool
	arguments    int
	jsonDepth    int
	readRequest  bool
	readResponse bool
	mimeTypes    []string
}

func limitsOf(s *corazalink.Settings) limits {
	return limits{
		requestBody: int(s.RequestBodyLimit), responseBody: int(s.ResponseBodyLimit),
		cutRequest: s.RequestPartial, cutResponse: s.ResponsePartial, arguments: s.Arguments, jsonDepth: s.RequestJSONDepth,
		readRequest: s.RequestBodyAccess, readResponse: s.ResponseBodyAccess, mimeTypes: s.ResponseMIMETypes,
	}
}

// request fills in what phase 1 and the request line give.
func (v *view) request(in *model.Transaction, l *limits) {
	s := &v.single
	s[variables.RemoteAddr], s[variables.ServerAddr] = in.ClientIP, in.ServerIP
	s[variables.RemotePort], s[variables.ServerPort] = v.arena.number(in.ClientPort), v.arena.number(in.ServerPort)
	s[variables.ServerName] = in.ServerName
	s[variables.RequestMethod], s[variables.RequestProtocol] = in.Method, in.Protocol
	s[variables.RequestURIRaw] = in.URI
	s[variables.RequestLine] = v.arena.join(in.Method, " ", in.URI, " ", in.Protocol)
	v.uri(in.URI, l)
	first := true
	for i := range in.RequestHeaders {
		h := &in.RequestHeaders[i]
		if h.Name == "" {
			continue
		}
		v.add(requestHeaders, h.Name, h.Value)
		switch v.last(requestHeaders) {
		case "content-type":
			if first {
				first = false
				v.bodyProcessorFor(h.Value)
			}
		case "cookie":
			v.cookies(h.Value)
		}
	}
	if HasText(v.lastValue(requestHeaders, "content-type")) {
		s[rawRequest] = in.RequestBody
	}
}

func (v *view) add(c collection, name, value string) {
	v.pairs[c] = append(v.pairs[c], pair{name, v.arena.nameKey(name), value})
}

// last returns the key of the value that was added last.
func (v *view) last(c collection) string { return v.pairs[c][len(v.pairs[c])-1].key }

// lastValue returns the last value of a key, "" when there is none.
func (v *view) lastValue(c collection, key string) (value string) {
	for i := range v.pairs[c] {
		if p := &v.pairs[c][i]; p.key == key {
			value = p.value
		}
	}
	return value
}

// value returns the first value of a key, "" when there is none.
func (v *view) value(c collection, key string) string {
	for i := range v.pairs[c] {
		if p := &v.pairs[c][i]; p.key == key {
			return p.value
		}
	}
	return ""
}

func (v *view) bodyProcessorFor(contentType string) {
	value := strings.TrimSpace(v.arena.lower(contentType))
	switch {
	case strings.HasPrefix(value, "application/x-www-form-urlencoded"):
		v.single[variables.ReqbodyProcessor] = "URLENCODED"
	case strings.HasPrefix(value, "multipart/form-data"):
		v.single[variables.ReqbodyProcessor] = "MULTIPART"
	}
}

// uri splits the request target as Coraza does.
func (v *view) uri(raw string, l *limits) {
	uri, _, _ := strings.Cut(raw, "#")
	path, query := uri, ""
	if at := strings.IndexByte(uri, '?'); at >= 0 {
		path, query = uri[:at], uri[at+1:]
	}
	s := &v.single
	if isPlainURI(path, query) {
		s[variables.RequestURI] = uri
	} else if parsed, err := url.ParseRequestURI(uri); err == nil {
		path, query = parsed.Path, parsed.RawQuery
		s[variables.RequestURI] = parsed.String()
	} else {
		s[variables.URIParseError] = "1"
		s[variables.RequestURI] = uri
	}
	base := path
	if at := strings.LastIndexAny(path, `/\`); at != -1 && len(path) > at+1 {
		base = path[at+1:]
	}
	s[variables.RequestBasename], s[variables.RequestFilename], s[variables.QueryString] = base, path, query
	v.arguments(argsGet, query, l)
}

// isPlainURI reports whether net/url gives path and query back as they are: a path from the root in characters that need no
// escaping, and no control characters in the query.
func isPlainURI(path, query string) bool {
	if path == "" || path[0] != '/' || len(path) > 1 && path[1] == '/' {
		return false
	}
	for i := range len(path) {
		if !plainPath[path[i]] {
			return false
		}
	}
	for i := range len(query) {
		if c := query[i]; c < 0x20 || c == 0x7f {
			return false
		}
	}
	return true
}

var plainPath = func() (table [256]bool) {
	for c := range table {
		table[c] = 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-_.~/$&+,:;=@", byte(c)) >= 0
	}
	return table
}()

// arguments reads a query string or form up to the limit of arguments.
func (v *view) arguments(c collection, text string, l *limits) {
	for text != "" {
		part, rest, _ := strings.Cut(text, "&")
		text = rest
		if part == "" {
			continue
		}
		if len(v.pairs[c]) >= l.arguments {
			v.single[variables.ArgumentsLimitReached] = "1"
			return
		}
		key, value, _ := strings.Cut(part, "=")
		v.add(c, v.arena.unescape(key), v.arena.unescape(value))
	}
}

var unhex = func() (table [256]int16) {
	for c := range table {
		switch {
		case '0' <= c && c <= '9':
			table[c] = int16(c - '0')
		case 'a' <= c && c <= 'f':
			table[c] = int16(c - 'a' + 10)
		case 'A' <= c && c <= 'F':
			table[c] = int16(c - 'A' + 10)
		default:
			table[c] = -1
		}
	}
	return table
}()

func (v *view) cookies(text string) {
	text = trimControls(text)
	for text != "" {
		part, rest, _ := strings.Cut(text, ";")
		text = rest
		if part = trimControls(part); part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		if name, value = trimControls(name), trimControls(value); name != "" || value != "" {
			v.add(requestCookies, name, value)
		}
	}
}

// trimControls removes blanks and control characters around a text.
func trimControls(s string) string {
	for s != "" && (s[0] <= ' ' || s[0] == 0x7f) {
		s = s[1:]
	}
	for s != "" && (s[len(s)-1] <= ' ' || s[len(s)-1] == 0x7f) {
		s = s[:len(s)-1]
	}
	return s
}

// response fills in what phases 3 and 4 give. It reports false when the engine has to judge.
func (v *view) response(in *model.Transaction, l *limits) bool {
	if !in.HasResponse {
		return true
	}
	s := &v.single
	s[variables.ResponseStatus], s[variables.ResponseProtocol] = v.arena.number(in.ResponseStatus), in.ResponseProtocol
	for i := range in.ResponseHeaders {
		h := &in.ResponseHeaders[i]
		if h.Name == "" {
			continue
		}
		v.add(responseHeaders, h.Name, h.Value)
		if v.last(responseHeaders) == "content-type" {
			s[variables.ResponseContentType], _, _ = strings.Cut(h.Value, ";")
		}
	}
	if HasText(v.lastValue(responseHeaders, "content-type")) {
		s[rawResponse] = in.ResponseBody
	}
	if !l.readResponse || !slices.Contains(l.mimeTypes, s[variables.ResponseContentType]) {
		return true
	}
	body := in.ResponseBody
	if len(body) >= l.responseBody {
		if !l.cutResponse {
			return false
		}
		body = body[:l.responseBody]
		s[variables.OutboundDataError] = "1"
	}
	s[variables.ResponseContentLength] = v.arena.number(len(body))
	s[variables.ResponseBody] = body
	return true
}

// cut tells what the engine does not read to its end.
func (v *view) cut() Cut {
	s := &v.single
	return Cut{s[variables.ArgumentsLimitReached] == "1", s[variables.InboundDataError] == "1", s[variables.OutboundDataError] == "1"}
}

// HasText reports whether a body of a media type can be text. Bodies that cannot are not given to rules as they were logged.
func HasText(contentType string) bool {
	kind, _, _ := strings.Cut(contentType, "/")
	kind = strings.TrimSpace(kind)
	return !strings.EqualFold(kind, "image") && !strings.EqualFold(kind, "audio") && !strings.EqualFold(kind, "video") &&
		!strings.EqualFold(kind, "font")
}

// ContentType returns the last Content-Type header, "" when there is none. It reads names as Coraza does.
func ContentType(headers []model.Header) string {
	for i := len(headers) - 1; i >= 0; i-- {
		if strings.ToLower(headers[i].Name) == "content-type" {
			return headers[i].Value
		}
	}
	return ""
}

// reset empties the view; defaults are the variables of a new transaction.
func (v *view) reset(defaults *[256]string) {
	v.single = *defaults
	for c := range v.pairs {
		v.pairs[c] = v.pairs[c][:0]
	}
	v.arena.reset()
}
