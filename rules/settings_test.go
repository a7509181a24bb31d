package rules

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

// crsCases are properties with a value, and what CRS then has in which variable.
var crsCases = []struct{ property, value, variable, want string }{
	{"blocking_paranoia", "3", "blocking_paranoia_level", "3"},
	{"detection_paranoia", "4", "detection_paranoia_level", "4"},
	{"enforce_bodyproc_urlencoded", "1", "enforce_bodyproc_urlencoded", "1"},
	{"anomaly_inbound", "6", "inbound_anomaly_score_threshold", "6"},
	{"anomaly_outbound", "7", "outbound_anomaly_score_threshold", "7"},
	{"reporting_level", "5", "reporting_level", "5"},
	{"allowed_methods", "GET OPTIONS", "allowed_methods", "GET OPTIONS"},
	{"allowed_request_content_type", "application/json text/xml", "allowed_request_content_type", "|application/json| |text/xml|"},
	{"allowed_request_content_type_charset", "|utf-8|", "allowed_request_content_type_charset", "|utf-8|"},
	{"allowed_http_versions", "HTTP/1.1", "allowed_http_versions", "HTTP/1.1"},
	{"restricted_extensions", ".exe", "restricted_extensions", ".exe/"},
	{"restricted_headers_basic", "/if/", "restricted_headers_basic", "/if/"},
	{"restricted_headers_extended", "x-some-header", "restricted_headers_extended", "/x-some-header/"},
	{"static_extensions", "/.jpg/ /.png/", "static_extensions", "/.jpg/ /.png/"},
	{"max_num_args", "100", "max_num_args", "100"},
	{"arg_name_length", "200", "arg_name_length", "200"},
	{"arg_length", "300", "arg_length", "300"},
	{"total_arg_length", "400", "total_arg_length", "400"},
	{"max_file_size", "500", "max_file_size", "500"},
	{"combined_file_sizes", "600", "combined_file_sizes", "600"},
	{"validate_utf8_encoding", "1", "crs_validate_utf8_encoding", "1"},
}

// TestEveryCRSSettingReachesTheRules asks with rules of its own what properties have made of their variables.
func TestEveryCRSSettingReachesTheRules(t *testing.T) {
	settings, directives := setting.Map{}, ""
	for i, c := range crsCases {
		settings[c.property] = c.value
		directives += asks(i+1, c.variable, c.want)
	}
	settings["directives"] = directives
	v, err := open(t, settings).Inspect(sample())
	require.NoError(t, err)
	for i, c := range crsCases {
		assert.Contains(t, ids(v), i+1, c.property)
	}
	const older, ofEngine, others = 3, 7, 8
	assert.Len(t, Properties(), len(crsCases)+older+ofEngine+others, "a new setting has a case")
}

// asks returns a rule that matches when a variable of CRS has a value.
func asks(id int, variable, value string) string {
	return fmt.Sprintf("SecRule TX:%s \"@streq %s\" \"id:%d,phase:2,deny,log,msg:'set',severity:NOTICE\"\n", variable, value, id)
}

func TestOlderNamesOfSettings(t *testing.T) {
	directives := asks(1, "blocking_paranoia_level", "2") + asks(2, "detection_paranoia_level", "3")
	v, err := open(t, setting.Map{"paranoia": "2", "executing_paranoia": "3", "directives": directives}).Inspect(sample())
	require.NoError(t, err)
	assert.Subset(t, ids(v), []int{1, 2})
	newer := setting.Map{"blocking_paranoia": "2", "paranoia": "4", "detection_paranoia": "3", "directives": directives}
	v, err = open(t, newer).Inspect(sample())
	require.NoError(t, err)
	assert.Subset(t, ids(v), []int{1, 2}, "the newer name counts")
}

const attack = "' UNION SELECT password FROM users-- -"

// post is a transaction with an attack in the body of the request and a leak in that of the response.
func post(mime, body string) *model.Transaction {
	request := sample()
	request.Method, request.URI, request.RequestBody = "POST", "/", body
	request.RequestHeaders = append(request.RequestHeaders, model.Header{Name: "Content-Type", Value: mime},
		model.Header{Name: "Content-Length", Value: fmt.Sprint(len(body))})
	return request
}

// bodyRules look for the attack and the leak.
const bodyRules = `SecRule ARGS "@contains UNION" "id:1,phase:2,deny,log,msg:'attack',severity:CRITICAL"
SecRule RESPONSE_BODY "@contains SQL syntax" "id:2,phase:4,deny,log,msg:'leak',severity:CRITICAL"
`

