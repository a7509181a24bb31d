package fieldmap

import "strings"

// jsonCut reads JSON until it ends, in the middle of anything.
type jsonCut struct {
	body  string
	at    int
	open  []byte // closing brackets of the values that are open, outermost first
	state jsonState
	comma int // place of the last comma
}

type jsonState uint8

const (
	wantValue jsonState = iota
	wantItem            // the first value of an array, or its end
	wantName            // a name in an object
	wantFirstName
	wantColon
	wantComma // or the end of what is open
)

// closeJSON returns how much of a cut JSON text to keep and what to append, so that it is whole JSON. A name without a value
// gets null, an incomplete number or word is completed to the nearest one. A text that is malformed before its end is kept as it is.
func closeJSON(body string) (keep int, tail string) {
	j := jsonCut{body: body, comma: -1}
	for {
		if j.skipSpace(); j.at == len(body) {
			return j.atEnd()
		}
		if tail, cut, ok := j.step(); !ok {
			return len(body), ""
		} else if cut {
			return j.at, tail + j.closing()
		}
	}
}

func (j *jsonCut) skipSpace() {
	j.at = len(j.body) - len(strings.TrimLeft(j.body[j.at:], " \t\r\n"))
}

// atEnd closes a text that ends between two tokens.
func (j *jsonCut) atEnd() (keep int, tail string) {
	switch {
	case j.comma >= 0 && (j.state == wantName || j.state == wantValue && j.isArray()):
		return j.comma, j.closing()
	case j.state == wantColon:
		return j.at, ":null" + j.closing()
	case j.state == wantValue && len(j.open) > 0:
		return j.at, "null" + j.closing()
	}
	return j.at, j.closing()
}

func (j *jsonCut) isArray() bool { return len(j.open) > 0 && j.open[len(j.open)-1] == ']' }

func (j *jsonCut) closing() string {
	var b strings.Builder
	for i := len(j.open) - 1; i >= 0; i-- {
		b.WriteByte(j.open[i])
	}
	return b.String()
}

// step reads one token. When the text ends inside it, at is how much of the text to keep and tail what completes the token.
func (j *jsonCut) step() (tail string, cut, ok bool) {
	c := j.body[j.at]
	switch {
	case len(j.open) > 0 && c == j.open[len(j.open)-1] && j.mayClose():
		j.open = j.open[:len(j.open)-1]
		j.state = wantComma
	case j.state == wantComma:
		if c != ',' || len(j.open) == 0 {
			return "", false, false
		}
		j.comma = j.at
		if j.state = wantName; j.isArray() {
			j.state = wantValue
		}
	case j.state == wantColon:
		if c != ':' {
			return "", false, false
		}
		j.state = wantValue
	case j.state == wantName || j.state == wantFirstName:
		if c != '"' {
			return "", false, false
		}
		if j.state = wantColon; !j.skipString() {
			return `":null`, true, true
		}
		return "", false, true
	default:
		return j.value(c)
	}
	j.at++
	return "", false, true
}

func (j *jsonCut) mayClose() bool {
	return j.state == wantComma || j.state == wantItem || j.state == wantFirstName
}

func (j *jsonCut) value(c byte) (tail string, cut, ok bool) {
	j.state = wantComma
	switch {
	case c == '{':
		j.open, j.state = append(j.open, '}'), wantFirstName
		j.at++
	case c == '[':
		j.open, j.state = append(j.open, ']'), wantItem
		j.at++
	case c == '"':
		if !j.skipString() {
			return `"`, true, true
		}
	case c == '-' || c >= '0' && c <= '9':
		return j.number()
	default:
		return j.word()
	}
	return "", false, true
}

// skipString moves behind a string. When the text ends inside it, it reports false and moves behind the last whole character.
func (j *jsonCut) skipString() bool {
	start := j.at + 1
	high := -1 // place of a first half of a surrogate pair that is waiting for its second
	for i := start; i < len(j.body); i++ {
		switch j.body[i] {
		case '"':
			j.at = i + 1
			return true
		case '\\':
			size := escapeSize(j.body[i:])
			if i+size > len(j.body) {
				if j.at = i; high == i-len(`\uD83D`) && high >= 0 {
					j.at = high
				}
				return false
			}
			if high = -1; size > 2 && isHighSurrogate(j.body[i+2:]) {
				high = i
			}
			i += size - 1
		default:
			high = -1
		}
	}
	if j.at = start + len(trimRune(j.body[start:])); high >= 0 {
		j.at = high
	}
	return false
}

func escapeSize(s string) int {
	if len(s) > 1 && s[1] == 'u' {
		return len(`\u0000`)
	}
	return 2
}

func isHighSurrogate(digits string) bool {
	return (digits[0] == 'd' || digits[0] == 'D') && strings.IndexByte("89abAB", digits[1]) >= 0
}

func (j *jsonCut) number() (tail string, cut, ok bool) {
	rest := strings.TrimLeft(j.body[j.at:], "0123456789+-.eE")
	if rest != "" {
		j.at = len(j.body) - len(rest)
		return "", false, true
	}
	digits := strings.TrimRight(j.body[j.at:], "+-.eE")
	if digits == "" {
		return "0", true, true
	}
	j.at += len(digits)
	return "", true, true
}

func (j *jsonCut) word() (tail string, cut, ok bool) {
	rest := j.body[j.at:]
	for _, word := range []string{"true", "false", "null"} {
		if strings.HasPrefix(rest, word) {
			j.at += len(word)
			return "", false, true
		}
		if strings.HasPrefix(word, rest) {
			j.at = len(j.body)
			return word[len(rest):], true, true
		}
	}
	return "", false, false
}
