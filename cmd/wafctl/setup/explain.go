package setup

import (
	"fmt"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/sample"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// textWidth is the width of explanations; terminals of today have no less.
const textWidth = 78

// Explain returns what can be found in records like those of a sample, for people. Titles are painted by bold.
func (c *Coverage) Explain(s *sample.Sample, bold func(string) string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", bold("The records"))
	fact(&b, "read", records(s))
	fact(&b, "field map", mapTitle(s))
	fact(&b, "logged", (rules.AllParts &^ s.Unknown &^ (rules.PartEscapes | rules.PartBodyEnd | rules.PartResponseEnd)).String())
	fmt.Fprintf(&b, "\n%s\n", bold("What can be detected: rules with data at paranoia level 1"))
	for _, k := range c.Kinds {
		note := ""
		switch {
		case k.Data == 0:
			note = "nothing to inspect"
		case k.Data < k.Rules:
			note = "in part"
		}
		fmt.Fprintln(&b, strings.TrimRight(fmt.Sprintf("  %-36s %3d of %3d  %s", k.Title, k.Data, k.Rules, note), " "))
	}
	if len(c.Blind) > 0 {
		fmt.Fprintf(&b, "\n%s\n", bold("What cannot be seen"))
		wrap(&b, "  ", "Attacks in "+sentence(c.Blind, "or")+": the log does not have them.")
	}
	if len(c.Gains) > 0 {
		var words []string
		for _, g := range c.Gains {
			words = append(words, fmt.Sprintf("%s (+%d)", g.Part, g.Rules))
		}
		wrap(&b, "  ", "Additional rules if logged: "+strings.Join(words, ", ")+".")
	}
	for _, m := range c.Missed {
		wrap(&b, "  ", m)
	}
	return b.String()
}

func records(s *sample.Sample) string {
	if s.Records == 0 {
		return "none; below is the most such a source can log"
	}
	text := fmt.Sprintf("%d, of which %d HTTP", s.Records, s.HTTP)
	if s.Broken > 0 {
		text += fmt.Sprintf("; %d other lines are not records", s.Broken)
	}
	if s.HTTP < s.Records {
		text += fmt.Sprintf(". The first that is not HTTP %s", s.Looks)
	}
	return text
}

func mapTitle(s *sample.Sample) string {
	text := s.Map.Name
	if s.Map.Title != "" {
		text += ": " + s.Map.Title
	}
	return text
}

// fact writes a name and what there is to say about it.
func fact(b *strings.Builder, name, text string) {
	wrap(b, fmt.Sprintf("  %-10s ", name), text)
}

// wrap writes a text in lines. What stands in front of the first is as wide as the space in front of the others.
func wrap(b *strings.Builder, front, text string) {
	for _, line := range cli.Wrapped(cli.Printable(text), textWidth-len(front)) {
		b.WriteString(front + line + "\n")
		front = strings.Repeat(" ", len(front))
	}
}