func TestEngineSettingsBoundWhatIsInspected(t *testing.T) {
	form := post("application/x-www-form-urlencoded", "a=1&b=2&c="+attack)
	deep := post("application/json", `{"a":{"b":{"c":{"d":1}}}}`)
	own := filepath.Join(t.TempDir(), "own.conf")
	require.NoError(t, os.WriteFile(own, []byte(bodyRules), 0o600))
	leak := sample()
	leak.URI, leak.ResponseStatus, leak.ResponseProtocol = "/", 200, "HTTP/1.1"
	leak.ResponseHeaders = []model.Header{{Name: "Content-Type", Value: "text/html"}}
	leak.ResponseBody = "<p>You have an error in your SQL syntax; check the manual that corresponds to your MySQL server version</p>"
	leak.HasResponse = true
	other := *leak
	other.ResponseHeaders = []model.Header{{Name: "Content-Type", Value: "application/problem+json"}}

	for property, c := range map[string]struct {
		value         string
		request       *model.Transaction
		rule          int
		before, after bool // whether the rule matches without and with the property
	}{
		"modsec_req_body_access":           {"off", form, 1, true, false},
		"modsec_req_body_limit":            {"12", form, 1, true, false},
		"modsec_req_body_json_depth_limit": {"2", deep, 200002, false, true},
		"modsec_arguments_limit":           {"2", form, 1, true, false},
		"modsec_resp_body_access":          {"off", leak, 2, true, false},
		"modsec_resp_body_limit":           {"20", leak, 2, true, false},
		"modsec_resp_body_mimetype":        {"text/html application/problem+json", &other, 2, false, true},
	} {
		for _, prefilter := range []string{"on", "off"} {
			t.Run(property+" with prefilter "+prefilter, func(t *testing.T) {
				matches := func(settings setting.Map) bool {
					settings["prefilter"], settings["rules"], settings["rule_packs"] = prefilter, own, "off"
					v, err := open(t, settings).Inspect(c.request)
					require.NoError(t, err)
					return slices.Contains(ids(v), c.rule)
				}
				assert.Equal(t, c.before, matches(setting.Map{}), "without it")
				assert.Equal(t, c.after, matches(setting.Map{property: c.value}), "with it")
			})
		}
	}
}

func TestMalformedEngineSettingsAreRefused(t *testing.T) {
	for property, c := range map[string][2]string{
		"modsec_req_body_access":           {"maybe", `malformed switch "maybe" (want on or off)`},
		"modsec_req_body_limit":            {"0", `0 is out of range (1 to 1073741824)`},
		"modsec_req_body_json_depth_limit": {"1000000", `1000000 is out of range (1 to 10000)`},
		"modsec_resp_body_mimetype":        {"text/html html\nSecRuleEngine", `malformed media type "html\nSecRuleEngine" (want words such as text/html, separated by spaces)`},
	} {
		r := setting.NewReader(setting.Map{property: c[0]}, Properties())
		ReadConfig(r)
		assert.EqualError(t, r.Err(), "property "+property+": "+c[1])
	}
}

func TestParanoiaLevelsWithWhichEverythingAlertsAreRefused(t *testing.T) {
	for _, c := range []struct {
		settings setting.Map
		refused  bool
	}{
		{setting.Map{"blocking_paranoia": "2", "detection_paranoia": "1"}, true},
		{setting.Map{"paranoia": "3", "executing_paranoia": "2"}, true},
		{setting.Map{"blocking_paranoia": "2", "detection_paranoia": "2"}, false},
		{setting.Map{"detection_paranoia": "1"}, false},
		{setting.Map{"blocking_paranoia": "4"}, false},
		{setting.Map{"rules": "/etc/own.conf", "detection_paranoia": "1"}, false}, // which level counts is said in the file
	} {
		r := setting.NewReader(c.settings, Properties())
		ReadConfig(r)
		if c.refused {
			require.ErrorContains(t, r.Err(), "detection_paranoia", "%v", c.settings)
			require.ErrorContains(t, r.Err(), "below blocking_paranoia", "%v", c.settings)
		} else {
			require.NoError(t, r.Err(), "%v", c.settings)
		}
	}
}

func TestRulesThatBlockEveryRequestAreToldOf(t *testing.T) {
	own := filepath.Join(t.TempDir(), "own.conf")
	require.NoError(t, os.WriteFile(own, []byte(`SecAction "id:100,phase:1,nolog,pass,setvar:tx.detection_paranoia_level=1"`), 0o600))
	s, err := library.Open(config(t, setting.Map{"rules": own + ",crs", "blocking_paranoia": "3"}))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	require.Contains(t, strings.Join(s.Warnings(), "\n"), "blocks every request")
	quiet, err := library.Open(config(t, setting.Map{"blocking_paranoia": "3"}))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, quiet.Close()) })
	require.NotContains(t, strings.Join(quiet.Warnings(), "\n"), "blocks every request")
}

func TestTheOlderNameOfThePrefilterStaysAccepted(t *testing.T) {
	for _, c := range []struct {
		settings setting.Map
		want     bool
	}{
		{setting.Map{}, true}, {setting.Map{"gate": "off"}, false}, {setting.Map{"gate": "on"}, true}, {setting.Map{"prefilter": "off"}, false},
		{setting.Map{"prefilter": "off", "gate": "on"}, false}, {setting.Map{"prefilter": "on", "gate": "off"}, true},
	} {
		require.Equal(t, c.want, config(t, c.settings).Prefilter, "%v", c.settings)
	}
	r := setting.NewReader(setting.Map{"gate": "perhaps"}, Properties())
	ReadConfig(r)
	require.ErrorContains(t, r.Err(), "gate")
}
