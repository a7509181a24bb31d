package sensitive

import "strings"

// placeholderWords are in texts that stand in the place of a secret, in lower case.
var placeholderWords = []string{
	"example", "placeholder", "sample", "dummy", "changeme", "change-me", "change_me", "replace", "redacted", "insert", "your", "xxxx",
	"****", "....", "${", "{{", "%(", "not-a-real", "notreal", "goes-here", "goes_here", "foobar", "lorem", "deadbeef",
}

// longestRun is how many equal or consecutive characters a random secret hardly ever has in a row.
const longestRun = 6

// IsPlaceholder reports whether a text stands in the place of a secret, as in documentation: it has a word for that, or a stretch
// that nobody draws at random, such as 000000, or mostly characters that count up, such as 1234567.
func IsPlaceholder(s string) bool {
	if len(s) > 256 {
		s = s[:256]
	}
	var lowered [256]byte
	var seen [256]bool
	equal, rising, counted, different := 1, 1, 0, 0
	for i := range len(s) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		lowered[i] = c
		if !seen[c] {
			seen[c] = true
			different++
		}
		if i == 0 {
			continue
		}
		equal, rising = grow(equal, c == lowered[i-1]), grow(rising, isAlphanumeric(c) && c == lowered[i-1]+1)
		switch {
		case equal >= longestRun:
			return true
		case rising == longestRun:
			counted += rising
		case rising > longestRun:
			counted++
		}
	}
	return 3*counted > len(s) || len(s) >= 12 && different <= 4 || containsAny(lowered[:len(s)], placeholderWords)
}

func grow(run int, on bool) int {
	if on {
		return run + 1
	}
	return 1
}

// exampleWords stand in front of what is an example, or in the name of the field that holds it, in lower case.
var exampleWords = []string{
	"example", "e.g.", "sample", "placeholder", "dummy", "for instance", "such as", "testcard", "test card", "test_card", "test-card", "mock",
	"fixture", "demo", "fake", "beispiel", "z.b.", "z. b.", "exempl", "par ex.", "ejemplo", "p. ej.", "esempio", "voorbeeld",
	"例如", "示例", "例：", "例:",
}

// exampleReach is how far in front of a value, in bytes, a word can stand that makes it an example.
const exampleReach = 48

// IsExample reports whether the text around a value presents it as an example: a word in front of it on its line, or a field that
// holds examples, at any depth.
func IsExample(text string, start int) bool {
	before := text[max(0, start-exampleReach):start]
	if at := strings.LastIndexAny(before, "\n;}"); at >= 0 {
		before = before[at+1:]
	}
	if at := strings.LastIndex(before, `",`); at >= 0 { // the field before
		before = before[at+2:]
	}
	if containsFold(before, exampleWords) {
		return true
	}
	is := false
	enclosingFields(text, start, func(name string, _ bool) bool {
		is = containsFold(name, exampleWords) || name == "properties" || name == "schema"
		return !is
	})
	return is
}

// codeElements hold source text and output of terminals in HTML.
var codeElements = []string{"pre", "code", "samp", "kbd", "tt", "textarea"}

// codeReach is how far in front of a value, in bytes, the element that holds it begins at most.
const codeReach = 16 << 10

// isCode reports whether a value stands in an element of HTML that holds source text, or in a code block of Markdown.
func isCode(text string, start int) bool {
	before := text[max(0, start-codeReach):start]
	for at := strings.LastIndexByte(before, '<'); at >= 0; at = strings.LastIndexByte(before[:at], '<') {
		name, closes := strings.CutPrefix(before[at+1:], "/")
		for _, element := range codeElements {
			rest, is := strings.CutPrefix(name, element)
			if is && (rest == "" || !isAlphanumeric(rest[0])) {
				return !closes
			}
		}
	}
	return strings.Count(before, "```")%2 == 1
}
