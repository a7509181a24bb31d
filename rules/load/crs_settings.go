package load

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

// crsSetting is one CRS variable under the name that users of modsecurity-crs-docker know.
type crsSetting struct {
	property string
	older    string // name of the property in the time of CRS 3, "" when it was the same
	variable string // TX variable that CRS reads
	ruleID   int    // of the rule in crs-setup.conf that sets it
	low      int    // smallest number; numbers only
	high     int    // largest number; 0 for text
	list     wrapping
	def      string // of CRS itself, which sets it where nothing else has
	help     string
}

// wrapping says how CRS wants the members of a list written.
type wrapping struct{ before, after string }

var (
	bare       = wrapping{}
	inBars     = wrapping{"|", "|"}
	inSlashes  = wrapping{"/", "/"}
	slashAfter = wrapping{"", "/"}
)

const maxNumber = 1 << 30

// settingIDs is the first id of the rules that properties make. It is not the id of the rule in crs-setup.conf that sets
// the same variable: that one stays, and sets other variables too.
const settingIDs = 7_000_000

var crsSettings = []crsSetting{
	{"blocking_paranoia", "paranoia", "blocking_paranoia_level", 900000, 1, 4, bare, "1", "CRS paranoia level up to which matches count"},
	{"detection_paranoia", "executing_paranoia", "detection_paranoia_level", 900001, 1, 4, bare, "",
		"CRS paranoia level up to which rules run; matches above blocking_paranoia are listed but do not count"},
	{"anomaly_inbound", "", "inbound_anomaly_score_threshold", 900110, 1, maxNumber, bare, "5", "anomaly score at which a request alerts"},
	{"anomaly_outbound", "", "outbound_anomaly_score_threshold", 900111, 1, maxNumber, bare, "4", "anomaly score at which a response alerts"},
	{"reporting_level", "", "reporting_level", 900115, 0, 5, bare, "", "CRS reporting level"},
	{"enforce_bodyproc_urlencoded", "", "enforce_bodyproc_urlencoded", 900010, 0, 1, bare, "",
		"1 parses bodies without a known Content-Type as forms"},
	{"allowed_methods", "", "allowed_methods", 900200, 0, 0, bare, "", "allowed HTTP methods, separated by spaces"},
	{"allowed_request_content_type", "", "allowed_request_content_type", 900220, 0, 0, inBars, "",
		"allowed request media types"},
	{"allowed_http_versions", "", "allowed_http_versions", 900230, 0, 0, bare, "", "allowed HTTP versions"},
	{"restricted_extensions", "", "restricted_extensions", 900240, 0, 0, slashAfter, "", "forbidden file extensions"},
	{"restricted_headers_basic", "", "restricted_headers_basic", 900250, 0, 0, inSlashes, "", "forbidden request headers"},
	{"restricted_headers_extended", "", "restricted_headers_extended", 900255, 0, 0, inSlashes, "",
		"forbidden request headers at paranoia level 2 and above"},
	{"static_extensions", "", "static_extensions", 900260, 0, 0, inSlashes, "", "static file extensions (CRS 3 only)"},
	{"allowed_request_content_type_charset", "", "allowed_request_content_type_charset", 900280, 0, 0, inBars, "",
		"allowed request charsets"},
	{"max_num_args", "", "max_num_args", 900300, 1, maxNumber, bare, "", "maximum number of arguments"},
	{"arg_name_length", "", "arg_name_length", 900310, 1, maxNumber, bare, "", "maximum length of an argument name"},
	{"arg_length", "", "arg_length", 900320, 1, maxNumber, bare, "", "maximum length of an argument value"},
	{"total_arg_length", "", "total_arg_length", 900330, 1, maxNumber, bare, "", "maximum total length of arguments"},
	{"max_file_size", "", "max_file_size", 900340, 1, maxNumber, bare, "", "maximum size of an uploaded file in bytes"},
	{"combined_file_sizes", "", "combined_file_sizes", 900350, 1, maxNumber, bare, "", "maximum total size of uploaded files in bytes"},
	{"validate_utf8_encoding", "", "crs_validate_utf8_encoding", 900950, 0, 1, bare, "", "1 alerts on invalid UTF-8"},
}

func (s crsSetting) describe() []setting.Property {
	all := []setting.Property{{Name: s.property, Default: s.def, Help: s.help}}
	if s.older != "" {
		all = append(all, setting.Property{Name: s.older, Help: "older name of " + s.property})
	}
	return all
}

// read returns what the property assigns, or a preset in place of a property that is not given. Otherwise nothing is assigned, so that
// defaults stay those of the rules.
func (s crsSetting) read(r *setting.Reader, preset string) (a Assignment, given bool) {
	if s.older != "" && r.Given(s.older) && !r.Given(s.property) {
		s.property = s.older
	}
	value := r.Text(s.property)
	if !r.Given(s.property) {
		if value = preset; preset == "" {
			return a, false
		}
	}
	switch {
	case s.high > 0:
		value = fmt.Sprint(r.Int(s.property, s.low, s.high))
	case strings.ContainsAny(value, "'\"\\%\n"):
		r.Problem(s.property, fmt.Errorf("malformed list %q (want words separated by spaces, without quotes, backslashes and %%)", value))
		return a, false
	default:
		value = s.list.wrap(value)
	}
	return Assignment{settingIDs + s.ruleID - 900000, s.variable, value}, true
}

func (w wrapping) wrap(list string) string {
	words := strings.FieldsFunc(list, func(c rune) bool { return c == ' ' || c == ',' || c == '\t' })
	for i, word := range words {
		word = strings.TrimSuffix(strings.TrimPrefix(word, w.before), w.after)
		words[i] = w.before + word + w.after
	}
	return strings.Join(words, " ")
}

// checkParanoia rejects levels with which CRS has every request alert (rule 901500): those of the rules that run have to hold those of the
// rules that count.
func checkParanoia(r *setting.Reader, embedded bool) {
	level := func(property, older string) (int, bool) {
		for _, name := range []string{property, older} {
			if r.Given(name) {
				n, err := strconv.Atoi(r.Text(name))
				return n, err == nil // reported as another problem
			}
		}
		return 1, embedded // the default of CRS
	}
	blocking, known := level("blocking_paranoia", "paranoia")
	detection, given := level("detection_paranoia", "executing_paranoia")
	if given = given && (r.Given("detection_paranoia") || r.Given("executing_paranoia")); known && given && detection < blocking {
		r.Problem("detection_paranoia", fmt.Errorf("%d is below blocking_paranoia (want %d or more)", detection, blocking))
	}
}
