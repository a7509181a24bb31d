package wafprocessor

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// Config configures the processor.
type Config struct {
	// AlertRecords adds a log record of its own for each alert.
	AlertRecords bool `mapstructure:"alert_records"`
	// Properties are those of the filter, under the names that they have in Fluent Bit: see Properties.
	Properties map[string]any `mapstructure:",remain"`
}

// Tags that alerts and events about incidents have in the filter. They are never seen outside.
const (
	alertTag    = "waf.alert"
	incidentTag = "waf.incident"
)

// elsewhere are the properties of the filter that the processor lacks, with the reason.
var elsewhere = map[string]string{
	"emit_tag":            "alerts are log records of the same pipeline: see alert_records",
	"emit_limit":          "alerts wait where all other records do: see sending_queue of the exporter",
	"incident_tag":        "events about incidents are log records of the same pipeline",
	"incident_digest_tag": "an aggregator of digests runs in Fluent Bit or wafctl",
	"metrics_tag":         "the collector exports metrics itself: see service::telemetry",
	"metrics_interval":    "the collector exports metrics itself: see service::telemetry",
	"mode":                "a collector inspects batches in parallel, and its receivers wait",
	"async_limit":         "a collector inspects batches in parallel, and its receivers wait",
	"async_full":          "a collector inspects batches in parallel, and its receivers wait",
	"keep":                "the filter processor drops records by the attribute waf.alert",
	"gate":                "it is called prefilter now",
}

// defaults are those that differ from Fluent Bit's: nothing waits for the goroutine that inspects a batch but the batch itself, and an
// alert is a copy of its record with the attributes that describe it.
var defaults = map[string]string{"inspect_budget": "off", "emit_format": "record"}

// Properties are the settings that a configuration may have besides alert_records, in the order in which help lists them.
func Properties() (all []setting.Property) {
	for _, p := range filter.Properties() {
		if elsewhere[p.Name] != "" {
			continue
		}
		p.Default = cmp.Or(defaults[p.Name], p.Default)
		if p.Name == "alert_key" {
			p.Help = "prefix of the attributes that hold a verdict; off adds none"
		}
		all = append(all, p)
	}
	return all
}

// Validate implements confmap.Validator.
func (c *Config) Validate() error {
	var names []string
	for _, p := range Properties() {
		names = append(names, p.Name)
	}
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(c.Properties)) {
		if !slices.Contains(names, name) {
			problems = append(problems, unknown(name, append(names, "alert_records")))
			continue
		}
		if _, err := text(c.Properties[name]); err != nil {
			problems = append(problems, fmt.Errorf("property %s: %w", name, err))
		}
	}
	return errors.Join(append(problems, filter.Validate(c))...)
}

func unknown(name string, names []string) error {
	if why := elsewhere[name]; why != "" {
		return fmt.Errorf("property %s does not exist here: %s", name, why)
	}
	if nearest := setting.Nearest(name, names); nearest != "" {
		return fmt.Errorf("unknown property %s (did you mean %s?)", name, nearest)
	}
	return fmt.Errorf("unknown property %s", name)
}

// Get returns a property as text, as the filter reads it.
func (c *Config) Get(name string) string {
	switch {
	case name == "emit_tag" && c.AlertRecords:
		return alertTag
	case name == "incident_tag" && c.correlates():
		return incidentTag
	}
	value, _ := text(c.Properties[name])
	return cmp.Or(value, defaults[name])
}

// correlates reports whether incidents are on.
func (c *Config) correlates() bool {
	return setting.NewReader(setting.Map{"incidents": c.get("incidents")}, []setting.Property{{Name: "incidents", Default: "off"}}).Bool("incidents")
}

func (c *Config) get(name string) string {
	value, _ := text(c.Properties[name])
	return value
}

// alertKey is the prefix of the attributes that hold a verdict, "" when records get none.
func (c *Config) alertKey() string {
	switch key := strings.TrimSpace(c.get("alert_key")); key {
	case "":
		return recordKey
	case "off":
		return ""
	default:
		return key
	}
}

// recordKey is where the filter puts the verdict in a copied record when alert_key is off.
const recordKey = "waf"

// text returns a value of YAML as a user of Fluent Bit would write it.
func text(value any) (string, error) {
	switch v := value.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case bool:
		if v {
			return "on", nil
		}
		return "off", nil
	case int:
		return strconv.Itoa(v), nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	case []any:
		parts := make([]string, len(v))
		for i, part := range v {
			one, err := text(part)
			if err != nil {
				return "", err
			}
			parts[i] = one
		}
		return strings.Join(parts, ","), nil
	default:
		return "", fmt.Errorf("malformed value %v (want a text, a number, a switch or a list of these)", value)
	}
}
