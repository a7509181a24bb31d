// Package accesslog writes one HTTP request as the records that web servers, proxies, load balancers and sensors log
// of it. Tests use it to find out what can be detected in the log of each source. The documentation's table of
// sources is made from that.
package accesslog

import (
	"net/textproto"
	"strings"
)

// Header is one header line.
type Header struct{ Name, Value string }

// Request is one HTTP request and the status that answered it.
type Request struct {
	Method   string
	Target   string // path and query as sent
	Protocol string // HTTP/1.1 or HTTP/2.0
	Headers  []Header
	Body     string
	Status   int
}

// The connection of all requests.
const (
	clientIP   = "198.51.100.23"
	clientPort = 51514
	serverIP   = "203.0.113.5"
	serverPort = 443
	timeISO    = "2024-05-30T07:16:48.917Z"
	timeCLF    = "30/May/2024:07:16:48 +0000"
)

// Browser returns the request of a browser.
func Browser(method, target string) *Request {
	return &Request{
		Method: method, Target: target, Protocol: "HTTP/1.1", Status: 200,
		Headers: []Header{
			{"Host", "shop.example.com"},
			{"User-Agent", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36"},
			{"Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"},
			{"Accept-Language", "en-US,en;q=0.5"},
			{"Accept-Encoding", "gzip, deflate, br"},
			{"Referer", "https://shop.example.com/catalog?page=2"},
			{"Cookie", "session=8f14e45fceea167a5a36dedd4bea2543; theme=dark"},
			{"Connection", "keep-alive"},
			{"Upgrade-Insecure-Requests", "1"},
			{"Sec-Fetch-Dest", "document"},
			{"Sec-Fetch-Mode", "navigate"},
			{"Sec-Fetch-Site", "same-origin"},
		},
	}
}

// With sets a header and returns the request.
func (r *Request) With(name, value string) *Request {
	for i := range r.Headers {
		if strings.EqualFold(r.Headers[i].Name, name) {
			r.Headers[i].Value = value
			return r
		}
	}
	r.Headers = append(r.Headers, Header{name, value})
	return r
}

// Header returns the value of a header, "" when the request does not have it.
func (r *Request) Header(name string) string {
	for i := range r.Headers {
		if strings.EqualFold(r.Headers[i].Name, name) {
			return r.Headers[i].Value
		}
	}
	return ""
}

// line returns the request line.
func (r *Request) line() string { return r.Method + " " + r.Target + " " + r.Protocol }

// head returns request line and header lines as sent.
func (r *Request) head() string {
	var b strings.Builder
	b.WriteString(r.line() + "\r\n")
	for _, h := range r.Headers {
		b.WriteString(h.Name + ": " + h.Value + "\r\n")
	}
	b.WriteString("\r\n")
	return b.String()
}

// pathAndQuery splits the target at its first question mark.
func (r *Request) pathAndQuery() (path, query string) {
	path, query, _ = strings.Cut(r.Target, "?")
	return path, query
}

// pairs returns the headers as a list of maps with name and value.
func (r *Request) pairs() []any {
	all := make([]any, 0, len(r.Headers))
	for _, h := range r.Headers {
		all = append(all, map[string]any{"name": h.Name, "value": h.Value})
	}
	return all
}

// lists returns the headers as Go servers hold them: a list of values by canonical name, without Host.
func (r *Request) lists() map[string]any {
	all := map[string]any{}
	for _, h := range r.Headers {
		if name := textproto.CanonicalMIMEHeaderKey(h.Name); name != "Host" {
			values, _ := all[name].([]any)
			all[name] = append(values, h.Value)
		}
	}
	return all
}

// FromHead returns the request that a raw head and a body hold.
func FromHead(head, body string, status int) *Request {
	start, rest, _ := strings.Cut(head, "\r\n")
	method, line, _ := strings.Cut(start, " ")
	at := strings.LastIndexByte(line, ' ')
	r := &Request{Method: method, Target: line[:at], Protocol: line[at+1:], Body: body, Status: status}
	for header := range strings.SplitSeq(strings.TrimSuffix(rest, "\r\n\r\n"), "\r\n") {
		name, value, _ := strings.Cut(header, ": ")
		r.Headers = append(r.Headers, Header{name, value})
	}
	return r
}
