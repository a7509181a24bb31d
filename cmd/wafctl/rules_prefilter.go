package main

import (
	"fmt"
	"strconv"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
)

// listPrefilter tells of every rule that can alert how the prefilter finds out that it does not match, or why the rule always runs.
func listPrefilter(c *console, w *filter.Filter) error {
	to := lineWriter(c)
	g := newGrid(c, to, column{title: "RULE", width: ruleWidth}, column{title: "PREFILTER", width: 48, least: 24}, column{title: "FILE:LINE"})
	g.title()
	always := 0
	all := w.Gates()
	for _, rule := range all {
		text := rule.How
		if rule.Open {
			always++
			text = "always runs: " + text
		}
		g.row(cell{text: strconv.Itoa(rule.ID)}, cell{text: text}, cell{text: rule.Place})
	}
	fmt.Fprintf(to, "\n%s that can alert, %d of them always run\n", count(len(all), "rule"), always)
	for _, note := range w.Notes() {
		fmt.Fprintln(to, printable(note))
	}
	return to.Flush()
}
