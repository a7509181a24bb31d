package backtrack

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// translation reads an expression and writes it in two other syntaxes.
type translation struct {
	rest   string          // of the expression, not read yet
	exact  strings.Builder // for regexp2
	loose  strings.Builder // for RE2; see Loose
	atom   int             // where in exact is what a quantifier would repeat
	open   []group
	hidden int            // how many of these are look-around
	groups int            // that capture, so far
	names  map[string]int // of groups, with their numbers
	loops  bool           // something is repeated
}

// group is one that is open.
type group struct {
	start int  // in exact
	hides bool // it is look-around, which the loose form omits
}

func translate(expression string) (*translation, error) {
	t := &translation{rest: expression, names: map[string]int{}}
	for t.rest != "" {
		if err := t.next(); err != nil {
			return nil, err
		}
	}
	if len(t.open) > 0 {
		return nil, fmt.Errorf("missing closing )")
	}
	return t, nil
}

// write takes over the next bytes of the expression in other words.
func (t *translation) write(taken int, exact, loose string) {
	t.rest = t.rest[taken:]
	t.atom = t.exact.Len()
	t.exact.WriteString(exact)
	if t.hidden == 0 {
		t.loose.WriteString(loose)
	}
}

// nothing stands for what matches the empty text.
const nothing = "(?:)"

// lineStart is ^ as in PCRE: no line starts behind a line feed that ends the text.
const lineStart = `(?:^(?!(?<=\n)\z))`

func (t *translation) next() error {
	switch c := t.rest[0]; c {
	case '\\':
		return t.escape()
	case '[':
		return t.class()
	case '(':
		return t.group()
	case ')':
		return t.end()
	case '|', '.':
		t.write(1, string(c), string(c))
	case '^':
		t.write(1, lineStart, nothing)
	case '$':
		t.write(1, "$", nothing)
	default:
		t.literalOrQuantifier()
	}
	return nil
}

var quantifier = regexp.MustCompile(`^([*+?]|\{\d+(?:,\d*)?\})([?+]?)`)

// literalOrQuantifier takes a brace that is no quantifier for itself, as PCRE does.
func (t *translation) literalOrQuantifier() {
	q := quantifier.FindStringSubmatch(t.rest)
	if q == nil {
		t.literal(1, t.rest[0])
		return
	}
	t.loops = t.loops || q[1] != "?"
	if q[2] == "+" {
		t.possessive(q[0], q[1])
		return
	}
	t.write(len(q[0]), q[0], q[0])
}

// possessive makes an atomic group of what a possessive quantifier repeats: regexp2 has no such quantifiers.
func (t *translation) possessive(text, greedy string) {
	before, atom := t.exact.String()[:t.atom], t.exact.String()[t.atom:]
	t.exact.Reset()
	t.write(len(text), before+"(?>"+atom+greedy+")", greedy)
	t.atom = len(before)
}

func (t *translation) literal(taken int, b byte) { t.write(taken, exactByte(b), looseByte(b)) }

// set takes over a class.
func (t *translation) set(taken int, s *byteSet, negated bool) {
	open := "["
	if negated {
		open = "[^"
	}
	t.write(taken, open+s.ranges(exactByte)+"]", open+s.ranges(looseByte)+"]")
}

func isAlphanumeric(b byte) bool {
	return '0' <= b && b <= '9' || 'A' <= b && b <= 'Z' || 'a' <= b && b <= 'z'
}

func exactByte(b byte) string {
	switch {
	case isAlphanumeric(b):
		return string(rune(b))
	case b < 0x80:
		return fmt.Sprintf(`\x%02X`, b)
	}
	return fmt.Sprintf(`\u%04X`, runeOf(b))
}

func looseByte(b byte) string {
	if isAlphanumeric(b) {
		return string(rune(b))
	}
	return fmt.Sprintf(`\x{%x}`, b)
}

var (
	namedGroup = regexp.MustCompile(`^\(\?(?:P?<([A-Za-z_][A-Za-z0-9_]*)>|'([A-Za-z_][A-Za-z0-9_]*)')`)
	flagGroup  = regexp.MustCompile(`^\(\?[ims]*(?:-[ims]+)?[:)]`)
	sameAgain  = regexp.MustCompile(`^\(\?P=([A-Za-z_][A-Za-z0-9_]*)\)`)
)

// group reads what begins with an opening parenthesis.
func (t *translation) group() error {
	for _, g := range []struct {
		text, loose string
		hides       bool
	}{
		{"(?=", nothing, true}, {"(?!", nothing, true}, {"(?<=", nothing, true}, {"(?<!", nothing, true}, {"(?>", "(?:", false},
	} {
		if strings.HasPrefix(t.rest, g.text) {
			t.write(len(g.text), g.text, g.loose)
			t.begin(g.hides)
			return nil
		}
	}
	switch {
	case strings.HasPrefix(t.rest, "(?#"):
		return t.comment()
	case !strings.HasPrefix(t.rest, "(?") && !strings.HasPrefix(t.rest, "(*"):
		t.capture(1)
		return nil
	}
	return t.specialGroup()
}

func (t *translation) specialGroup() error {
	if flags := flagGroup.FindString(t.rest); flags != "" {
		t.write(len(flags), flags, flags)
		if strings.HasSuffix(flags, ":") {
			t.begin(false)
		}
		return nil
	}
	if again := sameAgain.FindStringSubmatch(t.rest); again != nil {
		return t.refer(len(again[0]), again[1])
	}
	named := namedGroup.FindStringSubmatch(t.rest)
	if named == nil {
		return fmt.Errorf("%q is not supported", t.rest[:min(len(t.rest), 4)])
	}
	name := named[1] + named[2]
	if t.names[name] > 0 {
		return fmt.Errorf("two groups have the name %s", name)
	}
	t.capture(len(named[0]))
	t.names[name] = t.groups
	return nil
}

// capture opens a group that captures. Names become numbers: regexp2 numbers groups with names last.
func (t *translation) capture(taken int) {
	t.write(taken, "(", "(?:")
	t.begin(false)
	t.groups++
}

func (t *translation) begin(hides bool) {
	t.open = append(t.open, group{t.atom, hides})
	if hides {
		t.hidden++
	}
}

func (t *translation) end() error {
	if len(t.open) == 0 {
		return fmt.Errorf("unexpected )")
	}
	last := len(t.open) - 1
	closed := t.open[last]
	t.open = t.open[:last]
	t.write(1, ")", ")")
	t.atom = closed.start
	if closed.hides {
		t.hidden--
	}
	return nil
}

func (t *translation) comment() error {
	_, after, closed := strings.Cut(t.rest, ")")
	if !closed {
		return fmt.Errorf("missing ) after (?# comment")
	}
	t.rest = after
	return nil
}

// refer takes over a back reference to a number or name.
func (t *translation) refer(taken int, group string) error {
	number, err := strconv.Atoi(group)
	if err != nil {
		if number = t.names[group]; number == 0 {
			return fmt.Errorf("no group before has the name %s", group)
		}
	}
	t.write(taken, fmt.Sprintf(`(?:\%d)`, number), "(?s:.*)")
	return nil
}
