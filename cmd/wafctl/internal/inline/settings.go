package inline

import (
	"slices"
	"strings"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/fieldmap"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// Mode is what the engine does about attacks.
type Mode string

// The modes.
const (
	On     Mode = "on"     // attacks are blocked
	Detect Mode = "detect" // attacks are reported and pass
	Off    Mode = "off"    // nothing is inspected
)

// Settings are the settings of an Engine besides those of its filter.
type Settings struct {
	Mode         Mode
	BlockOnError bool          // what could not be inspected does not pass
	Timeout      time.Duration // for inspecting a request, and again for its response
	DenyStatus   int
	Proxies      fieldmap.Proxies
	RealIPHeader string
	ResponseBody bool // response bodies may be inspected
	Destinations []string
	Tag          string
	limits
}

// limits bound what of bodies is inspected, in bytes.
type limits struct {
	RequestLimit  int
	ResponseLimit int
	ResponseTypes []string // media types of response bodies that are inspected
}

// Defaults of the engine's configuration, which the settings of the same names replace.
const (
	defaultRequestLimit  = 13_107_200
	defaultResponseLimit = 524_288
)

var defaultResponseTypes = []string{"text/plain", "text/html", "text/xml"}

// The bounds of the timeout.
const (
	shortestTimeout = time.Millisecond
	longestTimeout  = time.Minute
)

// own are the settings of an Engine that are none of its filter.
var own = []setting.Property{
	{Name: "engine", Default: string(On), Values: []string{string(On), string(Detect), string(Off)},
		Help: "on blocks attacks, detect only reports them, off inspects nothing"},
	{Name: "deny_status", Default: "403", Help: "status of the answer to a blocked request"},
	{Name: "on_error", Default: "pass", Values: []string{"pass", "block"},
		Help: "what happens to requests that cannot be inspected: the engine fails, or inspect_timeout is over"},
	{Name: "inspect_timeout", Default: "1s", Help: "time for inspecting a request, and again for its response, 1ms to 1m"},
	{Name: "trusted_proxies", Default: "none", Help: "proxies in front, whose real_ip_header is believed: networks and addresses, or private, " +
		"comma separated"},
	{Name: "real_ip_header", Default: "X-Forwarded-For", Help: "header in which trusted proxies report the client's address"},
	{Name: "alert_to", Default: "stdout", Help: "where alerts go, several with commas; off delivers none"},
	{Name: "tag", Default: "wafctl", Help: "tag of the requests, for $TAG in emit_tag"},
}

// inherited are the filter's settings that make no sense in the request path: every request is a record of the same form, evaluated
// before it goes on.
var inherited = []string{
	"field_map", "trusted_proxies", "alert_key", "inspect_budget", "mode", "async_limit", "async_full", "keep", "metrics_tag", "metrics_interval",
}

// defaults are the defaults of the filter's settings that differ here: rule packs are written for logs of internal traffic, and the
// format msa has no id that an answer could carry.
var defaults = map[string]string{"reload_interval": "10s", "rule_packs": "off", "emit_tag": "alert.$TAG", "emit_format": "modsecurity"}

// Properties are the settings of an Engine in the order in which help lists them.
func Properties() []setting.Property { return slices.Concat(own, FilterProperties()) }

// FilterProperties are those settings of an Engine that its filter reads.
func FilterProperties() []setting.Property {
	all := slices.DeleteFunc(filter.Properties(), func(p setting.Property) bool { return slices.Contains(inherited, p.Name) })
	for i := range all {
		if text, differs := defaults[all[i].Name]; differs {
			all[i].Default = text
		}
	}
	return all
}

// ReadSettings reads the settings; problems stay in the reader, which must know Properties.
func ReadSettings(r *setting.Reader) Settings {
	s := Settings{
		Mode: Mode(r.Word("engine")), BlockOnError: r.Word("on_error") == "block", DenyStatus: r.Int("deny_status", 400, 599),
		Timeout:      r.Duration("inspect_timeout", shortestTimeout, longestTimeout),
		Proxies:      filter.ReadProxies(r),
		RealIPHeader: r.Text("real_ip_header"), Destinations: r.List("alert_to"), Tag: r.Text("tag"),
		ResponseBody: !r.Given("modsec_resp_body_access") || r.Bool("modsec_resp_body_access"),
		limits:       limits{RequestLimit: defaultRequestLimit, ResponseLimit: defaultResponseLimit, ResponseTypes: defaultResponseTypes},
	}
	if r.Given("modsec_req_body_limit") {
		s.RequestLimit = r.Int("modsec_req_body_limit", 1, 1<<30)
	}
	if r.Given("modsec_resp_body_limit") {
		s.ResponseLimit = r.Int("modsec_resp_body_limit", 1, 1<<30)
	}
	if types := r.List("modsec_resp_body_mimetype"); len(types) > 0 {
		s.ResponseTypes = types
	}
	if slices.Equal(s.Destinations, []string{"off"}) {
		s.Destinations = nil
	}
	return s
}

// filterSettings gives the filter what the user has set, and the values of what the user cannot set.
type filterSettings struct{ user setting.Getter }

// Get implements setting.Getter.
func (f filterSettings) Get(name string) string {
	switch name {
	case "field_map":
		return "nano"
	case "trusted_proxies":
		return "none" // the record has the client's address already
	case "alert_key", "inspect_budget":
		return "off"
	}
	if slices.Contains(inherited, name) {
		return ""
	}
	if given := f.user.Get(name); given != "" {
		return given
	}
	if name == "reload_interval" && !f.namesFiles() {
		return ""
	}
	if name == "incident_tag" && f.user.Get("incident_digest_tag") == "" && strings.EqualFold(strings.TrimSpace(f.user.Get("incidents")), "on") {
		return "incident"
	}
	return defaults[name]
}

// namesFiles reports whether rules come from files that may change.
func (f filterSettings) namesFiles() bool {
	for source := range strings.SplitSeq(f.user.Get("rules"), ",") {
		if source = strings.TrimSpace(source); source != "" && source != "crs" {
			return true
		}
	}
	return false
}
