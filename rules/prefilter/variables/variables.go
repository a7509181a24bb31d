package variables

import (
	"net/url"
	"slices"
	"strings"

	corazavariables "github.com/corazawaf/coraza/v3/types/variables"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corazalink"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter/arena"
)

// Pair is one value of a collection: its name as it was sent, the key under which Coraza keeps it, which is what targets select by, and
// the value.
type Pair struct{ Name, Key, Value string }

// Collection is one of the collections whose values the prefilter knows.
type Collection uint8

const (
	argsGet Collection = iota
	ArgsPost
	RequestHeaders
	requestCookies
	ResponseHeaders
	files
	filesNames
	filesSizes
	PartHeaders
	multipartFilename
	multipartName
	xml
	NumCollections
)

// Values holds all variables of one transaction as Coraza computes them. Texts share the memory of the transaction or of the arena.
type Values struct {
	Single    [256]string
	Pairs     [NumCollections][]Pair
	Arena     arena.Arena
	path      []byte     // of a value in a JSON body
	processor *processed // of a body that Coraza's own processor has read, nil otherwise
}

// Limits are the settings of the engine that bound what it reads. Sizes are in bytes.
type Limits struct {
	RequestBody  int
	ResponseBody int
	cutRequest   bool // longer bodies are read as far as the limit; otherwise they end the evaluation
	cutResponse  bool
	Arguments    int
	jsonDepth    int
	ReadRequest  bool
	readResponse bool
	mimeTypes    []string
}

// LimitsOf takes over the settings of a compiled rule set.
func LimitsOf(s *corazalink.Settings) Limits {
	return Limits{
		RequestBody: int(s.RequestBodyLimit), ResponseBody: int(s.ResponseBodyLimit),
		cutRequest: s.RequestPartial, cutResponse: s.ResponsePartial, Arguments: s.Arguments, jsonDepth: s.RequestJSONDepth,
		ReadRequest: s.RequestBodyAccess, readResponse: s.ResponseBodyAccess, mimeTypes: s.ResponseMIMETypes,
	}
}

// ReadRequest fills in what phase 1 and the request line give.
func (v *Values) ReadRequest(in *model.Transaction, l *Limits) {
	s := &v.Single
	s[corazavariables.RemoteAddr], s[corazavariables.ServerAddr] = in.ClientIP, in.ServerIP
	s[corazavariables.RemotePort], s[corazavariables.ServerPort] = v.Arena.Number(in.ClientPort), v.Arena.Number(in.ServerPort)
	s[corazavariables.ServerName] = in.ServerName
	s[corazavariables.RequestMethod], s[corazavariables.RequestProtocol] = in.Method, in.Protocol
	s[corazavariables.RequestURIRaw] = in.URI
	s[corazavariables.RequestLine] = v.Arena.Join(in.Method, " ", in.URI, " ", in.Protocol)
	v.uri(in.URI, l)
	first := true
	for i := range in.RequestHeaders {
		h := &in.RequestHeaders[i]
		if h.Name == "" {
			continue
		}
		v.add(RequestHeaders, h.Name, h.Value)
		switch v.last(RequestHeaders) {
		case "content-type":
			if first {
				first = false
				v.bodyProcessorFor(h.Value)
			}
		case "cookie":
			v.cookies(h.Value)
		}
	}
	if model.HasText(v.lastValue(RequestHeaders, "content-type")) {
		s[RawRequest] = in.RequestBody
	}
}

func (v *Values) add(c Collection, name, value string) {
	v.Pairs[c] = append(v.Pairs[c], Pair{name, v.Arena.NameKey(name), value})
}

// last returns the key of the value that was added last.
func (v *Values) last(c Collection) string { return v.Pairs[c][len(v.Pairs[c])-1].Key }

// lastValue returns the last value of a key, "" when there is none.
func (v *Values) lastValue(c Collection, key string) (value string) {
	for i := range v.Pairs[c] {
		if p := &v.Pairs[c][i]; p.Key == key {
			value = p.Value
		}
	}
	return value
}

// First returns the first value of a key, and whether there is one.
func (v *Values) First(c Collection, key string) (value string, found bool) {
	for i := range v.Pairs[c] {
		if p := &v.Pairs[c][i]; p.Key == key {
			return p.Value, true
		}
	}
	return "", false
}

