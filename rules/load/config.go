package load

import (
	"errors"
	"slices"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/packs"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/presets"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

// Config says which rules are loaded and how they are set up.
type Config struct {
	Sources    []string     // "crs", files, globs, directories; in load order
	Packs      []string     // the project's own packs of rules
	Preset     string       // SecLang text for the place before CRS begins, "" without a preset
	Setup      []Assignment // values of CRS variables
	Engine     []string     // directives that set the engine up
	Exclusions []string     // directives that remove rules
	Directives string       // SecLang text for the end
	Strict     bool         // a directive that cannot be used prevents startup
	CacheSize  int64        // bytes for cached verdicts, 0 caches none
	Prefilter  bool         // the engine evaluates only transactions that the prefilter cannot rule out
	Profile    bool         // where the time goes is kept, for Set.Profile; it costs some time itself
}

// Properties are the settings of a rule set in the order in which help lists them.
func Properties() []setting.Property {
	table := []setting.Property{
		{Name: "rules", Default: "crs", Help: "rule sources in load order, comma separated: crs (the embedded OWASP " +
			"Core Rule Set), files, globs or directories"},
		{Name: "preset", Default: "off", Values: []string{"off", "api"}, Help: "api adapts CRS to REST, GraphQL and RPC: methods, " +
			"media types, and rules that mistake them for attacks"},
	}
	for _, s := range crsSettings {
		table = append(table, s.describe()...)
	}
	for _, s := range engineSettings {
		table = append(table, s.describe())
	}
	return append(table,
		setting.Property{Name: "rule_packs", Default: strings.Join(packs.Names, ","), Help: "bundled rule packs: lateral-movement, " +
			"sensitive-data, or off"},
		setting.Property{Name: "exclude_rules", Help: "rules to exclude, comma separated: ids, id ranges and " +
			"tag:NAME; with a target, such as 942100:ARGS:q, only that target is excluded"},
		setting.Property{Name: "directives", Help: "SecLang text appended to the rules"},
		setting.Property{Name: "cache_size", Default: "16M", Help: "memory for cached verdicts; 0 disables the cache"},
		setting.Property{Name: "prefilter", Default: "on", Help: "off evaluates every transaction in the engine, even if it " +
			"is certain to be clean"},
		setting.Property{Name: "gate", Help: "older name of prefilter"},
		setting.Property{Name: "rules_strict", Default: "on", Help: "off skips rules that cannot be compiled, with a warning each"},
	)
}

// ReadConfig reads the settings of a rule set; problems stay in the reader.
func ReadConfig(r *setting.Reader, v Vocabulary) Config {
	c := Config{
		Sources:    r.List("rules"),
		Directives: r.Text("directives"),
		Strict:     r.Bool("rules_strict"),
		Packs:      readPacks(r),
		Prefilter:  readPrefilter(r),
		CacheSize:  r.Size("cache_size"),
	}
	preset := r.Word("preset")
	if preset == "api" {
		c.Preset = presets.API
	}
	for _, s := range crsSettings {
		if assignment, given := s.read(r, presets.Settings[preset][s.property]); given {
			c.Setup = append(c.Setup, assignment)
		}
	}
	checkParanoia(r, slices.Contains(c.Sources, embeddedCRS))
	for _, s := range engineSettings {
		if directive := s.read(r); directive != "" {
			c.Engine = append(c.Engine, directive)
		}
	}
	for _, part := range r.List("exclude_rules") {
		directive, err := v.exclusion(part)
		if err != nil {
			r.Problem("exclude_rules", err)
			continue
		}
		c.Exclusions = append(c.Exclusions, directive)
	}
	if len(c.Sources) == 0 {
		r.Problem("rules", errors.New("empty list (want crs, files, globs or directories)"))
	}
	return c
}

// readPrefilter reads whether there is a prefilter, whose property was called gate once.
func readPrefilter(r *setting.Reader) bool {
	if r.Given("gate") {
		if older := r.Bool("gate"); !r.Given("prefilter") {
			return older
		}
	}
	return r.Bool("prefilter")
}
