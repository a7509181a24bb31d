package incident

import (
	"bytes"
	"encoding/base64"
	"strings"
)

// longestRoute bounds a route in bytes; what follows is the same route.
const longestRoute = 160

// Route is a method and a path with its ids replaced. Its text is valid until the next Parse.
type Route struct {
	text [longestRoute + 16]byte
	size int
	hash uint64
	base uint64 // hash of the route without its arguments
	ids  uint64 // hash of the ids, 0 when there are none
}

// String returns the route as incidents show it, such as GET /users/{id}/orders.
func (r *Route) String() string { return string(r.text[:r.size]) }

// Text is String without a copy.
func (r *Route) Text() []byte { return r.text[:r.size] }

// IDs returns a hash of the ids, 0 when there are none.
func (r *Route) IDs() uint64 { return r.ids }

func (r *Route) put(text string) { r.size += copy(r.text[r.size:longestRoute], text) }

// of takes the route of an observation.
func (r *Route) of(o *Observation) {
	if o.Route == "" {
		r.Parse(o.Method, o.Path)
		return
	}
	r.size = copy(r.text[:], o.Route)
	r.hash, r.ids = hashBytes(r.text[:r.size]), o.IDs
	r.base = r.hash
	if at := bytes.IndexByte(r.text[:r.size], '?'); at >= 0 {
		r.base = hashBytes(r.text[:at])
	}
}

// Parse reads a request.
func (r *Route) Parse(method, target string) {
	r.size, r.ids = 0, 0
	r.put(method)
	r.put(" ")
	path, query := split(target)
	for len(path) > 0 {
		end := strings.IndexByte(path[1:], '/') + 1
		if end == 0 {
			end = len(path)
		}
		r.put("/")
		r.segment(path[1:end])
		path = path[end:]
	}
	r.hash = hashBytes(r.text[:r.size])
	r.base = r.hash
	if r.ids == 0 && query != "" {
		if r.query(query); r.ids != 0 {
			r.hash = hashBytes(r.text[:r.size])
		}
	}
}

// mostParents is how many segments of a path are taken for an id that an attack may stand in the place of.
const mostParents = 8

// parents calls see with the hash of each route that the path may be of, if it has an attack where these have an id.
func (r *Route) parents(see func(hash uint64) (more bool)) {
	var route [len(r.text) + len("{id}")]byte
	for at, seen := 0, 0; at < r.size && seen < mostParents; at++ {
		if r.text[at] != '/' {
			continue
		}
		n := copy(route[:], r.text[:at+1])
		n += copy(route[n:], "{id}")
		if seen++; !see(hashBytes(route[:n])) {
			return
		}
	}
}

// split returns the path of a request target, beginning with a slash, and its query.
func split(target string) (path, query string) {
	if at := strings.IndexByte(target, '#'); at >= 0 {
		target = target[:at]
	}
	path = target
	if at := strings.IndexByte(target, '?'); at >= 0 {
		path, query = target[:at], target[at+1:]
	}
	if path == "" || path[0] != '/' {
		_, rest, absolute := strings.Cut(path, "://")
		at := strings.IndexByte(rest, '/')
		if !absolute || at < 0 {
			return "/", query
		}
		path = rest[at:]
	}
	return path, query
}

// segment writes one segment of a path, with ids in it and in its parameters replaced.
func (r *Route) segment(s string) {
	word, parameters, more := strings.Cut(s, ";")
	r.word(word)
	for more {
		var parameter string
		parameter, parameters, more = strings.Cut(parameters, ";")
		name, value, _ := strings.Cut(parameter, "=")
		switch {
		case isPassing(name): // a session in the path
		case namesID(name) && isID(value):
			r.argument(";", name, value)
		default:
			r.put(";")
			r.put(parameter)
		}
	}
}

// word writes a segment, with an id in it replaced.
func (r *Route) word(s string) {
	word, extension := cutExtension(s)
	before, kind := idIn(word)
	if kind == noID && (extension == "" || !assets[extension[1:]]) && isHash(word) {
		kind = anID
	}
	switch kind {
	case noID:
		r.put(s)
		return
	case aDate:
		r.put("{date}")
	case anID:
		r.put(word[:before])
		r.put("{id}")
		r.ids = with(r.ids, hash(word[before:]))
	}
	r.put(extension)
}

// cutExtension splits a name such as 1234.pdf; that of a host stays whole.
func cutExtension(s string) (word, extension string) {
	if at := strings.LastIndexByte(s, '.'); at > 0 && len(s)-at <= 6 && isLetters(s[at+1:]) && classes(s).at == 0 {
		return s[:at], s[at:]
	}
	return s, ""
}

