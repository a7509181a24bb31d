package rules

import (
	"fmt"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/engine"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/load"
)

// Report says what loading the rules of a configuration finds.
type Report struct {
	Name     string   // what the rules call themselves, for instance OWASP_CRS/4.25.0
	Rules    int      // rules that are loaded
	Skipped  int      // rules in the files that are not loaded
	Warnings []string // what is omitted and does no harm, each with file and line
	Broken   []string // what cannot be used: it prevents startup, or is omitted with rules_strict off
	Refused  []string // what prevents startup in any case
}

// Check loads the rules of a configuration and reports everything at once. What cannot be used is omitted and counted,
// whatever the configuration says of it, so that the report shows what the rest is worth.
func Check(c load.Config) Report {
	p := load.Read(c, engine.NewVocabulary())
	rule, err := engine.Try(p)
	report := Report{Warnings: p.Warnings, Broken: texts(p.Rejections()), Refused: texts(p.Problems), Skipped: p.Skipped}
	if err != nil {
		report.Refused = append(report.Refused, err.Error())
		return report
	}
	report.Name = p.Name()
	report.Rules = len(list(p.Directives, rule))
	return report
}

func texts(errs []error) (all []string) {
	for _, err := range errs {
		all = append(all, err.Error())
	}
	return all
}

// Summary returns the report's last line: "634 rules loaded, 0 skipped".
func (r *Report) Summary() string {
	noun := "rules"
	if r.Rules == 1 {
		noun = "rule"
	}
	return fmt.Sprintf("%d %s loaded, %d skipped", r.Rules, noun, r.Skipped)
}
