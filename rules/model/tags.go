package model

import (
	"slices"
	"strconv"
	"strings"
)

// categoryTag is how CRS writes what kind of attack a rule finds.
const categoryTag = "attack-"

// packCategories are the tags by which our own packs say it.
var packCategories = []string{"lateral-movement", "sensitive-data"}

// Category returns what kind of attack a rule finds, for instance sqli or rce; "" when its tags do not say it.
func (t *RuleInfo) Category() string {
	for _, tag := range t.Tags {
		if category, has := strings.CutPrefix(tag, categoryTag); has {
			return category
		}
		if slices.Contains(packCategories, tag) {
			return tag
		}
	}
	return ""
}

// Response reports whether a rule looks at the response: it runs when that is there, or is tagged as one that finds leaked data.
func (t *RuleInfo) Response() bool {
	return t.Phase == 3 || t.Phase == 4 || t.Category() == "disclosure"
}

const paranoiaTag = "paranoia-level/"

// Paranoia returns the CRS paranoia level from which a rule runs, 0 when it does not say.
func (t *RuleInfo) Paranoia() int {
	for _, tag := range t.Tags {
		if level, found := strings.CutPrefix(tag, paranoiaTag); found {
			if n, err := strconv.Atoi(level); err == nil {
				return n
			}
		}
	}
	return 0
}
