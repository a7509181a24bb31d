package filter

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/fieldmap"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/flood"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/redact"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

// config is what the properties of a filter say, rules apart.
type config struct {
	fieldMap        string
	proxies         fieldmap.Proxies
	onMatch         bool   // any detection rule alerts, not only a reached threshold
	alertKey        string // key of the map added to a matching record, "" adds nothing
	emitTag         *tagTemplate
	emitFormat      alert.Format
	alertName       alert.Naming
	emitLimit       int64
	includePayload  bool
	alertsOnly      bool   // clean HTTP records are dropped
	metricsListen   string // address, "" for none
	metricsTag      string
	metricsInterval time.Duration
	reloadInterval  time.Duration // between two looks at the rule files, 0 for none
	trusted         string        // records with this key have a verdict already; "" when none is believed
	profile         bool          // where the time goes is kept
	background      bool          // records pass at once and are inspected beside the pipeline
	queueLimit      int64         // bytes of the records that wait for that
	queueSkips      bool          // records for which there is no room, instead of waiting
	budget          time.Duration // for inspecting one chunk; 0 inspects everything
	defaultBudget   bool          // the operator has not set it
	redactor        *redact.Redactor
	flood           flood.Settings
	incidentConfig
}

// Properties are the settings of the filter in the order in which help lists them.
func Properties() []setting.Property {
	return append(append(rules.Properties(),
		setting.Property{Name: "metrics_listen", Default: "off", Help: "address at which Prometheus finds the metrics of all instances, " +
			"for instance 127.0.0.1:2021; several instances may name the same one"},
		setting.Property{Name: "metrics_tag", Help: "when set, the metrics of the instance are emitted as a record under this tag, " +
			"with the first chunk after each metrics_interval"},
		setting.Property{Name: "metrics_interval", Default: "60s", Help: "time between records under metrics_tag"},
		setting.Property{Name: "reload_interval", Default: "off", Help: "how often to look whether rule files have changed, for instance " +
			"10s; changed rules take over while records flow, and broken ones leave those of before in use"},
		setting.Property{Name: "field_map", Default: "auto", Help: "which keys hold what of a transaction: auto (by the keys of each " +
			"record), a built-in map such as nano, nginx or envoy, the path of a YAML map or key file, or several, comma separated"},
		setting.Property{Name: "trusted_proxies", Default: "private", Help: "proxies whose X-Forwarded-For and Forwarded are believed: " +
			"private, none, networks and addresses, comma separated; the client is the first address from the right that is none of them"},
		setting.Property{Name: "alert_on", Default: "score", Values: []string{"score", "match"},
			Help: "score alerts when the anomaly threshold is reached, match on any detection rule"},
		setting.Property{Name: "alert_key", Default: "waf", Help: "key of the map added to a matching record; off adds nothing"},
		setting.Property{Name: "alert_name", Default: string(alert.ByFormat), Values: alert.Namings(),
			Help: "the rule that names an alert: worst is the most severe one, of the category with the highest score; last is the one " +
				"that matched last; auto is last in the format msa, and worst elsewhere"},
		setting.Property{Name: "emit_tag", Help: "when set, an alert is emitted under this tag; $TAG and $TAG[n] expand; " +
			"the original continues"},
		setting.Property{Name: "emit_format", Default: string(alert.MSA), Values: alert.Formats(),
			Help: "msa emits the flat alert, record a copy of the record with its alert map, the others an alert of their standard"},
		setting.Property{Name: "emit_limit", Default: "10M", Help: "memory limit of the emitter"},
		setting.Property{Name: "include_payload", Default: "on", Help: "heads and bodies in alerts, where the format has a place for them"},
		setting.Property{Name: "inspect_budget", Default: "50ms", Help: "time for inspecting one chunk, 1ms to 1m, or off; records that " +
			"are not inspected in time pass on, and are counted"},
		setting.Property{Name: "mode", Default: "inline", Values: []string{"inline", "async"}, Help: "async lets records pass at once and " +
			"inspects copies beside the pipeline; it needs emit_tag, and alert_key off"},
		setting.Property{Name: "async_limit", Default: "16M", Help: "memory limit of the records that wait for inspection in mode async"},
		setting.Property{Name: "async_full", Default: "wait", Values: []string{"wait", "skip"}, Help: "what records do in mode async when " +
			"there is no room: wait holds the pipeline up, skip lets them pass without inspection, and counts them"},
		setting.Property{Name: "keep", Default: "all", Values: []string{"all", "alerts"},
			Help: "alerts drops clean HTTP records; records that are not HTTP stay"},
		setting.Property{Name: "redact", Default: "on", Help: "takes credentials, cookies, passwords, tokens and card numbers out of alerts"},
		setting.Property{Name: "redact_names", Help: "further headers, arguments and fields whose values are taken out, comma separated"},
		setting.Property{Name: "redact_pattern", Help: "regular expression (RE2) that finds what else is taken out: its first group, if it has one"},
		setting.Property{Name: "flood_window", Default: "off", Help: "time such as 60s in which repeats of an alert, from the same source to the " +
			"same destination with the same rules, are summed up in one; off gives every alert"},
		setting.Property{Name: "alert_limit", Default: "off", Help: "alerts that go out in a second; what is beyond is counted, and told; off sets no limit"},
	), correlating()...)
}

