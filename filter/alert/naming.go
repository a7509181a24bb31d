package alert

import (
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// Naming selects the match that names an alert: the source of its rule, its message and the value that matched.
type Naming string

// The namings. ByFormat is Last in the format of ModSecurity for Anylog, whose receivers expect it, and Worst in all others.
const (
	ByFormat Naming = "auto"
	Worst    Naming = "worst" // the worst finding, as worst finds it
	Last     Naming = "last"  // the detection rule that matched last
)

// Namings returns the names of all namings.
func Namings() []string { return []string{string(ByFormat), string(Worst), string(Last)} }

// in returns the naming in a format.
func (n Naming) in(format Format) Naming {
	if n == Worst || n == Last {
		return n
	}
	if format == MSA {
		return Last
	}
	return Worst
}

// of returns the match that names an alert; of a verdict without a match, one that says so. The place of the worst is given.
func (n Naming) of(matches []rules.Match, worst int) *rules.Match {
	switch {
	case len(matches) == 0:
		return &unnamed
	case n == Last:
		return &matches[len(matches)-1]
	}
	return &matches[worst]
}

// worst returns the place of the match that says most about an attack: of the highest severity; among several, of the category
// with the highest score; among these, the last. It is -1 when there is none.
func worst(v *rules.Verdict) int {
	place, severity, category, score := -1, severityOf(v), "", 0
	for i := range v.Matches {
		m := &v.Matches[i]
		if m.Severity() > severity {
			continue
		}
		c := m.Rule.Category()
		if place >= 0 && c == category { // matches of one category mostly follow each other
			place = i
		} else if s := categoryScore(v, c); place < 0 || s >= score {
			place, category, score = i, c, s
		}
	}
	return place
}

// crsSums are the categories of which CRS and the packs keep a sum of their own, by its name in Verdict.Scores.
var crsSums = map[string]string{
	"sqli": "sql_injection", "xss": "xss", "rce": "rce", "lfi": "lfi", "rfi": "rfi", "injection-php": "php_injection",
	"fixation": "session_fixation", "session-fixation": "session_fixation",
	"lateral-movement": "lateral_movement", "sensitive-data": "sensitive_data",
}

// categoryScore returns the score of a category: its sum where the rules keep one, else the points of its matches.
func categoryScore(v *rules.Verdict, category string) int {
	if sum := crsSums[category]; sum != "" {
		for i := range v.Scores {
			if v.Scores[i].Name == sum {
				return v.Scores[i].Value
			}
		}
	}
	points := 0
	for i := range v.Matches {
		if m := &v.Matches[i]; m.Rule.Category() == category {
			points += pointsOf(m.Severity())
		}
	}
	return points
}

// pointsOf returns what CRS adds to a score for a match of a severity, unless it is set up otherwise.
func pointsOf(severity int) int {
	switch {
	case severity <= 2:
		return 5
	case severity <= 5:
		return 7 - severity // error 4, warning 3, notice 2
	}
	return 0
}

// severityOf returns the severity of the most severe match in syslog's numbers.
func severityOf(v *rules.Verdict) int {
	if len(v.Matches) == 0 {
		return unnamed.Severity()
	}
	most := v.Matches[0].Severity()
	for i := range v.Matches {
		most = min(most, v.Matches[i].Severity())
	}
	return most
}

// unnamed names the alert of a verdict that blocks without a detection rule.
var unnamed = rules.Match{Rule: &rules.RuleInfo{Severity: 2}, Message: "Blocked without a detection rule"}
