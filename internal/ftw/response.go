package ftw

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Response is the answer of the suite's backend.
type Response struct {
	Status  int
	Headers []Header
	Body    string
}

// Head returns the status line and the header lines with the blank line behind them.
func (r *Response) Head() string {
	return head(Version+" "+strconv.Itoa(r.Status)+" "+http.StatusText(r.Status), r.Headers)
}

// Version is the HTTP version of all responses.
const Version = "HTTP/1.1"

// Reflect returns the response of the suite's backend: it answers POST /reflect with what the JSON in the request's body
// says, and everything else with an empty 200.
func (r *Request) Reflect() Response {
	path, _, _ := strings.Cut(r.URI, "?")
	if r.Method != http.MethodPost || path != "/reflect" && !strings.HasPrefix(path, "/reflect/") {
		return Response{Status: http.StatusOK, Headers: []Header{{"Content-Length", "0"}}}
	}
	var spec struct {
		Status      int
		Headers     map[string]string
		Body        string
		EncodedBody string
	}
	if err := json.Unmarshal([]byte(r.Body), &spec); err != nil {
		return plain(http.StatusBadRequest, "Invalid JSON in request body")
	}
	if spec.Body == "" && spec.EncodedBody != "" {
		decoded, err := base64.StdEncoding.DecodeString(spec.EncodedBody)
		if err != nil {
			return plain(http.StatusBadRequest, "invalid base64 encoding of response body")
		}
		spec.Body = string(decoded)
	}
	if spec.Status == 0 {
		spec.Status = http.StatusOK
	}
	answer := Response{Status: spec.Status, Body: spec.Body}
	typed := false
	for _, name := range slices.Sorted(maps.Keys(spec.Headers)) {
		answer.Headers = append(answer.Headers, Header{name, spec.Headers[name]})
		typed = typed || strings.EqualFold(name, "Content-Type")
	}
	if !typed && spec.Body != "" {
		answer.Headers = append(answer.Headers, Header{"Content-Type", http.DetectContentType([]byte(spec.Body))})
	}
	answer.Headers = append(answer.Headers, Header{"Content-Length", strconv.Itoa(len(spec.Body))})
	return answer
}

func plain(status int, text string) Response {
	return Response{Status: status, Body: text, Headers: []Header{
		{"Content-Type", "text/plain; charset=utf-8"}, {"Content-Length", strconv.Itoa(len(text))},
	}}
}