// recordKey is where a copied record holds its alert map when alert_key adds nothing to the original.
const recordKey = "waf"

func readConfig(r *setting.Reader) config {
	c := config{
		fieldMap:       r.Text("field_map"),
		proxies:        ReadProxies(r),
		onMatch:        r.Word("alert_on") == "match",
		alertKey:       r.Text("alert_key"),
		alertName:      alert.Naming(r.Word("alert_name")),
		emitFormat:     alert.Format(r.Word("emit_format")),
		emitLimit:      r.Size("emit_limit"),
		includePayload: r.Bool("include_payload"),
		alertsOnly:     r.Word("keep") == "alerts",
		reloadInterval: r.Interval("reload_interval"),
	}
	c.background, c.queueLimit, c.queueSkips = r.Word("mode") == "async", r.Size("async_limit"), r.Word("async_full") == "skip"
	c.budget, c.defaultBudget = r.Duration("inspect_budget", time.Millisecond, time.Minute), !r.Given("inspect_budget")
	c.metricsListen, c.metricsTag, c.metricsInterval = readMetrics(r)
	if c.alertKey == "off" {
		c.alertKey = ""
	}
	c.redactor = ReadRedactor(r)
	c.flood = readFlood(r)
	c.incidentConfig = readIncidents(r)
	if text := r.Text("emit_tag"); text != "" {
		template, err := parseTag(text)
		if err != nil {
			r.Problem("emit_tag", err)
		}
		c.emitTag = template
	}
	if c.background {
		c.checkBackground(r)
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

// checkBackground refuses what a record that has passed already can no longer do.
func (c *config) checkBackground(r *setting.Reader) {
	switch {
	case c.emitTag == nil:
		r.Problem("mode", errors.New("async needs emit_tag"))
	case c.alertKey != "":
		r.Problem("mode", errors.New("async cannot add fields to records that have passed already (want alert_key off)"))
	case c.alertsOnly:
		r.Problem("mode", errors.New("async cannot drop records that have passed already (want keep all)"))
	}
}

func readMetrics(r *setting.Reader) (listen, tag string, interval time.Duration) {
	if listen = r.Text("metrics_listen"); listen == "off" {
		listen = ""
	} else if _, _, err := net.SplitHostPort(listen); err != nil {
		r.Problem("metrics_listen", fmt.Errorf("malformed address %q (want HOST:PORT or off)", listen))
	}
	if tag = r.Text("metrics_tag"); strings.ContainsAny(tag, "$ *") {
		r.Problem("metrics_tag", fmt.Errorf("malformed tag %q (want one without $, * and blanks)", tag))
	}
	if interval = r.Interval("metrics_interval"); interval == 0 && tag != "" {
		r.Problem("metrics_interval", fmt.Errorf("off while metrics_tag is %q (want a time such as 60s)", tag))
	}
	return listen, tag, interval
}

// Emitter says what the host needs to know for emitting: whether something is emitted at all, and the memory limit in
// Fluent Bit's notation.
func (f *Filter) Emitter() (limit string, wanted bool) {
	return strconv.FormatInt(f.config.emitLimit, 10), f.config.emitTag != nil || f.config.metricsTag != "" || f.config.incidentTag != "" ||
		f.config.digestTag != ""
}
