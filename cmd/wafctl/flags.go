package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

// flags are flags of a command that are made from tables of settings. Their values are texts until a setting.Reader reads
// them, so that all problems of a command line are told together.
type flags struct {
	values setting.Map
	twice  []string // settings that were given again and take one value only
}

// joiners are the settings that may be given several times, and what joins the values.
var joiners = map[string]string{"rules": ",", "exclude_rules": ",", "directives": "\n", "listen": ",", "alert_to": ","}

// add makes flags of a table: the setting alert_on becomes --alert-on.
func (f *flags) add(to *pflag.FlagSet, table []setting.Property) {
	if f.values == nil {
		f.values = setting.Map{}
	}
	to.SortFlags = false
	for _, p := range table {
		to.Var(&flagValue{f, p}, strings.ReplaceAll(p.Name, "_", "-"), p.Help)
	}
}

// writing are the properties that say how alerts are written, and what a program that runs on and on does besides. Commands that
// only judge take them, so that the same flags serve everywhere, and do not show them.
var writing = []string{
	"alert_key", "emit_tag", "emit_format", "emit_limit", "include_payload", "inspect_budget", "keep", "mode", "async_full", "async_limit",
	"reload_interval", "redact", "redact_names", "redact_pattern", "flood_window", "alert_limit",
	"metrics_listen", "metrics_tag", "metrics_interval",
	"incidents", "incident_tag", "incident_state", "alert_detail", "incident_rules", "incident_exclude", "incident_learning", "identities",
}

// addJudging makes flags of the filter's properties for a command that writes no records. A property whose name the command
// uses for a flag of its own is left out.
func (f *flags) addJudging(to *pflag.FlagSet) {
	f.add(to, slices.DeleteFunc(filter.Properties(), func(p setting.Property) bool { return to.Lookup(flagName(p.Name)[2:]) != nil }))
	for _, name := range writing {
		to.Lookup(flagName(name)[2:]).Hidden = true
	}
}

// Get implements setting.Getter.
func (f *flags) Get(name string) string { return f.values[name] }

// flagValue is the pflag.Value of one setting.
type flagValue struct {
	flags    *flags
	property setting.Property
}

// Set takes any value; it is read later.
func (v *flagValue) Set(text string) error {
	name := v.property.Name
	if before, given := v.flags.values[name]; given {
		joiner, may := joiners[name]
		if !may {
			v.flags.twice = append(v.flags.twice, name)
			return nil
		}
		text = before + joiner + text
	}
	v.flags.values[name] = text
	return nil
}

// String returns the default, which help prints.
func (v *flagValue) String() string { return v.property.Default }

// Type returns what help prints as the value.
func (v *flagValue) Type() string {
	if len(v.property.Values) > 0 {
		return strings.Join(v.property.Values, "|")
	}
	switch v.property.Default {
	case "on", "off":
		return "on|off"
	}
	return "value"
}

func flagName(setting string) string { return "--" + strings.ReplaceAll(setting, "_", "-") }

// strict makes a command tell all unknown flags instead of stopping at the first; check reports them.
func strict(cmd *cobra.Command) {
	cmd.FParseErrWhitelist = cobra.FParseErrWhitelist{UnknownFlags: true}
}

// usage joins what is wrong with a command line: unknown flags, flags with more values than they take, and what the caller
// has found. It returns nil when there is nothing.
func (f *flags) usage(cmd *cobra.Command, args []string, found ...error) error {
	for _, name := range unknownFlags(cmd.Flags(), args) {
		err := fmt.Errorf("%s: unknown flag", name)
		if near := nearestFlag(cmd.Flags(), name); near != "" {
			err = fmt.Errorf("%w (did you mean %s?)", err, near)
		}
		found = append(found, err)
	}
	for _, name := range f.twice {
		found = append(found, &setting.Problem{Noun: "flag", Name: name, Err: errors.New("given more than once (want one value)")})
	}
	if err := errors.Join(found...); err != nil {
		return &usageError{cmd.CommandPath(), err}
	}
	return nil
}

// unknownFlags returns the arguments that look like flags and are none.
func unknownFlags(known *pflag.FlagSet, args []string) (unknown []string) {
	for i := 0; i < len(args); i++ {
		name, _, hasValue := strings.Cut(args[i], "=")
		switch {
		case name == "--":
			return unknown
		case !strings.HasPrefix(name, "-") || name == "-":
			continue
		}
		var flag *pflag.Flag
		if long, isLong := strings.CutPrefix(name, "--"); isLong {
			flag = known.Lookup(long)
		} else if len(name) == 2 {
			flag = known.ShorthandLookup(name[1:])
		}
		switch {
		case flag == nil:
			unknown = append(unknown, name)
		case !hasValue && flag.NoOptDefVal == "":
			i++ // its value
		}
	}
	return unknown
}

// nearestFlag returns the flag that a mistyped one probably stands for, "" when none is close.
func nearestFlag(known *pflag.FlagSet, name string) string {
	best, bestDistance := "", 4
	known.VisitAll(func(flag *pflag.Flag) {
		if d := distance("--"+flag.Name, name); d < bestDistance {
			best, bestDistance = "--"+flag.Name, d
		}
	})
	return best
}

// distance returns how many characters must be typed, removed or changed to get from one word to the other.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
