package gate

import (
	"strings"

	"github.com/corazawaf/coraza/v3/types/variables"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/seclang"
)

// Places of the bodies as they were logged among the single variables, behind those of Coraza.
const (
	rawRequest  variables.RuleVariable = 254
	rawResponse variables.RuleVariable = 255
)

// rawBodies are the TX variables that hold bodies as they were logged.
var rawBodies = map[string]source{
	seclang.RawRequestBody:  {variable: rawRequest, from: 2},
	seclang.RawResponseBody: {variable: rawResponse, from: 4},
}

// HasText reports whether a body of a media type can be text. Bodies that cannot are not given to rules as they were logged.
func HasText(contentType string) bool {
	kind, _, _ := strings.Cut(contentType, "/")
	switch strings.ToLower(strings.TrimSpace(kind)) {
	case "image", "audio", "video", "font":
		return false
	}
	return true
}

// raw fills in the bodies as they were logged.
func (v *view) raw(in *Input) {
	if HasText(contentType(in.RequestHeaders)) {
		v.single[rawRequest] = in.RequestBody
	}
	if in.HasResponse && HasText(contentType(in.ResponseHeaders)) {
		v.single[rawResponse] = in.ResponseBody
	}
}

// contentType returns the last Content-Type header, "" when there is none.
func contentType(headers []Header) (value string) {
	for i := range headers {
		if h := &headers[i]; len(h.Name) == len("Content-Type") && strings.EqualFold(h.Name, "Content-Type") {
			value = h.Value
		}
	}
	return value
}
