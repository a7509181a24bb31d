package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// Flags are flags of a command that are made from tables of settings. Their values are texts until a setting.Reader reads
// them, so that all problems of a command line are reported together.
type Flags struct {
	Values setting.Map
	twice  []string // settings that were given again and take one value only

	evaluating bool // of a command that reads files
}

// joiners are the settings that may be given several times, and what joins the values.
var joiners = map[string]string{"rules": ",", "exclude_rules": ",", "directives": "\n", "listen": ",", "alert_to": ","}

// Add makes flags of a table: the setting alert_on becomes --alert-on.
func (f *Flags) Add(to *pflag.FlagSet, table []setting.Property) {
	if f.Values == nil {
		f.Values = setting.Map{}
	}
	to.SortFlags = false
	for _, p := range table {
		to.Var(&FlagValue{f, p}, strings.ReplaceAll(p.Name, "_", "-"), flagHelp(p, table))
	}
}

// Writing are the properties that say how alerts are written, and what a program that runs on and on does besides. Commands that
// only evaluate take them, so that the same flags serve everywhere, and do not show them.
var Writing = []string{
	"alert_key", "emit_tag", "emit_format", "emit_limit", "include_payload", "inspect_budget", "keep", "mode", "async_full", "async_limit",
	"reload_interval", "redact", "redact_names", "redact_pattern", "flood_window", "alert_limit",
	"metrics_listen", "metrics_tag", "metrics_interval",
	"incidents", "incident_tag", "incident_digest_tag", "incident_state", "alert_detail", "incident_rules", "incident_exclude", "incident_learning", "identities",
}

// AddEvaluating makes flags of the filter's properties for a command that writes no records. A property whose name the command
// uses for a flag of its own is omitted.
func (f *Flags) AddEvaluating(to *pflag.FlagSet) {
	f.evaluating = true
	f.Add(to, slices.DeleteFunc(filter.Properties(), func(p setting.Property) bool { return to.Lookup(FlagName(p.Name)[2:]) != nil }))
	for _, name := range Writing {
		to.Lookup(FlagName(name)[2:]).Hidden = true
	}
}

// Get implements setting.Getter.
func (f *Flags) Get(name string) string {
	if f.evaluating && slices.Contains(live, name) {
		return ""
	}
	return f.Values[name]
}

// live are properties of incidents in records that come live. A state must not be changed by a command that reads files.
var live = []string{"incident_tag", "incident_digest_tag", "incident_state", "alert_detail"}

// FlagValue is the pflag.Value of one setting.
type FlagValue struct {
	flags    *Flags
	property setting.Property
}

// Set takes any value; it is read later.
func (v *FlagValue) Set(text string) error {
	name := v.property.Name
	if before, given := v.flags.Values[name]; given {
		joiner, may := joiners[name]
		if !may {
			v.flags.twice = append(v.flags.twice, name)
			return nil
		}
		text = before + joiner + text
	}
	v.flags.Values[name] = text
	return nil
}

// String returns the default, which help prints.
func (v *FlagValue) String() string { return v.property.Default }

// Type returns what help prints as the value.
func (v *FlagValue) Type() string { return metavar(v.property) }

func FlagName(setting string) string { return "--" + strings.ReplaceAll(setting, "_", "-") }

// Strict makes a command tell all unknown flags instead of stopping at the first; check reports them.
func Strict(cmd *cobra.Command) {
	cmd.FParseErrWhitelist = cobra.FParseErrWhitelist{UnknownFlags: true}
}

// Usage joins what is wrong with a command line: unknown flags, flags with more values than they take, and what the caller
// has found. It returns nil when there is nothing.
func (f *Flags) Usage(cmd *cobra.Command, args []string, found ...error) error {
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
	if f.evaluating && f.Values["incident_state"] != "" {
		err := errors.New("has no effect here (wafctl run, proxy and auth, and pipelines keep a state)")
		found = append(found, &setting.Problem{Noun: "flag", Name: "incident_state", Err: err})
	}
	if err := errors.Join(found...); err != nil {
		return NewUsageError(cmd, err)
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
	var names []string
	known.VisitAll(func(flag *pflag.Flag) { names = append(names, "--"+flag.Name) })
	return setting.Nearest(name, names)
}

// Open returns the filter that the flags describe.
func (f *Flags) Open(c *Console) (*filter.Filter, error) { return filter.New(c.Host, f, c.Log(false)) }

// WantFiles returns an error when no file is named.
func WantFiles(names []string) error {
	if len(names) == 0 {
		return errors.New("no file (want one or more, or - for standard input)")
	}
	return nil
}

// Redacting are the properties that select the secrets that a page redacts.
var Redacting = []string{"redact", "redact_names", "redact_pattern"}

// Only returns the properties with the given names.
func Only(table []setting.Property, names ...string) (found []setting.Property) {
	for _, p := range table {
		for _, name := range names {
			if p.Name == name {
				found = append(found, p)
			}
		}
	}
	return found
}
