package cli

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/receive"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// What help shows as the value of a switch.
const (
	OnOff   = "on|off"
	oneZero = "1|0"
)

// metavars are what help shows as the value of settings that take more than a few words.
var metavars = byName(map[string]string{
	OnOff: "prefilter gate rules_strict include_payload redact incidents base64 modsec_req_body_access modsec_resp_body_access http2 " +
		"environment preserve_host backend_verify client_verify",
	oneZero: "enforce_bodyproc_urlencoded validate_utf8_encoding",
	"NUMBER": "blocking_paranoia paranoia detection_paranoia executing_paranoia anomaly_inbound anomaly_outbound reporting_level max_num_args " +
		"arg_name_length arg_length total_arg_length modsec_req_body_json_depth_limit modsec_arguments_limit sockets source_rate " +
		"max_connections source_connections alert_limit max_headers",
	"STATUS": "deny_status",
	"BYTES":  "max_file_size combined_file_sizes modsec_req_body_limit modsec_resp_body_limit",
	"SIZE":   "cache_size emit_limit async_limit receive_buffer queue_limit max_message body_memory max_head",
	"TIME": "wait incident_learning metrics_interval reload_interval inspect_budget flood_window idle_timeout interval " +
		"inspect_timeout backend_timeout response_wait header_timeout body_timeout send_timeout shutdown_delay shutdown_timeout",
	"WORDS": "allowed_methods allowed_request_content_type allowed_http_versions restricted_extensions restricted_headers_basic " +
		"restricted_headers_extended static_extensions allowed_request_content_type_charset modsec_resp_body_mimetype",
	"WHEN":            "since until",
	"PATH":            "from plugin fluent_bit temp_dir",
	"HOST":            "host",
	"URL":             "backend",
	"HEADER":          "real_ip_header",
	"HOST:PORT":       "metrics_listen tls_listen health_listen",
	"PLACE,...":       "listen",
	"DESTINATION,...": "alert_to",
	"FILE":            "output incident_state incident_rules identities tls_cert tls_key client_ca backend_ca backend_cert backend_key",
	"PLACE":           "access_log",
	"on|off|PORT":     "tls_redirect",
	"TAG":             "tag emit_tag metrics_tag incident_tag incident_digest_tag",
	"KEY":             "alert_key source_address_key time_key",
	"ZONE":            "time_zone",
	"SOURCE,...":      "rules",
	"PACK,...":        "rule_packs",
	"RULE,...":        "exclude_rules",
	"MAP,...":         "field_map",
	"NETWORK,...":     "allow trusted_proxies",
	"NAME,...":        "redact_names base64_keys",
	"REGEXP":          "redact_pattern",
	"FINDING;...":     "incident_exclude",
	"SECLANG":         "directives",
})

func byName(lists map[string]string) map[string]string {
	all := map[string]string{}
	for metavar, names := range lists {
		for _, name := range strings.Fields(names) {
			all[name] = metavar
		}
	}
	return all
}

// maxWords is the width up to which help shows the allowed words as the value; beyond they stand in the text.
const maxWords = 24

// metavar returns what help shows as the value of a setting.
func metavar(p setting.Property) string {
	if len(p.Values) == 0 {
		return metavars[p.Name]
	}
	if words := strings.Join(p.Values, "|"); len(words) <= maxWords {
		return words
	}
	return "WORD"
}

// flagHelp returns the help of a setting with settings spelt as flags, those of its table among them.
func flagHelp(p setting.Property, table []setting.Property) string {
	text := asFlags(p.Help, table)
	if metavar(p) == "WORD" {
		text += fmt.Sprintf(": %s", setting.Choice(p.Values))
	}
	return text
}

// property finds words that may be the name of a setting.
var property = regexp.MustCompile(`\b[a-z0-9]+(?:_[a-z0-9]+)+\b`)

// asFlags spells the settings that a text names as flags: --alert-to, not alert_to.
func asFlags(text string, table []setting.Property) string {
	return property.ReplaceAllStringFunc(text, func(word string) string {
		if slices.ContainsFunc(table, func(p setting.Property) bool { return p.Name == word }) || slices.Contains(settingNames(), word) {
			return FlagName(word)
		}
		return word
	})
}

// settingNames returns the names of all settings that are flags of some command.
func settingNames() (names []string) {
	for _, p := range slices.Concat(filter.Properties(), filter.OutputProperties(), receive.Properties()) {
		names = append(names, p.Name)
	}
	return names
}
