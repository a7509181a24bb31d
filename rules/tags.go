package rules

import "strings"

// categoryTag is how CRS writes what kind of attack a rule finds.
const categoryTag = "attack-"

// Category returns what kind of attack a rule finds, for instance sqli or rce; "" when its tags do not say it.
func (t *RuleInfo) Category() string {
	for _, tag := range t.Tags {
		if category, has := strings.CutPrefix(tag, categoryTag); has {
			return category
		}
	}
	return ""
}

// Response reports whether a rule looks at the response: it runs when that is there, or is tagged as one that finds leaked data.
func (t *RuleInfo) Response() bool {
	return t.Phase == 3 || t.Phase == 4 || t.Category() == "disclosure"
}
