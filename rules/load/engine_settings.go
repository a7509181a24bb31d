package load

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

// engineSetting is one directive of the engine under the name that users of modsecurity-crs-docker know.
type engineSetting struct {
	property  string
	directive string
	high      int // largest number; 0 for what is no number
	words     bool
	help      string
}

var engineSettings = []engineSetting{
	{"modsec_req_body_access", "SecRequestBodyAccess", 0, false, "off skips request bodies"},
	{"modsec_req_body_limit", "SecRequestBodyLimit", maxNumber, false,
		"inspected bytes of a request body; default 13107200, or as set by rules"},
	{"modsec_req_body_json_depth_limit", "SecRequestBodyJsonDepthLimit", maxJSONDepth, false,
		"maximum nesting of a JSON request body; default 1024, or as set by rules"},
	{"modsec_arguments_limit", "SecArgumentsLimit", maxNumber, false, "maximum number of arguments; default 1000, or as set by rules"},
	{"modsec_resp_body_access", "SecResponseBodyAccess", 0, false, "off skips response bodies"},
	{"modsec_resp_body_limit", "SecResponseBodyLimit", maxNumber, false,
		"inspected bytes of a response body; default 524288, or as set by rules"},
	{"modsec_resp_body_mimetype", "SecResponseBodyMimeType", 0, true,
		"inspected response media types; default text/plain text/html text/xml, or as set by rules"},
}

// maxJSONDepth keeps the parsers' recursion within a stack that is certain to be there.
const maxJSONDepth = 10_000

var mimeType = regexp.MustCompile(`^[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+*-]+$`)

func (s engineSetting) describe() setting.Property {
	return setting.Property{Name: s.property, Help: s.help}
}

// read returns the directive, "" when the property is not given. It goes behind all rules, so it overrules what they set.
func (s engineSetting) read(r *setting.Reader) string {
	if !r.Given(s.property) {
		return ""
	}
	switch {
	case s.high > 0:
		return fmt.Sprintf("%s %d", s.directive, r.Int(s.property, 1, s.high))
	case s.words:
		types := strings.FieldsFunc(r.Text(s.property), func(c rune) bool { return strings.ContainsRune(" ,\t|", c) })
		for _, t := range types {
			if !mimeType.MatchString(t) {
				r.Problem(s.property, fmt.Errorf("malformed media type %q (want words such as text/html, separated by spaces)", t))
			}
		}
		return s.directive + " " + strings.Join(types, " ")
	case r.Bool(s.property):
		return s.directive + " On"
	default:
		return s.directive + " Off"
	}
}
