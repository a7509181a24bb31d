package rules

import "fmt"

// Report says what loading the rules of a configuration finds.
type Report struct {
	Name     string   // what the rules call themselves, for instance OWASP_CRS/4.25.0
	Rules    int      // rules that are loaded
	Skipped  int      // rules in the files that are not loaded
	Warnings []string // what is left out and does no harm, each with file and line
	Problems []string // what refuses the rule set; with rules_strict off, broken rules are left out instead
}

// Check loads the rules of a configuration and reports everything at once. Rules that cannot be used are left out and
// counted, whatever the configuration says of them, so that the report shows what the others are worth.
func Check(c Config) Report {
	p := readProgram(c)
	probes := p.probe()
	report := Report{Warnings: p.warnings, Skipped: p.skipped}
	for _, err := range append(p.problems, p.rejections()...) {
		report.Problems = append(report.Problems, err.Error())
	}
	waf, err := p.assemble()
	probes.close()
	if err != nil {
		report.Problems = append(report.Problems, err.Error())
		return report
	}
	closeWAF(waf)
	report.Name = p.name()
	report.Rules = len(p.list(newRuleTable(p)))
	return report
}

// Summary returns the report's last line.
func (r *Report) Summary() string {
	return fmt.Sprintf("%d rules loaded, %d skipped", r.Rules, r.Skipped)
}
