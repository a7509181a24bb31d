package pipeline

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// tagTemplate is a tag in which $TAG stands for the record's tag and $TAG[n] for its part n between dots, as in rewrite_tag.
type tagTemplate struct {
	parts []tagPart
	own   *regexp.Regexp // matches every tag that the template can give
}

type tagPart struct {
	text  string // literal text, when index is notExpanded
	index int
}

const (
	notExpanded = -1
	wholeTag    = -2
)

var tagVariable = regexp.MustCompile(`^\$TAG(?:\[(\d{1,3})\])?`)

func parseTag(text string) (*tagTemplate, error) {
	if !utf8.ValidString(text) {
		return nil, fmt.Errorf("malformed tag %q (want UTF-8)", text)
	}
	t := &tagTemplate{}
	pattern := "^"
	for rest := text; rest != ""; {
		literal, _, hasVariable := strings.Cut(rest, "$")
		if literal != "" {
			t.parts = append(t.parts, tagPart{literal, notExpanded})
			pattern += regexp.QuoteMeta(literal)
		}
		if rest = rest[len(literal):]; !hasVariable {
			break
		}
		found := tagVariable.FindStringSubmatch(rest)
		if found == nil {
			return nil, fmt.Errorf("malformed tag %q: unknown variable at %q (want $TAG or $TAG[n])", text, rest)
		}
		index := wholeTag
		pattern += ".*"
		if found[1] != "" {
			index, _ = strconv.Atoi(found[1]) // at most three digits
		}
		t.parts = append(t.parts, tagPart{"", index})
		rest = rest[len(found[0]):]
	}
	if strings.Trim(pattern, "^.*") == "" {
		return nil, fmt.Errorf("tag %q has no fixed text, so alerts would have the tag of records", text)
	}
	t.own = regexp.MustCompile(pattern + "$")
	return t, nil
}

// expand returns the tag for an alert of a record. A part that the record's tag does not have is empty.
func (t *tagTemplate) expand(tag string) string {
	var b strings.Builder
	for _, p := range t.parts {
		switch p.index {
		case notExpanded:
			b.WriteString(p.text)
		case wholeTag:
			b.WriteString(tag)
		default:
			if parts := strings.Split(tag, "."); p.index < len(parts) {
				b.WriteString(parts[p.index])
			}
		}
	}
	return b.String()
}

// isOwn reports whether a tag can be one of this template, so that its records are alerts already.
func (t *tagTemplate) isOwn(tag string) bool { return t != nil && t.own.MatchString(tag) }