// value returns the first value of a key, "" when there is none.
func (v *Values) value(c Collection, key string) string {
	value, _ := v.First(c, key)
	return value
}

func (v *Values) bodyProcessorFor(contentType string) {
	value := strings.TrimSpace(v.Arena.Lower(contentType))
	switch {
	case strings.HasPrefix(value, "application/x-www-form-urlencoded"):
		v.Single[corazavariables.ReqbodyProcessor] = "URLENCODED"
	case strings.HasPrefix(value, "multipart/form-data"):
		v.Single[corazavariables.ReqbodyProcessor] = "MULTIPART"
	}
}

// uri splits the request target as Coraza does.
func (v *Values) uri(raw string, l *Limits) {
	uri, _, _ := strings.Cut(raw, "#")
	path, query := uri, ""
	if at := strings.IndexByte(uri, '?'); at >= 0 {
		path, query = uri[:at], uri[at+1:]
	}
	s := &v.Single
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
func (v *Values) arguments(c Collection, text string, l *Limits) {
	for text != "" {
		part, rest, _ := strings.Cut(text, "&")
		text = rest
		if part == "" {
			continue
		}
		if len(v.Pairs[c]) >= l.Arguments {
			v.Single[corazavariables.ArgumentsLimitReached] = "1"
			return
		}
		key, value, _ := strings.Cut(part, "=")
		v.add(c, v.Arena.Unescape(key), v.Arena.Unescape(value))
	}
}

func (v *Values) cookies(text string) {
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

// trimControls removes spaces and control characters around a text.
func trimControls(s string) string {
	for s != "" && (s[0] <= ' ' || s[0] == 0x7f) {
		s = s[1:]
	}
	for s != "" && (s[len(s)-1] <= ' ' || s[len(s)-1] == 0x7f) {
		s = s[:len(s)-1]
	}
	return s
}

// ReadResponse fills in what phases 3 and 4 give. It reports false when the engine has to evaluate.
func (v *Values) ReadResponse(in *model.Transaction, l *Limits) bool {
	if !in.HasResponse {
		return true
	}
	s := &v.Single
	s[corazavariables.ResponseStatus], s[corazavariables.ResponseProtocol] = v.Arena.Number(in.ResponseStatus), in.ResponseProtocol
	for i := range in.ResponseHeaders {
		h := &in.ResponseHeaders[i]
		if h.Name == "" {
			continue
		}
		v.add(ResponseHeaders, h.Name, h.Value)
		if v.last(ResponseHeaders) == "content-type" {
			s[corazavariables.ResponseContentType], _, _ = strings.Cut(h.Value, ";")
		}
	}
	if model.HasText(v.lastValue(ResponseHeaders, "content-type")) {
		s[RawResponse] = in.ResponseBody
	}
	if !l.readResponse || !slices.Contains(l.mimeTypes, s[corazavariables.ResponseContentType]) {
		return true
	}
	body := in.ResponseBody
	if len(body) >= l.ResponseBody {
		if !l.cutResponse {
			return false
		}
		body = body[:l.ResponseBody]
		s[corazavariables.OutboundDataError] = "1"
	}
	s[corazavariables.ResponseContentLength] = v.Arena.Number(len(body))
	s[corazavariables.ResponseBody] = body
	return true
}

// Unread returns the parts that the engine does not read to their ends.
func (v *Values) Unread() (p model.Partial) {
	if v.Single[corazavariables.ArgumentsLimitReached] == "1" {
		p |= model.PartialArguments
	}
	if v.Single[corazavariables.InboundDataError] == "1" {
		p |= model.PartialBody
	}
	if v.Single[corazavariables.OutboundDataError] == "1" {
		p |= model.PartialResponse
	}
	return p
}

// Reset empties the values; defaults are the variables of a new transaction.
func (v *Values) Reset(defaults *[256]string) {
	v.Single = *defaults
	for c := range v.Pairs {
		v.Pairs[c] = v.Pairs[c][:0]
	}
	v.Arena.Reset()
}

// ArgumentBytes is ARGS_COMBINED_SIZE.
func (v *Values) ArgumentBytes() (n int) {
	for _, c := range [...]Collection{argsGet, ArgsPost} {
		for i := range v.Pairs[c] {
			n += len(v.Pairs[c][i].Name) + len(v.Pairs[c][i].Value)
		}
	}
	return n
}