// query writes the names of arguments that hold ids: those with such a name, and those whose value can be nothing else.
func (r *Route) query(query string) {
	separator := "?"
	for range 16 {
		argument, rest, more := strings.Cut(query, "&")
		name, value, _ := strings.Cut(argument, "=")
		if (namesID(name) && isID(value) || isUUID(value) || isNode(value)) && !isPassing(name) {
			r.argument(separator, name, value)
			separator = "&"
		}
		if query = rest; !more {
			return
		}
	}
}

func (r *Route) argument(separator, name, value string) {
	r.put(separator)
	r.put(name)
	r.put("={id}")
	r.ids = with(r.ids, hash(value))
}

// idEnds end the names of arguments that hold ids; idWords are names of such, or the last word of one.
var (
	idEnds  = []string{"id", "uuid", "user", "account", "order", "invoice", "customer", "number", "email"}
	idWords = []string{
		"doc", "document", "file", "f", "acct", "client", "member", "patient", "employee", "student", "contract", "policy", "ticket", "case", "record", "message", "msg", "report",
		"payment", "transaction", "txn", "booking", "reservation", "shipment", "receipt", "statement", "subscription", "phone", "iban", "ref", "no", "nr", "guid",
	}
)

func namesID(name string) bool {
	for _, end := range idEnds {
		if endsWith(name, end) {
			return true
		}
	}
	for _, word := range idWords {
		if endsWith(name, word) {
			at := len(name) - len(word)
			if at == 0 || !isLetter(name[at-1]) || isUpper(name[at]) && !isUpper(name[at-1]) {
				return true
			}
		}
	}
	return false
}

func endsWith(name, end string) bool {
	return len(name) >= len(end) && strings.EqualFold(name[len(name)-len(end):], end)
}

// passing are names of arguments, in lower case and without underscores, whose values change from request to request or visit to visit.
var passing = map[string]bool{
	"sid": true, "sessid": true, "sessionid": true, "phpsessid": true, "jsessionid": true, "requestid": true, "reqid": true, "traceid": true, "spanid": true,
	"correlationid": true, "gclid": true, "dclid": true, "fbclid": true, "ttclid": true, "yclid": true, "twclid": true, "msclkid": true, "clickid": true, "nonce": true,
	"state": true, "code": true, "csrf": true, "xsrf": true, "csrftoken": true, "cb": true, "cachebuster": true, "cache": true, "nocache": true, "rnd": true, "rand": true,
	"random": true, "r": true, "v": true, "ver": true, "version": true, "t": true, "ts": true, "time": true, "timestamp": true, "page": true, "pagenumber": true, "pageno": true,
	"pagenr": true, "visitid": true, "visitorid": true, "impressionid": true, "viewid": true, "pageviewid": true,
}

// isPassing reports whether the name of an argument is one of those.
func isPassing(name string) bool {
	var short [16]byte
	n := 0
	for i := range len(name) {
		b := name[i]
		if b == '_' || b == '-' {
			continue
		}
		if n == len(short) {
			return false
		}
		short[n] = toLower(b)
		n++
	}
	return passing[string(short[:n])]
}

type idKind uint8

const (
	noID idKind = iota
	anID
	aDate // is replaced, and tells nothing of whose data it is
)

// Lengths from which a text of some kind is an id, and no word.
const (
	shortestHex    = 8
	shortestToken  = 20
	shortestDigits = 4 // behind letters, without anything between
)

// isID reports whether the value of an argument whose name is that of an id is one.
func isID(value string) bool {
	word, _ := cutExtension(value)
	_, kind := idIn(word)
	return kind == anID || isHash(word)
}

// isUUID reports whether a text is 8-4-4-4-12 hexadecimal digits.
func isUUID(s string) bool {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return false
	}
	c := classes(s)
	return c.hex == 32 && c.dashes == 4
}

// Lengths of what isNode and isHash look at.
const (
	shortestNode = len("QToxMg") // A:12
	longestNode  = 96
	shortestHash = 10
)

// isNode reports whether a text is the base64 of a name and a number, such as Document:151, by which GraphQL and others hide numbers.
func isNode(s string) bool {
	for _, padding := range []string{"=", "%3D", "%3d"} {
		for strings.HasSuffix(s, padding) {
			s = s[:len(s)-len(padding)]
		}
	}
	if len(s) < shortestNode || len(s) > longestNode {
		return false
	}
	var in, out [longestNode]byte
	upper := false
	for i := range len(s) {
		b := s[i]
		upper = upper || isUpper(b)
		switch {
		case b == '-':
			b = '+'
		case b == '_':
			b = '/'
		case !isLetter(b) && !isDigit(b):
			return false
		}
		in[i] = b
	}
	if !upper {
		return false
	}
	n, err := base64.RawStdEncoding.Decode(out[:], in[:len(s)])
	if err != nil || !isLetter(out[0]) {
		return false
	}
	at := n
	for at > 0 && isDigit(out[at-1]) {
		at--
	}
	if at == n || at == 0 || isLetter(out[at-1]) {
		return false
	}
	for _, b := range out[:at] {
		if b < ' ' || b > '~' {
			return false
		}
	}
	return true
}

