package backtrack

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// controls are the bytes of escapes with a letter.
var controls = map[byte]byte{'a': 7, 'e': 27, 'f': 12, 'n': 10, 'r': 13, 't': 9}

var (
	hexEscape   = regexp.MustCompile(`^\\x(?:\{([0-9A-Fa-f]+)\}|([0-9A-Fa-f]{0,2}))`)
	octalEscape = regexp.MustCompile(`^\\0[0-7]{0,2}`)
	reference   = regexp.MustCompile(`^\\(?:([1-9])|g([1-9])|g\{([1-9])\}|[gk]\{([A-Za-z_]\w*)\}|k<([A-Za-z_]\w*)>|k'([A-Za-z_]\w*)')`)
)

// escape reads what begins with a backslash outside of a class.
func (t *translation) escape() error {
	if r := reference.FindStringSubmatch(t.rest); r != nil {
		if after := t.rest[len(r[0]):]; r[3]+r[4]+r[5]+r[6] == "" && after != "" && '0' <= after[0] && after[0] <= '9' {
			return fmt.Errorf("%q is a group or a character", t.rest[:len(r[0])+1])
		}
		return t.refer(len(r[0]), strings.Join(r[1:], ""))
	}
	b, set, taken, err := readEscape(t.rest)
	switch {
	case err == nil && set != nil:
		t.set(taken, set, false)
		return nil
	case err == nil:
		t.literal(taken, b)
		return nil
	case len(t.rest) < 2:
		return err
	}
	switch t.rest[1] {
	case 'b', 'B', 'A', 'z', 'Z':
		t.write(2, t.rest[:2], nothing)
	case 'N':
		t.set(2, newSet("\n"), true)
	case 'R':
		lines := spaces["v"]
		t.write(2, `(?>\r\n|[`+lines.ranges(exactByte)+`])`, `(?:\r\n|[`+lines.ranges(looseByte)+`])`)
	case 'Q':
		t.quoted()
	case 'E':
		t.rest = t.rest[2:]
	default:
		return err
	}
	return nil
}

// quoted takes over what stands between \Q and \E.
func (t *translation) quoted() {
	text, after, _ := strings.Cut(t.rest[2:], `\E`)
	for i := range len(text) {
		t.literal(0, text[i])
	}
	t.rest = after
}

// readEscape reads an escape that stands for a byte, or for a set of bytes.
func readEscape(text string) (b byte, set *byteSet, taken int, err error) {
	if len(text) < 2 {
		return 0, nil, 0, fmt.Errorf("a backslash at the end")
	}
	c := text[1]
	control, isControl := controls[c]
	named := setNamed(c)
	switch {
	case c == 'x':
		return readHex(text)
	case c == '0':
		octal := octalEscape.FindString(text)
		n, _ := strconv.ParseUint(octal[1:], 8, 8)
		return byte(n), nil, len(octal), nil
	case c == 'c' && len(text) > 2 && text[2] < 0x80:
		return strings.ToUpper(text[2:3])[0] ^ 0x40, nil, 3, nil
	case isControl:
		return control, nil, 2, nil
	case named != nil:
		return 0, named, 2, nil
	case !isAlphanumeric(c):
		return c, nil, 2, nil
	}
	return 0, nil, 0, fmt.Errorf("%q is not supported", text[:2])
}

func readHex(text string) (b byte, set *byteSet, taken int, err error) {
	found := hexEscape.FindStringSubmatch(text)
	digits := found[1] + found[2]
	if digits == "" {
		digits = "0"
	}
	n, err := strconv.ParseUint(digits, 16, 8)
	if err != nil {
		return 0, nil, 0, fmt.Errorf("%q is no byte", found[0])
	}
	return byte(n), nil, len(found[0]), nil
}
