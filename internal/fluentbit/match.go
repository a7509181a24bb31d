package fluentbit

import (
	"strings"

	"github.com/dlclark/regexp2"
)

// Matches reports whether a filter or an output gets records with a tag: its match is a pattern in which * stands for any text, its
// match_regex an expression. A section with neither gets none.
func (s *Section) Matches(tag string) bool {
	if expression := s.Get("match_regex"); expression != "" {
		re, err := regexp2.Compile(expression, regexp2.None)
		if err != nil {
			return true // of another dialect: Fluent Bit may accept it
		}
		found, err := re.MatchString(tag)
		return found || err != nil
	}
	pattern := s.Find("match")
	return pattern != nil && wildcard(pattern.Value, tag)
}

// wildcard matches a whole text.
func wildcard(pattern, text string) bool {
	first, rest, star := strings.Cut(pattern, "*")
	text, begins := strings.CutPrefix(text, first)
	if !begins || !star {
		return begins && text == ""
	}
	for i := 0; i <= len(text); i++ {
		if wildcard(rest, text[i:]) {
			return true
		}
	}
	return false
}
