package ruleset

import (
	"fmt"
	"strconv"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
)

// listPrefilter shows for every rule that can alert how the prefilter rules it out, or why the rule always runs.
func listPrefilter(c *cli.Console, w *filter.Filter) error {
	to := cli.LineWriter(c)
	g := cli.NewGrid(c, to, cli.Column{Title: "RULE", Width: cli.RuleWidth}, cli.Column{Title: "PREFILTER", Width: 48, Least: 24}, cli.Column{Title: "FILE:LINE"})
	g.Title()
	always := 0
	all := w.PrefilterReport()
	for _, rule := range all {
		text := rule.How
		if rule.Open {
			always++
			text = "always runs: " + text
		}
		g.Row(cli.Cell{Text: strconv.Itoa(rule.ID)}, cli.Cell{Text: text}, cli.Cell{Text: rule.Place})
	}
	fmt.Fprintf(to, "\n%s that can alert, %d of them always run\n", cli.Count(len(all), "rule"), always)
	for _, note := range w.Notes() {
		fmt.Fprintln(to, cli.Printable(note))
	}
	return to.Flush()
}
