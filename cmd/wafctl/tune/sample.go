package tune

import (
	"context"
	"io"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/evaluation"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// alarms is what the rules find in a sample.
type alarms struct {
	Records    uint64
	Alerts     int
	Attacks    int      // alerts that look like attacks
	Exclusions []string // with which the others are gone, as parts of exclude_rules
}

// SampleAlarms evaluates records and finds the exclusions with which those that do not look like attacks no longer alert.
func SampleAlarms(ctx context.Context, c *cli.Console, settings setting.Map, records io.Reader) (found alarms, err error) {
	delete(settings, "metrics_listen")
	f, err := filter.New(c.Host, settings, func(filter.Level, string) {})
	if err != nil {
		return found, err
	}
	defer f.Close()
	t := tuning{console: c, settings: settings, filter: f}
	e := evaluation.Evaluation{Filter: f, Keep: true}
	if err := e.Run(ctx, records, func(r *evaluation.Checked) error { return t.collect("", r) }); err != nil {
		return found, err
	}
	attacks := map[string]bool{}
	for _, s := range suspects(t.alerts) {
		attacks[s.place] = true
	}
	found = alarms{Records: f.Counts().Records, Alerts: len(t.alerts), Attacks: len(attacks)}
	var harmless []falseAlert
	for _, a := range t.alerts {
		if !attacks[a.place] {
			harmless = append(harmless, a)
		}
	}
	t.alerts = harmless
	exclusions, _, err := t.exclusions()
	for i := range exclusions {
		found.Exclusions = append(found.Exclusions, exclusions[i].property())
	}
	return found, err
}
