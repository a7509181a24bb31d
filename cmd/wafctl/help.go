package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
)

const maxHelpWidth = 120

// appendix is the annotation of a command with a text for the end of its help: a title line, and what it says.
const appendix = "appendix"

// help prints what a command does, how it is called, and its flags: first its own, then the properties of the filter.
func (c *console) help(cmd *cobra.Command, _ []string) {
	var b strings.Builder
	text := cmd.Long
	if text == "" {
		text = cmd.Short
	}
	fmt.Fprintf(&b, "%s\n\n%s\n  %s\n", text, c.paint(bold, "Usage"), cmd.UseLine())
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\n%s\n", c.paint(bold, "Commands"))
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() {
				fmt.Fprintf(&b, "  %-*s  %s\n", cmd.NamePadding(), sub.Name(), sub.Short)
			}
		}
		fmt.Fprintf(&b, "\n\"%s COMMAND --help\" explains a command.\n", cmd.CommandPath())
	}
	if cmd.Example != "" {
		fmt.Fprintf(&b, "\n%s\n%s\n", c.paint(bold, "Examples"), cmd.Example)
	}
	c.helpFlags(&b, cmd)
	if title, text, found := strings.Cut(cmd.Annotations[appendix], "\n"); found {
		fmt.Fprintf(&b, "\n%s\n%s\n", c.paint(bold, title), strings.TrimSpace(text))
	}
	cmd.Print(b.String())
}

func (c *console) helpFlags(b *strings.Builder, cmd *cobra.Command) {
	properties := map[string]bool{}
	for _, p := range filter.Properties() {
		properties[strings.ReplaceAll(p.Name, "_", "-")] = true
	}
	own := pflag.NewFlagSet("", pflag.ContinueOnError)
	shared := pflag.NewFlagSet("", pflag.ContinueOnError)
	own.SortFlags, shared.SortFlags = false, false
	cmd.Flags().VisitAll(func(flag *pflag.Flag) {
		if properties[flag.Name] {
			shared.AddFlag(flag)
		} else {
			own.AddFlag(flag)
		}
	})
	width := maxHelpWidth
	if c.width > 0 {
		width = min(width, c.width)
	}
	for _, part := range []struct {
		title string
		flags *pflag.FlagSet
	}{{"Flags", own}, {"Rules and alerts (the filter's properties)", shared}} {
		if part.flags.HasAvailableFlags() {
			fmt.Fprintf(b, "\n%s\n%s", c.paint(bold, part.title), strings.TrimRight(part.flags.FlagUsagesWrapped(width), "\n")+"\n")
		}
	}
}
