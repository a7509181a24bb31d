package filter

import (
	"slices"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/fieldmap"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/pipeline"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/redact"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/telemetry"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// config is what the properties of a filter say, rules apart.
type config struct {
	pipeline       pipeline.Config
	metrics        telemetry.Config
	reloadInterval time.Duration // between two looks at the rule files, 0 for none
	profile        bool          // where the time goes is kept
}

// Properties are the settings of the filter in the order in which help lists them.
func Properties() []setting.Property {
	reload := setting.Property{Name: "reload_interval", Default: "off", Help: "interval for checking rule files for changes, such as " +
		"10s; if they are invalid, the current rules stay in use"}
	return slices.Concat(rules.Properties(), telemetry.Properties(), []setting.Property{reload}, pipeline.Properties())
}

func readConfig(r *setting.Reader) (c config) {
	c.metrics = telemetry.ReadConfig(r)
	c.reloadInterval = r.Interval("reload_interval")
	c.pipeline = pipeline.ReadConfig(r)
	return c
}

// IncidentProperties are the settings that define what makes an incident, whether records come live or from files.
func IncidentProperties() []setting.Property { return pipeline.IncidentProperties() }

// Validate returns all problems of a configuration as one error. It reads no rules: New reports what is wrong with these.
func Validate(get setting.Getter) error {
	reader := setting.NewReader(get, Properties())
	c := readConfig(reader)
	rules.ReadConfig(reader)
	if _, err := fieldmap.Open(c.pipeline.FieldMap); err != nil {
		reader.Problem("field_map", err)
	}
	return reader.Err()
}

// ReadProxies returns the networks that the property trusted_proxies names.
func ReadProxies(r *setting.Reader) fieldmap.Proxies { return pipeline.ReadProxies(r) }

// ReadRedactor returns what the properties redact, redact_names and redact_pattern describe, nil when redaction is off.
func ReadRedactor(r *setting.Reader) *redact.Redactor { return pipeline.ReadRedactor(r) }

// Secrets returns a Pass that takes the secrets of a transaction out of texts about it. It is valid as long as the values are.
func Secrets(r *redact.Redactor, values *fieldmap.Values, t *rules.Transaction) *redact.Pass {
	return pipeline.Secrets(r, values, t)
}

// DescribeKeys describes a record that is no HTTP transaction: its keys, without their values.
func DescribeKeys(body []byte) string { return pipeline.DescribeKeys(body) }
