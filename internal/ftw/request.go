package ftw

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// Header is one header line.
type Header struct{ Name, Value string }

// Request is a request as it goes over the wire.
type Request struct {
	Method, URI, Version string
	Headers              []Header
	Body                 string
}

// Head returns the request line and the header lines with the blank line behind them.
func (r *Request) Head() string {
	return head(r.Method+" "+r.URI+" "+r.Version, r.Headers)
}

func head(start string, headers []Header) string {
	var b strings.Builder
	b.WriteString(start + "\r\n")
	for _, h := range headers {
		b.WriteString(h.Name + ": " + h.Value + "\r\n")
	}
	b.WriteString("\r\n")
	return b.String()
}

// Header returns the value of the first header with a name, "" when there is none.
func (r *Request) Header(name string) string {
	for _, h := range r.Headers {
		if strings.EqualFold(h.Name, name) {
			return h.Value
		}
	}
	return ""
}

func (r *Request) has(name string) bool {
	for _, h := range r.Headers {
		if strings.EqualFold(h.Name, name) {
			return true
		}
	}
	return false
}

const form = "application/x-www-form-urlencoded"

// complete does to data and headers what go-ftw does before it sends them.
func (r *Request) complete(headers bool) {
	if r.Body != "" && headers {
		if !r.has("Content-Type") {
			r.Headers = append(r.Headers, Header{"Content-Type", form})
		}
		if strings.EqualFold(r.Header("Content-Type"), form) {
			r.Body = escapeForm(r.Body)
		}
	}
	if strings.Contains(strings.ToLower(r.Header("Content-Type")), "multipart/form-data;") {
		r.Body = strings.ReplaceAll(r.Body, "\n", "\r\n")
	}
	if !headers {
		return
	}
	if !r.has("Connection") {
		r.Headers = append(r.Headers, Header{"Connection", "close"})
	}
	if !r.has("Content-Length") && (r.Body != "" || mayHaveBody(r.Method)) {
		r.Headers = append(r.Headers, Header{"Content-Length", strconv.Itoa(len(r.Body))})
	}
}

func mayHaveBody(method string) bool {
	return strings.HasPrefix(method, "POST") || strings.Contains(method, "PUT") || strings.Contains(method, "PATCH") ||
		strings.HasSuffix(method, "DELETE")
}

// escapeForm escapes names and values of a form that has no escapes yet.
func escapeForm(data string) string {
	if plain, err := url.QueryUnescape(data); err != nil || plain != data {
		return data
	}
	pairs := strings.Split(strings.TrimSuffix(data, "&"), "&")
	for i, pair := range pairs {
		name, value, isPair := strings.Cut(pair, "=")
		pairs[i] = url.QueryEscape(name)
		if isPair {
			pairs[i] += "=" + url.QueryEscape(value)
		}
	}
	return strings.Join(pairs, "&")
}

// parseWire takes a request apart that the suite states byte for byte.
func parseWire(wire string) (Request, error) {
	top, body, _ := strings.Cut(wire, "\r\n\r\n")
	lines := strings.Split(top, "\r\n")
	words := strings.SplitN(lines[0], " ", 3)
	if len(words) < 3 {
		return Request{}, fmt.Errorf("malformed request line %q (want METHOD TARGET VERSION)", lines[0])
	}
	r := Request{Method: words[0], URI: words[1], Version: words[2], Body: body}
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ":")
		r.Headers = append(r.Headers, Header{name, strings.TrimPrefix(value, " ")})
	}
	return r, nil
}
