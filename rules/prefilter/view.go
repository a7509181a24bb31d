package prefilter

import (
	"net/url"
	"slices"
	"strings"

	corazavariables "github.com/corazawaf/coraza/v3/types/variables"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corazalink"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
)

// pair is one value of a collection: its name as it was sent, the key under which Coraza keeps it, which is what targets select by, and
// the value.
type pair struct{ name, key, value string }

// Collections whose values the prefilter knows.
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
	s[corazavariables.RemoteAddr], s[corazavariables.ServerAddr] = in.ClientIP, in.ServerIP
	s[corazavariables.RemotePort], s[corazavariables.ServerPort] = v.arena.number(in.ClientPort), v.arena.number(in.ServerPort)
	s[corazavariables.ServerName] = in.ServerName
	s[corazavariables.RequestMethod], s[corazavariables.RequestProtocol] = in.Method, in.Protocol
	s[corazavariables.RequestURIRaw] = in.URI
	s[corazavariables.RequestLine] = v.arena.join(in.Method, " ", in.URI, " ", in.Protocol)
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
	if model.HasText(v.lastValue(requestHeaders, "content-type")) {
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
		v.single[corazavariables.ReqbodyProcessor] = "URLENCODED"
	case strings.HasPrefix(value, "multipart/form-data"):
		v.single[corazavariables.ReqbodyProcessor] = "MULTIPART"
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
		s[corazavariables.RequestURI] = uri
	} else if parsed, err := url.ParseRequestURI(uri); err == nil {
		path, query = parsed.Path, parsed.RawQuery
		s[corazavariables.RequestURI] = parsed.String()
	} else {
		s[corazavariables.URIParseError] = "1"
		s[corazavariables.RequestURI] = uri
	}
	base := path
	if at := strings.LastIndexAny(path, `/\`); at != -1 && len(path) > at+1 {
		base = path[at+1:]
	}
	s[corazavariables.RequestBasename], s[corazavariables.RequestFilename], s[corazavariables.QueryString] = base, path, query
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
			v.single[corazavariables.ArgumentsLimitReached] = "1"
			return
		}
		key, value, _ := strings.Cut(part, "=")
		v.add(c, v.arena.unescape(key), v.arena.unescape(value))
	}
}

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
	s[corazavariables.ResponseStatus], s[corazavariables.ResponseProtocol] = v.arena.number(in.ResponseStatus), in.ResponseProtocol
	for i := range in.ResponseHeaders {
		h := &in.ResponseHeaders[i]
		if h.Name == "" {
			continue
		}
		v.add(responseHeaders, h.Name, h.Value)
		if v.last(responseHeaders) == "content-type" {
			s[corazavariables.ResponseContentType], _, _ = strings.Cut(h.Value, ";")
		}
	}
	if model.HasText(v.lastValue(responseHeaders, "content-type")) {
		s[rawResponse] = in.ResponseBody
	}
	if !l.readResponse || !slices.Contains(l.mimeTypes, s[corazavariables.ResponseContentType]) {
		return true
	}
	body := in.ResponseBody
	if len(body) >= l.responseBody {
		if !l.cutResponse {
			return false
		}
		body = body[:l.responseBody]
		s[corazavariables.OutboundDataError] = "1"
	}
	s[corazavariables.ResponseContentLength] = v.arena.number(len(body))
	s[corazavariables.ResponseBody] = body
	return true
}

// Cut tells which parts of a transaction the engine reads only as far as its limits.
type Cut struct{ Arguments, RequestBody, ResponseBody bool }

// cut tells what the engine does not read to its end.
func (v *view) cut() Cut {
	s := &v.single
	return Cut{s[corazavariables.ArgumentsLimitReached] == "1", s[corazavariables.InboundDataError] == "1", s[corazavariables.OutboundDataError] == "1"}
}

// reset empties the view; defaults are the variables of a new transaction.
func (v *view) reset(defaults *[256]string) {
	v.single = *defaults
	for c := range v.pairs {
		v.pairs[c] = v.pairs[c][:0]
	}
	v.arena.reset()
}

// argumentBytes is ARGS_COMBINED_SIZE.
func (v *view) argumentBytes() (n int) {
	for _, c := range [...]collection{argsGet, argsPost} {
		for i := range v.pairs[c] {
			n += len(v.pairs[c][i].name) + len(v.pairs[c][i].value)
		}
	}
	return n
}
