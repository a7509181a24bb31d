package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/delivery"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/fieldmap"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/packs"
)

// CompleteValues has a shell complete the values of all flags of a command and those below it.
func CompleteValues(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		CompleteValues(sub)
	}
	if !strings.Contains(cmd.Use, "FILE") && !strings.Contains(cmd.Use, "SOURCE") {
		cmd.ValidArgsFunction = cobra.NoFileCompletions
	}
	cmd.Flags().VisitAll(func(flag *pflag.Flag) {
		complete := func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
			all, directive := completion(flag, typed)
			return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return !strings.HasPrefix(s, typed) }), directive
		}
		if flag.Value.Type() != "bool" {
			cmd.RegisterFlagCompletionFunc(flag.Name, complete) //nolint:errcheck // the flag is there, and new
		}
	})
}

// completion returns what may follow what has been typed of a flag's value, and whether names of files may as well.
func completion(flag *pflag.Flag, typed string) ([]string, cobra.ShellCompDirective) {
	var p setting.Property
	if v, is := flag.Value.(*FlagValue); is {
		p = v.property
	}
	switch {
	case flag.Name == "with":
		return completeChange(typed)
	case flag.Name == "show":
		return fieldmap.BuiltIn(), cobra.ShellCompDirectiveNoFileComp
	case strings.HasSuffix(metavar(p), ",..."):
		return completeList(p.Name, typed)
	case p.Name == "" || p.Name == "output" && p.Values == nil:
		return nil, cobra.ShellCompDirectiveDefault
	}
	return valuesOf(p), cobra.ShellCompDirectiveNoFileComp
}

// valuesOf returns the values that a setting is usually given.
func valuesOf(p setting.Property) []string {
	switch {
	case p.Values != nil:
		return p.Values
	case metavar(p) == OnOff || metavar(p) == oneZero:
		return strings.Split(metavar(p), "|")
	case strings.HasSuffix(p.Name, "_paranoia") || p.Name == "paranoia":
		return []string{"1", "2", "3", "4"}
	case p.Name == "time_zone":
		return []string{"UTC", "Local"}
	case p.Name == "metrics_listen":
		return []string{"127.0.0.1:2021", "off"}
	case p.Default == "off":
		return []string{"off"}
	}
	return nil
}

// completeList completes the last part of a list with commas.
func completeList(name, typed string) ([]string, cobra.ShellCompDirective) {
	directive := cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
	given := typed[:strings.LastIndex(typed, ",")+1]
	if given == "" && (name == "rules" || name == "field_map") {
		directive = cobra.ShellCompDirectiveNoSpace // files as well
	}
	var all []string
	for _, member := range membersOf(name) {
		if !slices.Contains(strings.Split(given, ","), member) {
			all = append(all, given+member)
		}
	}
	return all, directive
}

// membersOf returns what may stand in a list.
func membersOf(name string) []string {
	switch name {
	case "rules":
		return []string{"crs"}
	case "rule_packs":
		return append(slices.Clone(packs.Names), "off")
	case "exclude_rules":
		return ruleTags()
	case "field_map":
		return append([]string{"auto"}, fieldmap.BuiltIn()...)
	case "trusted_proxies":
		return []string{"private", "none"}
	case "listen":
		return []string{"udp://", "tcp://", "-"}
	case "alert_to":
		var all []string
		for _, s := range delivery.Schemes() {
			if place, _, has := strings.Cut(s.Form, "HOST"); has {
				all = append(all, place)
			} else {
				all = append(all, strings.TrimSuffix(s.Form, "PATH"))
			}
		}
		return append(all, "off")
	}
	return nil
}

// ruleTags returns the tags of the embedded rules, as exclude_rules takes them.
func ruleTags() []string {
	w, err := filter.New(nil, setting.Map{}, func(filter.Level, string) {})
	if err != nil {
		return nil
	}
	defer w.Close()
	var all []string
	for _, rule := range w.Rules() {
		for _, tag := range rule.Tags {
			all = append(all, "tag:"+tag)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// completeChange completes PROPERTY=VALUE.
func completeChange(typed string) ([]string, cobra.ShellCompDirective) {
	name, value, hasValue := strings.Cut(typed, "=")
	var all []string
	for _, p := range filter.Properties() {
		switch {
		case !hasValue:
			all = append(all, p.Name+"=")
		case p.Name == name && strings.HasSuffix(metavar(p), ",..."):
			members, directive := completeList(name, value)
			for _, member := range members {
				all = append(all, name+"="+member)
			}
			return all, directive
		case p.Name == name:
			for _, v := range valuesOf(p) {
				all = append(all, name+"="+v)
			}
			return all, cobra.ShellCompDirectiveNoFileComp
		}
	}
	return all, cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
}
