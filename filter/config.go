package filter

import (
	"slices"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

// config is what the properties of a filter say, rules apart.
type config struct {
	pipeline       pipelineConfig
	metrics        metricsConfig
	reloadInterval time.Duration // between two looks at the rule files, 0 for none
	profile        bool          // where the time goes is kept
}

// Properties are the settings of the filter in the order in which help lists them.
func Properties() []setting.Property {
	reload := setting.Property{Name: "reload_interval", Default: "off", Help: "how often to look whether rule files have changed, for instance " +
		"10s; changed rules take over while records flow, and broken ones leave those of before in use"}
	return slices.Concat(rules.Properties(), MetricsProperties(), []setting.Property{reload}, PipelineProperties())
}

func readConfig(r *setting.Reader) (c config) {
	c.metrics = readMetrics(r)
	c.reloadInterval = r.Interval("reload_interval")
	c.pipeline = readPipelineConfig(r)
	return c
}
