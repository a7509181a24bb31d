package requestlog

import (
	"net"
	"net/http"
	"time"
)

// Entry is the line of a request that is being answered, and the writer of its answer. What becomes of the request is noted in its fields.
// It is for the goroutine that answers, until End.
type Entry struct {
	http.ResponseWriter

	Client   string // address
	Status   int    // of the answer, unless it is written here; 0 for none
	Decision string // as waf_inline_requests_total names it, or rejected or redirected
	Reason   string // why a request was rejected or not inspected
	Alert    string // id
	Rules    []int  // ids
	Score    int

	log                                                            *Log
	started                                                        time.Time
	took                                                           time.Duration
	bytes                                                          int64
	method, target, protocol, host, scheme, referer, agent, before string
}

// Start begins the line of a request.
func (l *Log) Start(w http.ResponseWriter, r *http.Request) *Entry {
	e := &Entry{
		ResponseWriter: w, log: l, started: time.Now(), method: r.Method, target: r.RequestURI, protocol: r.Proto, host: r.Host, scheme: "http",
		referer: r.Header.Get("Referer"), agent: r.Header.Get("User-Agent"), before: r.Header.Get("X-Forwarded-For"),
	}
	if r.TLS != nil {
		e.scheme = "https"
	}
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		e.Client = host
	}
	return e
}

// Of returns the entry that a writer of an answer is, nil for any other.
func Of(w http.ResponseWriter) *Entry {
	e, _ := w.(*Entry)
	return e
}

// clientGone is the status of a request without an answer, as nginx has it.
const clientGone = 499

// End hands the line over to be written. The entry must not be used after it.
func (e *Entry) End() {
	e.took, e.ResponseWriter = time.Since(e.started), nil
	if e.Status == 0 {
		e.Status = clientGone
	}
	e.log.put(e)
}

// WriteHeader implements http.ResponseWriter.
func (e *Entry) WriteHeader(status int) {
	if status >= 200 || status == http.StatusSwitchingProtocols {
		e.Status = status
	}
	e.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (e *Entry) Write(body []byte) (int, error) {
	n, err := e.ResponseWriter.Write(body)
	e.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController do what this writer does not.
func (e *Entry) Unwrap() http.ResponseWriter { return e.ResponseWriter }

const sizeOfEntry = 400

func (e *Entry) size() int64 {
	return sizeOfEntry + int64(len(e.target)+len(e.host)+len(e.referer)+len(e.agent)+len(e.before)+8*len(e.Rules))
}
