package main

import (
	"fmt"
	"regexp"

	"github.com/golangci/misspell"
)

// finding is a place where a word or phrase is to be changed.
type finding struct {
	file    string
	line    int
	text    string
	instead string
}

func (f finding) String() string {
	return fmt.Sprintf("%s:%d: %q: %s", f.file, f.line, f.text, f.instead)
}

// spelling knows misspelled words, and British spellings as errors, as golangci-lint does for Go.
var spelling = func() *misspell.Replacer {
	r := misspell.New()
	r.AddRuleList(misspell.DictAmerican)
	r.RemoveRule([]string{"mitre"}) // the name of the company behind ATT&CK
	r.Compile()
	return r
}()

func check(file string, passages []passage) (findings []finding) {
	for _, p := range passages {
		_, changes := spelling.Replace(p.text)
		for _, c := range changes {
			findings = append(findings, finding{file, p.line, c.Original, "write " + c.Corrected})
		}
		for _, avoided := range phrases {
			if p.kind == forContributors && avoided.usersOnly {
				continue
			}
			for _, text := range avoided.pattern.FindAllString(p.text, -1) {
				findings = append(findings, finding{file, p.line, text, avoided.instead})
			}
		}
	}
	return findings
}

// phrase is what the project does not write.
type phrase struct {
	pattern   *regexp.Regexp
	instead   string
	usersOnly bool // comments in code may have it
}
