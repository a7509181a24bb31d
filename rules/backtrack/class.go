package backtrack

import (
	"fmt"
	"regexp"
	"strings"
)

// byteSet is a set of bytes.
type byteSet [256]bool

// newSet returns the set of the bytes of a text, in which a hyphen stands between the ends of a range.
func newSet(text string) *byteSet {
	s := &byteSet{}
	for i := 0; i < len(text); i++ {
		if i+2 < len(text) && text[i+1] == '-' {
			s.addRange(text[i], text[i+2])
			i += 2
			continue
		}
		s[text[i]] = true
	}
	return s
}

func (s *byteSet) addRange(low, high byte) {
	for b := int(low); b <= int(high); b++ {
		s[b] = true
	}
}

func (s *byteSet) add(other *byteSet) {
	for b := range other {
		s[b] = s[b] || other[b]
	}
}

func (s *byteSet) complement() *byteSet {
	c := &byteSet{}
	for b := range s {
		c[b] = !s[b]
	}
	return c
}

// ranges writes the set as the inside of a class. No range has bytes below 0x80 and others: their runes are far apart.
func (s *byteSet) ranges(write func(byte) string) string {
	var text strings.Builder
	for b := 0; b < len(s); b++ {
		if !s[b] {
			continue
		}
		first := b
		for b+1 < len(s) && s[b+1] && b+1 != 0x80 {
			b++
		}
		text.WriteString(write(byte(first)))
		if b > first {
			text.WriteString("-" + write(byte(b)))
		}
	}
	return text.String()
}

// spaces are the sets of PCRE's escapes by letter, in lower case.
var spaces = map[string]*byteSet{
	"d": newSet("0-9"), "w": newSet("0-9A-Z_a-z"), "s": newSet("\t-\r "), "h": newSet("\t \xa0"), "v": newSet("\n-\r\x85"),
}

// setNamed returns the set of an escape, nil when the letter has none. Upper case stands for all other bytes.
func setNamed(letter byte) *byteSet {
	if s := spaces[string(rune(letter))]; s != nil {
		return s
	}
	if s := spaces[strings.ToLower(string(rune(letter)))]; s != nil {
		return s.complement()
	}
	return nil
}

// posix are the sets of POSIX names in the C locale.
var posix = map[string]*byteSet{
	"alnum": newSet("0-9A-Za-z"), "alpha": newSet("A-Za-z"), "ascii": newSet("\x00-\x7f"), "blank": newSet("\t "),
	"cntrl": newSet("\x00-\x1f\x7f"), "digit": newSet("0-9"), "graph": newSet("!-~"), "lower": newSet("a-z"), "print": newSet(" -~"),
	"punct": newSet("!-/:-@[-`{-~"), "space": newSet("\t-\r "), "upper": newSet("A-Z"), "word": newSet("0-9A-Z_a-z"),
	"xdigit": newSet("0-9A-Fa-f"),
}

var (
	posixName = regexp.MustCompile(`^\[:(\^?)([a-z]*):\]`)
	collating = regexp.MustCompile(`^\[(?:\.[^\]]*\.|=[^\]]*=)\]`)
)

// class reads a class in brackets.
func (t *translation) class() error {
	text := t.rest[1:]
	negated := strings.HasPrefix(text, "^")
	text = strings.TrimPrefix(text, "^")
	var set byteSet
	for first := true; first || !strings.HasPrefix(text, "]"); first = false {
		low, some, taken, err := readMember(text)
		if err != nil {
			return err
		}
		text = text[taken:]
		if some != nil {
			set.add(some)
			continue
		}
		high := low
		if len(text) > 1 && text[0] == '-' && text[1] != ']' {
			last, some, taken, err := readMember(text[1:])
			switch {
			case err != nil:
				return err
			case some == nil:
				high, text = last, text[1+taken:]
			}
		}
		if high < low {
			return fmt.Errorf("a range of a class ends before its start")
		}
		set.addRange(low, high)
	}
	t.set(len(t.rest)-len(text)+1, &set, negated)
	return nil
}

// readMember reads one byte, or one set of bytes, of a class.
func readMember(text string) (b byte, set *byteSet, taken int, err error) {
	switch {
	case text == "":
		return 0, nil, 0, fmt.Errorf("missing closing ]")
	case strings.HasPrefix(text, `\b`):
		return '\b', nil, 2, nil
	case text[0] == '\\':
		return readEscape(text)
	}
	name := posixName.FindStringSubmatch(text)
	switch {
	case name == nil && collating.MatchString(text):
		return 0, nil, 0, fmt.Errorf("%q in a class is not supported", text[:2])
	case name == nil:
		return text[0], nil, 1, nil
	case posix[name[2]] == nil, name[1] != "" && (name[2] == "upper" || name[2] == "lower"):
		return 0, nil, 0, fmt.Errorf("%q is not supported", name[0])
	case name[1] != "":
		return 0, posix[name[2]].complement(), len(name[0]), nil
	}
	return 0, posix[name[2]], len(name[0]), nil
}
