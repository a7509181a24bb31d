package pipeline

import (
	"cmp"
	"errors"
	"strings"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/fieldmap"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/flood"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/incident"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/redact"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// Config is what the properties of a filter say, rules and metrics apart.
type Config struct {
	FieldMap      string
	Proxies       fieldmap.Proxies
	onMatch       bool   // any detection rule alerts, not only a reached threshold
	alertKey      string // key of the map added to a matching record, "" adds nothing
	alertName     alert.Naming
	alertsOnly    bool          // clean HTTP records are dropped
	trusted       string        // records with this key have a verdict already; "" when none is believed
	budget        time.Duration // for inspecting one chunk; 0 inspects everything
	defaultBudget bool          // the operator has not set it
	async         asyncConfig
	emits         emitConfig
	Redactor      *redact.Redactor
	flood         flood.Settings
	incidents     incidentConfig
}

// asyncConfig is what the properties say of records that pass at once and are inspected beside the pipeline.
type asyncConfig struct {
	on    bool
	limit int64 // bytes of the records that wait
	skips bool  // records for which there is no room, instead of waiting
}

// Properties are the settings of the pipeline in the order in which help lists them.
func Properties() []setting.Property {
	return append([]setting.Property{
		{Name: "field_map", Default: "auto", Help: "maps from keys to transactions, comma separated: auto (by the keys " +
			"of each record), built-in maps such as nano, nginx or envoy, paths of YAML maps or key files"},
		{Name: "trusted_proxies", Default: "private", Help: "proxies whose X-Forwarded-For and Forwarded are trusted, comma separated: " +
			"private, none, networks and addresses; the client is the first untrusted address from the right"},
		{Name: "alert_on", Default: "score", Values: []string{"score", "match"},
			Help: "score alerts when the anomaly score reaches its threshold, match on any detection rule"},
		{Name: "alert_key", Default: "waf", Help: "key of the map added to matching records; off adds none"},
		{Name: "alert_name", Default: string(alert.ByFormat), Values: alert.Namings(),
			Help: "the rule that names an alert: worst (the most severe in the category with the highest score), last (the last to match), " +
				"or auto (last in the format msa, otherwise worst)"},
		{Name: "emit_tag", Help: "emits alerts under this tag; $TAG and $TAG[n] expand; " +
			"the record continues"},
		{Name: "emit_format", Default: string(alert.MSA), Values: alert.Formats(),
			Help: "msa emits the flat alert, record a copy of the record with its map, others an alert of their standard"},
		{Name: "emit_limit", Default: "10M", Help: "memory limit of the emitter"},
		{Name: "include_payload", Default: "on", Help: "includes headers and bodies in alerts, if the format has fields for them"},
		{Name: "inspect_budget", Default: "50ms", Help: "time limit for inspecting a chunk, 1ms to 1m, or off; late records " +
			"pass uninspected and are counted"},
		{Name: "mode", Default: "inline", Values: []string{"inline", "async"}, Help: "async passes records at once and " +
			"inspects copies in the background; it requires emit_tag, and alert_key off"},
		{Name: "async_limit", Default: "16M", Help: "memory limit for records waiting in mode async"},
		{Name: "async_full", Default: "wait", Values: []string{"wait", "skip"}, Help: "at async_limit, wait blocks the pipeline, " +
			"skip passes records uninspected and counts them"},
		{Name: "keep", Default: "all", Values: []string{"all", "alerts"},
			Help: "alerts drops clean HTTP records; records that are not HTTP are kept"},
		{Name: "redact", Default: "on", Help: "redacts credentials, cookies, passwords, tokens and card numbers in alerts"},
		{Name: "redact_names", Help: "additional headers, arguments and fields to redact, comma separated"},
		{Name: "redact_pattern", Help: "regular expression (RE2) for additional secrets: its first group, otherwise the whole match"},
		{Name: "flood_window", Default: "off", Help: "time such as 60s in which repeated alerts (same source, destination and " +
			"rules) are summarized in one; off emits every alert"},
		{Name: "alert_limit", Default: "off", Help: "maximum alerts per second; excess alerts are counted and reported; off for no limit"},
	}, correlating()...)
}

func ReadConfig(r *setting.Reader) Config {
	c := Config{
		FieldMap:  r.Text("field_map"),
		Proxies:   ReadProxies(r),
		onMatch:   r.Word("alert_on") == "match",
		alertKey:  r.Text("alert_key"),
		alertName: alert.Naming(r.Word("alert_name")),
		emits: emitConfig{
			format:         alert.Format(r.Word("emit_format")),
			limit:          r.Size("emit_limit"),
			includePayload: r.Bool("include_payload"),
		},
		alertsOnly: r.Word("keep") == "alerts",
	}
	c.async = asyncConfig{on: r.Word("mode") == "async", limit: r.Size("async_limit"), skips: r.Word("async_full") == "skip"}
	c.budget, c.defaultBudget = r.Duration("inspect_budget", time.Millisecond, time.Minute), !r.Given("inspect_budget")
	if c.alertKey == "off" {
		c.alertKey = ""
	}
	c.Redactor = ReadRedactor(r)
	c.flood = readFlood(r)
	c.incidents = readIncidents(r)
	c.emits.incidentsOnly, c.emits.digestTag = c.incidents.only, c.incidents.digestTag
	if text := r.Text("emit_tag"); text != "" {
		template, err := parseTag(text)
		if err != nil {
			r.Problem("emit_tag", err)
		}
		c.emits.tag = template
	}
	if c.async.on {
		c.checkAsync(r)
	}
	return c
}

// ReadProxies returns the networks that the property trusted_proxies names.
func ReadProxies(r *setting.Reader) fieldmap.Proxies {
	trusted, err := fieldmap.ParseProxies(r.Text("trusted_proxies"))
	if err != nil {
		r.Problem("trusted_proxies", err)
	}
	return trusted
}

// ReadRedactor returns what the properties redact, redact_names and redact_pattern describe, nil when redaction is off.
func ReadRedactor(r *setting.Reader) *redact.Redactor {
	redactor, err := redact.New(r.List("redact_names"), r.Text("redact_pattern"))
	if err != nil {
		r.Problem("redact_pattern", err)
	}
	if !r.Bool("redact") {
		return nil
	}
	return redactor
}

// The bounds of flood control.
const (
	longestWindow = 24 * time.Hour
	highestLimit  = 1_000_000
)

func readFlood(r *setting.Reader) (s flood.Settings) {
	s.Window = r.Duration("flood_window", time.Second, longestWindow)
	if text := strings.ToLower(r.Text("alert_limit")); text != "off" {
		s.Limit = r.Int("alert_limit", 0, highestLimit)
	}
	return s
}

// ForOutput makes the configuration one for records that go to destinations: an output does not hold the host up. It may believe verdicts that
// records have already.
func (c *Config) ForOutput(believes bool) {
	c.budget = 0
	if believes {
		c.trusted = cmp.Or(c.alertKey, recordKey)
	}
}

// SendsDigests reports whether digests are sent instead of incidents.
func (c *Config) SendsDigests() bool { return c.incidents.digestTag != "" }

// StateFile returns the file that keeps incidents or digests, "" for none.
func (c *Config) StateFile() string {
	if !c.incidents.correlates {
		return ""
	}
	return c.incidents.state
}

// ForFiles makes the configuration one for records from files: Check makes observations of them, at the times that they name. It returns
// the options of what makes incidents of these.
func (c *Config) ForFiles() incident.Options {
	c.incidents.observe, c.incidents.timesInRecords, c.incidents.correlates = true, true, false
	return c.incidents.options
}

// RequireIncidentTag refuses incidents whose events would have no tag.
func (c *Config) RequireIncidentTag(r *setting.Reader) {
	if c.incidents.correlates && c.incidents.tag == "" && c.incidents.digestTag == "" {
		r.Problem("incidents", errors.New("on requires incident_tag or incident_digest_tag"))
	}
}

// checkAsync refuses what a record that has passed already can no longer do.
func (c *Config) checkAsync(r *setting.Reader) {
	switch {
	case c.emits.tag == nil:
		r.Problem("mode", errors.New("async requires emit_tag"))
	case c.alertKey != "":
		r.Problem("mode", errors.New("async cannot annotate records, which have already passed (want alert_key off)"))
	case c.alertsOnly:
		r.Problem("mode", errors.New("async cannot drop records, which have already passed (want keep all)"))
	}
}