// isHash reports whether a text is a short id such as dQw4w9WgXcQ: digits and letters of both cases in such a mixture that they are no words
// and numbers written together, as in iPhone15Pro.
func isHash(s string) bool {
	if len(s) < shortestHash || len(s) >= shortestToken {
		return false
	}
	runs, digits, uppers, lowers, marks := 0, 0, 0, 0, 0
	for i := range len(s) {
		before := byte(0)
		if i > 0 {
			before = s[i-1]
		}
		switch b := s[i]; {
		case isDigit(b):
			digits++
			if !isDigit(before) {
				runs++
			}
		case isUpper(b):
			uppers++
			if !isUpper(before) {
				runs++
			}
		case isLetter(b):
			lowers++
			if !isLetter(before) { // a capital begins a word
				runs++
			}
		case b == '-' || b == '_':
			marks++
		default:
			return false
		}
	}
	return digits > 0 && uppers > 0 && lowers > 0 && marks < 2 && 5*runs >= 2*len(s)
}

// idIn reports what id a word is or ends with, and how much of the word stands before it.
func idIn(word string) (before int, kind idKind) {
	if len(word) == 0 || len(word) > 512 {
		return 0, noID
	}
	c := classes(word)
	switch {
	case c.digits == len(word):
		return 0, anID
	case c.uppers > 0 && isNode(word):
		return 0, anID
	case c.digits == 0 && c.at == 0:
		return 0, noID // most words
	case isDate(word):
		return 0, aDate
	case c.at > 0 && strings.IndexByte(word, '.') > 0:
		return 0, anID
	case c.hex+c.dashes == len(word) && c.digits > 0 && (c.hex >= shortestHex && c.dashes == 0 || len(word) == 36 && c.dashes == 4):
		return 0, anID
	case len(word) >= shortestToken && c.plain == len(word) && c.dashes < 2 && c.digits >= 2 && c.digits < len(word):
		return 0, anID
	}
	return numbered(word)
}

// numbered finds the number at the end of a word such as ord_17 or user-3; backup2 and v1 are names.
func numbered(word string) (before int, kind idKind) {
	at := len(word)
	for at > 0 && isDigit(word[at-1]) {
		at--
	}
	if at == len(word) || at == 0 {
		return 0, noID
	}
	if last := word[at-1]; last == '_' || last == '-' || last == ':' || len(word)-at >= shortestDigits {
		return at, anID
	}
	return 0, noID
}

// class counts the kinds of characters in a word.
type class struct{ digits, hex, dashes, plain, at, uppers int }

func classes(word string) (c class) {
	for i := range len(word) {
		b := word[i]
		if isUpper(b) {
			c.uppers++
		}
		switch {
		case isDigit(b):
			c.digits++
			c.hex++
			c.plain++
		case b >= 'a' && b <= 'f' || b >= 'A' && b <= 'F':
			c.hex++
			c.plain++
		case isLetter(b), b == '_', b == '=', b == '~', b == '.':
			c.plain++
		case b == '-':
			c.dashes++
			c.plain++
		case b == '@', b == '%' && i+2 < len(word) && word[i+1] == '4' && word[i+2] == '0':
			c.at++
		}
	}
	return c
}

// isDate reports whether a word is a date such as 2024-05-30 or 2024-05.
func isDate(word string) bool {
	if len(word) != len("2024-05") && len(word) != len("2024-05-30") {
		return false
	}
	for i := range len(word) {
		if dash := i == 4 || i == 7; dash != (word[i] == '-') || !dash && !isDigit(word[i]) {
			return false
		}
	}
	return word[0] == '1' || word[0] == '2'
}

func isDigit(b byte) bool { return b >= '0' && b <= '9' }

func isLetter(b byte) bool { return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' }

func isUpper(b byte) bool { return b >= 'A' && b <= 'Z' }

func toLower(b byte) byte {
	if isUpper(b) {
		return b + 'a' - 'A'
	}
	return b
}

// lowered writes a text with its ASCII letters in lower case, as much of it as there is room for.
func lowered[T string | []byte](room []byte, text T) []byte {
	room = room[:copy(room, text)]
	for i, b := range room {
		room[i] = toLower(b)
	}
	return room
}

func isLetters(s string) bool {
	for i := range len(s) {
		if !isLetter(s[i]) && !isDigit(s[i]) {
			return false
		}
	}
	return len(s) > 0 && isLetter(s[0])
}
