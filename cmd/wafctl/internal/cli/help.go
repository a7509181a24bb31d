package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
)

const MaxHelpWidth = 120

// Appendix is the annotation of a command with a text for the end of its whole help: a title line, and what it says.
const Appendix = "appendix"

// Essential are the flags that the help of a command lists; --help --all lists all of them. The help of other commands lists
// their own flags, and not the filter's properties.
var Essential = map[string]string{
	"run":       "listen alert-to emit-format output field-map rules rule-packs exclude-rules blocking-paranoia metrics-listen",
	"auth":      "listen trusted-proxies engine alert-to rules exclude-rules blocking-paranoia metrics-listen",
	"proxy":     "backend listen engine tls-listen alert-to rules exclude-rules blocking-paranoia trusted-proxies metrics-listen",
	"check":     "output since until explain field-map rules rule-packs exclude-rules blocking-paranoia anomaly-inbound",
	"report":    "output field-map rules rule-packs exclude-rules blocking-paranoia anomaly-inbound alert-on trusted-proxies redact",
	"rules":     "check diff all output field-map rule-packs exclude-rules blocking-paranoia preset rules-strict",
	"map":       "all show output field-map trusted-proxies",
	"compare":   "with output field-map rules rule-packs exclude-rules blocking-paranoia anomaly-inbound alert-on preset",
	"tune":      "output field-map rules rule-packs exclude-rules blocking-paranoia anomaly-inbound preset allowed-methods trusted-proxies",
	"incidents": "output since until explain incident-rules incident-exclude identities field-map rule-packs trusted-proxies",
	"install":   "from",
	"top":       "once interval from field-map rules rule-packs exclude-rules blocking-paranoia anomaly-inbound trusted-proxies",
	"test":      "verbose junit rules rule-packs exclude-rules blocking-paranoia detection-paranoia anomaly-inbound alert-on directives",
}

// HelpOf returns the function that prints what a command does, how it is called, and its flags, or with --all each of them.
func (c *Console) HelpOf(args []string) func(*cobra.Command, []string) {
	return func(cmd *cobra.Command, _ []string) { c.help(cmd, slices.Contains(args, "--all")) }
}

func (c *Console) help(cmd *cobra.Command, all bool) {
	var b strings.Builder
	text := cmd.Long
	if text == "" {
		text = cmd.Short
	}
	fmt.Fprintf(&b, "%s\n\n%s\n  %s\n", text, c.Paint(Bold, "Usage"), cmd.UseLine())
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\n%s\n", c.Paint(Bold, "Commands"))
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() {
				fmt.Fprintf(&b, "  %-*s  %s\n", cmd.NamePadding(), sub.Name(), sub.Short)
			}
		}
		fmt.Fprintf(&b, "\n\"%s COMMAND --help\" explains a command.\n", cmd.CommandPath())
	}
	if cmd.Example != "" {
		fmt.Fprintf(&b, "\n%s\n%s\n", c.Paint(Bold, "Examples"), cmd.Example)
	}
	title, text, found := strings.Cut(cmd.Annotations[Appendix], "\n")
	own, shared := flagsOf(cmd)
	if all {
		c.helpFlags(&b, "Flags", own)
		c.helpFlags(&b, "Rules and alerts (the filter's properties)", shared)
		if found {
			fmt.Fprintf(&b, "\n%s\n%s\n", c.Paint(Bold, title), strings.TrimSpace(text))
		}
	} else {
		few := essentialOf(cmd, own)
		c.helpFlags(&b, "Flags", few)
		if n := flagCount(own) + flagCount(shared); n > flagCount(few) {
			fmt.Fprintf(&b, "\n\"%s --help --all\" lists all %d flags", cmd.CommandPath(), n)
			if found {
				b.WriteString(" and the " + strings.ToLower(title[:1]) + title[1:])
			}
			b.WriteString(".\n")
		}
	}
	cmd.Print(b.String())
}

// flagsOf returns the flags of a command that are shown: its own, and the properties of the filter.
func flagsOf(cmd *cobra.Command) (own, shared *pflag.FlagSet) {
	properties := map[string]bool{}
	for _, p := range filter.Properties() {
		properties[strings.ReplaceAll(p.Name, "_", "-")] = true
	}
	own, shared = newFlagSet(), newFlagSet()
	cmd.Flags().VisitAll(func(flag *pflag.Flag) {
		switch {
		case flag.Hidden:
		case properties[flag.Name]:
			shared.AddFlag(flag)
		default:
			own.AddFlag(flag)
		}
	})
	return own, shared
}

// essentialOf returns the flags that matter, in that order, and behind them the short ones, such as -h.
func essentialOf(cmd *cobra.Command, own *pflag.FlagSet) *pflag.FlagSet {
	names, listed := Essential[cmd.Name()]
	if !listed {
		return own
	}
	set := newFlagSet()
	for _, name := range append(strings.Fields(names), "quiet", "help") {
		if flag := cmd.Flags().Lookup(name); flag != nil {
			set.AddFlag(flag)
		}
	}
	return set
}

func newFlagSet() *pflag.FlagSet {
	set := pflag.NewFlagSet("", pflag.ContinueOnError)
	set.SortFlags = false
	return set
}

func flagCount(set *pflag.FlagSet) (n int) {
	set.VisitAll(func(*pflag.Flag) { n++ })
	return n
}

func (c *Console) helpFlags(b *strings.Builder, title string, set *pflag.FlagSet) {
	if !set.HasAvailableFlags() {
		return
	}
	width := MaxHelpWidth
	if c.Width > 0 {
		width = min(width, c.Width)
	}
	fmt.Fprintf(b, "\n%s\n%s", c.Paint(Bold, title), strings.TrimRight(set.FlagUsagesWrapped(width), "\n")+"\n")
}
