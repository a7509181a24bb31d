package model

// Header is one header line, name and value as they were sent.
type Header struct{ Name, Value string }

// Transaction is one HTTP request and its response as rules see them. Its strings may be views of memory that the caller
// owns; they must stay unchanged until Inspect returns, and no two header names may share their memory.
type Transaction struct {
	ClientIP   string
	ClientPort int
	ServerIP   string
	ServerPort int

	Method     string
	URI        string // request target as sent, not decoded
	Protocol   string // for instance HTTP/1.1
	ServerName string // host without port

	// Arguments are values that the source logs apart from the request target and body; rules see them as ARGS:name. A record
	// that is no HTTP transaction has nothing else: then Method and URI are empty, and Unknown has PartRequest.
	Arguments []Header

	RequestHeaders []Header
	RequestHeadCut bool // RequestHeaders are only the first ones
	RequestBody    string
	RequestCut     bool // RequestBody is only the start of the body; it is closed so that parsers can read it

	HasResponse      bool // the log says something of the response
	ResponseStatus   int
	ResponseProtocol string
	ResponseHeaders  []Header
	ResponseHeadCut  bool // ResponseHeaders are only the first ones
	ResponseBody     string
	ResponseCut      bool // ResponseBody is only the start of the body

	// Unknown are the parts that the record's source does not log. Rules that need them do not run.
	Unknown Parts

	// Partial are the parts that the record has, and of which the transaction does not have everything.
	Partial Partial
}

// Reset empties the transaction and keeps its memory for the next use.
func (t *Transaction) Reset() {
	*t = Transaction{
		Arguments: t.Arguments[:0], RequestHeaders: t.RequestHeaders[:0], ResponseHeaders: t.ResponseHeaders[:0],
	}
}

// LargeTransaction is the size in bytes from which even the prefilter may take milliseconds.
const LargeTransaction = 16 << 10

// Size returns the size in bytes of what makes transactions large.
func (t *Transaction) Size() int { return len(t.URI) + len(t.RequestBody) + len(t.ResponseBody) }

// Truncated reports whether a head or body is only the start of what was sent.
func (t *Transaction) Truncated() bool {
	return t.RequestHeadCut || t.RequestCut || t.ResponseHeadCut || t.ResponseCut
}

// Header returns the value of the first request header with a name; case is ignored for ASCII letters.
func (t *Transaction) Header(name string) (value string, found bool) {
	for i := range t.RequestHeaders {
		if equalFold(t.RequestHeaders[i].Name, name) {
			return t.RequestHeaders[i].Value, true
		}
	}
	return "", false
}

// MisleadingParts returns the unknown parts of a transaction that rules could take for absent ones: no rule evaluates a response or the end of
// a body that is not there.
func (t *Transaction) MisleadingParts() Parts {
	unknown := t.Unknown
	if unknown&PartRequest != 0 {
		return unknown
	}
	if !t.HasResponse {
		unknown &^= PartStatus | PartResponseHeader | PartResponseBody | PartResponseEnd
	}
	if t.RequestBody == "" && !t.RequestCut {
		unknown &^= PartBodyEnd
	}
	return unknown
}

func equalFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
