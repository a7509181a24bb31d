package tune

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// tuned is the outcome of a tuning.
type tuned struct {
	records    uint64
	alerts     int // before
	remaining  int // with the exclusions
	exclusions []exclusion
	attacks    []suspect
	before     string                   // exclude_rules as it is set
	settings   map[int]setting.Property // by rule: what says which values are no violation of it
}

// settingsOf finds properties that say what rules take for a violation: where one fits, it is better than an exclusion.
func settingsOf(exclusions []exclusion, loaded []rules.Loaded) map[int]setting.Property {
	found := map[int]setting.Property{}
	for _, rule := range loaded {
		if !slices.ContainsFunc(exclusions, func(x exclusion) bool { return x.rule == rule.ID }) {
			continue
		}
		for _, p := range filter.Properties() {
			if strings.Contains(strings.ToLower(rule.Text), "%{tx."+p.Name+"}") {
				found[rule.ID] = p
			}
		}
	}
	return found
}

func (t *tuned) Write(c *cli.Console, output string) error {
	to := cli.LineWriter(c)
	if n := len(t.attacks); n > 0 && output != "table" {
		c.Say(fmt.Sprintf("warning: %s with signs of an attack, first %s: %s (--output table lists more)",
			cli.Count(n, "record"), t.attacks[0].place, t.attacks[0].why))
	}
	switch output {
	case "json":
		if err := t.json(to); err != nil {
			return err
		}
	case "seclang":
		t.seclang(to)
	case "property":
		fmt.Fprintln(to, t.property())
	default:
		t.table(c, to)
	}
	return to.Flush()
}

// JSONExclusion is what --output json says of one exclusion.
type JSONExclusion struct {
	Rule      int    `json:"rule_id"`
	Target    string `json:"target,omitempty"` // none: the whole rule
	Message   string `json:"msg"`
	Alerts    int    `json:"alerts"`
	Removes   int    `json:"removes"`
	Directive string `json:"directive"`
	Property  string `json:"property"`          // part of exclude_rules
	Setting   string `json:"setting,omitempty"` // property that fits better
	Attacks   int    `json:"attacks,omitempty"` // records that look like attacks, in which the rule matched
}

func (t *tuned) json(to *bufio.Writer) error {
	encoder := json.NewEncoder(to)
	for _, x := range t.exclusions {
		if err := encoder.Encode(JSONExclusion{x.rule, x.target, cli.Mend(x.message), x.alerts, x.removes, x.directive(), x.property(), t.settings[x.rule].Name, x.attacks}); err != nil {
			return err
		}
	}
	return nil
}

// seclang writes a rule file. A message is only a comment there, and must stay one.
func (t *tuned) seclang(to *bufio.Writer) {
	for _, x := range t.exclusions {
		fmt.Fprintf(to, "# %s: %s of clean records\n", strings.TrimRight(cli.Printable(x.message), `\`), cli.Count(x.alerts, "alert"))
		if x.attacks > 0 {
			fmt.Fprintf(to, "# Check first: the rule matched in %s with signs of an attack\n", cli.Count(x.attacks, "record"))
		}
		fmt.Fprintln(to, x.directive())
	}
}

func (t *tuned) table(c *cli.Console, to *bufio.Writer) {
	fmt.Fprintf(to, "%s, %s", cli.Count(t.records, "record"), cli.Count(t.alerts, "alert"))
	if t.alerts == 0 {
		fmt.Fprintln(to, ": nothing to exclude")
		return
	}
	fmt.Fprintf(to, " → %s with %s\n\n", cli.Grouped(t.remaining), cli.Count(len(t.exclusions), "exclusion"))
	t.warnOfAttacks(c, to)
	g := cli.NewGrid(c, to, cli.Column{Title: "REMOVES", Width: 7, Right: true}, cli.Column{Title: "ALERTS", Width: 6, Right: true, Spare: 1},
		cli.Column{Title: "RULE", Width: cli.RuleWidth}, cli.Column{Title: "TARGET", Width: 40, Least: 20}, cli.Column{Title: "MESSAGE"})
	g.Title()
	for _, x := range t.exclusions {
		target := x.target
		if target == "" {
			target = "the whole rule"
		}
		if x.attacks > 0 {
			target = "! " + target
		}
		g.Row(cli.Cell{Text: cli.Grouped(x.removes)}, cli.Cell{Text: cli.Grouped(x.alerts)}, cli.Cell{Text: strconv.Itoa(x.rule)}, cli.Cell{Text: target}, cli.Cell{Text: x.message})
	}
	fmt.Fprintf(to, "\nREMOVES: alerts that only this exclusion removes. ALERTS: alerts in which the rule matched this target.\n")
	t.hints(c, to)
	fmt.Fprintf(to, "\n%s\n\n", c.Paint(cli.Bold, "As SecLang, for a file after the rules (--rules crs,exclusions.conf)"))
	t.seclang(to)
	fmt.Fprintf(to, "\n%s\n\n  exclude_rules: '%s'\n", c.Paint(cli.Bold, "As a property, without a file"), t.property())
}

// hints names the settings that fit better than an exclusion.
func (t *tuned) hints(c *cli.Console, to *bufio.Writer) {
	if len(t.settings) == 0 {
		return
	}
	fmt.Fprintf(to, "\n%s\n\n", c.Paint(cli.Bold, "A setting is better than an exclusion"))
	for _, rule := range slices.Sorted(maps.Keys(t.settings)) {
		fmt.Fprintf(to, "  %-7d  %s: %s\n", rule, t.settings[rule].Name, t.settings[rule].Help)
	}
}

// property returns the value of exclude_rules with the exclusions behind those that are set.
func (t *tuned) property() string {
	var parts []string
	if t.before != "" {
		parts = append(parts, t.before)
	}
	for _, x := range t.exclusions {
		parts = append(parts, x.property())
	}
	return strings.Join(parts, ",")
}
