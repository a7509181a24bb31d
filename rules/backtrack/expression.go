package backtrack

import (
	"errors"
	"regexp"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/dlclark/regexp2"
)

// Patience is how long one match may take. The clock of regexp2 ticks every 100 ms, so a match ends some 250 to 450 ms after its start. It
// is no shorter because what is measured includes the time in which a busy machine runs something else.
const Patience = 250 * time.Millisecond

// maxValue is the length in bytes of the longest value that is tried. The stacks of a match grow with the value, to some hundred bytes
// for each of its bytes.
const maxValue = 1 << 20

// keptValue is the length in bytes of the longest value whose stacks are kept: regexp2 never lets go of them.
const keptValue = 4 << 10

// ErrGaveUp is returned by matches that would take too long, or too much memory. It is not known whether the value has a match.
var ErrGaveUp = errors.New("the expression gave up")

// Expression is a compiled expression. It is safe for concurrent use.
type Expression struct {
	re    *regexp2.Regexp
	loose string
	loops bool
	rough func() *regexp.Regexp // the loose form, nil when package regexp finds it too large
}

// Compile compiles an expression.
func Compile(expression string) (*Expression, error) {
	t, err := translate(expression)
	if err != nil {
		return nil, err
	}
	re, err := compile(t.exact.String())
	if err != nil {
		return nil, err
	}
	loose := t.loose.String()
	return &Expression{re, loose, t.loops, sync.OnceValue(func() *regexp.Regexp {
		re, _ := regexp.Compile("(?sm)" + loose)
		return re
	})}, nil
}

func compile(exact string) (*regexp2.Regexp, error) {
	re, err := regexp2.Compile(exact, regexp2.Singleline|regexp2.Multiline)
	if err != nil {
		text, _, _ := strings.Cut(strings.TrimPrefix(err.Error(), "error parsing regexp: "), " in `") // which is not what was written
		return nil, errors.New(text)
	}
	re.MatchTimeout = Patience
	return re, nil
}

// Loose returns an expression of RE2 over bytes, each a rune below 0x100, that has a match in every value in which this one has
// one. It keeps nothing of look-around, back references and anchors.
func (e *Expression) Loose() string { return e.loose }

// Loops reports whether the expression repeats anything. One that does not takes time in proportion to the length of a value.
func (e *Expression) Loops() bool { return e.loops }

// Match reports whether a value has a match. The error is ErrGaveUp or nil.
func (e *Expression) Match(value string) (matched bool, err error) {
	err = e.try(value, func(re *regexp2.Regexp, runes []rune) (err error) {
		matched, err = re.MatchRunes(runes)
		return err
	})
	return matched, err
}

// Find returns where the first match is: the ends of the match and of its groups in pairs, -1 for a group that takes no part. It is
// nil when there is none. The error is ErrGaveUp or nil.
func (e *Expression) Find(value string) (ends []int, err error) {
	err = e.try(value, func(re *regexp2.Regexp, runes []rune) error {
		m, err := re.FindRunesMatch(runes)
		if m != nil {
			ends = endsOf(m)
		}
		return err
	})
	return ends, err
}

func endsOf(m *regexp2.Match) (ends []int) {
	for _, g := range m.Groups() {
		if len(g.Captures) == 0 {
			ends = append(ends, -1, -1)
			continue
		}
		ends = append(ends, g.Index, g.Index+g.Length)
	}
	return ends
}

// try tries a value, but not one in which the loose form, which takes linear time, finds nothing: giving up on it would make a partial verdict
// of one that is certain, and the prefilter does not try it either.
func (e *Expression) try(value string, match func(*regexp2.Regexp, []rune) error) error {
	switch {
	case (e.loops || len(value) > maxValue) && !e.canMatch(value):
		return nil
	case len(value) > maxValue:
		return ErrGaveUp
	}
	re := e.re
	if len(value) > keptValue {
		var err error
		if re, err = compile(re.String()); err != nil {
			return ErrGaveUp // it was compiled before
		}
	}
	runes := takeRunes(value)
	defer runes.giveBack()
	begin := time.Now()
	err := match(re, *runes)
	if err != nil && time.Since(begin) < Patience/2 {
		err = match(re, *runes) // the clock of regexp2 stands still while nobody needs it, and one of many who start it may be misled
	}
	if err != nil {
		return ErrGaveUp
	}
	return nil
}

func (e *Expression) canMatch(value string) bool {
	rough := e.rough()
	return rough == nil || rough.MatchString(latin1(value))
}

// latin1 returns a text with a rune below 0x100 for each byte of a value.
func latin1(value string) string {
	if !strings.ContainsFunc(value, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return value
	}
	var b strings.Builder
	for i := range len(value) {
		b.WriteRune(rune(value[i]))
	}
	return b.String()
}

// buffer holds a value as runes.
type buffer []rune

// largeBuffer is the number of runes from which a buffer is left to the garbage collector.
const largeBuffer = 64 << 10

var buffers = sync.Pool{New: func() any { return new(buffer) }}

func takeRunes(value string) *buffer {
	b := buffers.Get().(*buffer)
	if cap(*b) < len(value) {
		*b = make(buffer, len(value))
	}
	*b = (*b)[:len(value)]
	for i := range len(value) {
		(*b)[i] = runeOf(value[i])
	}
	return b
}

func (b *buffer) giveBack() {
	if cap(*b) <= largeBuffer {
		buffers.Put(b)
	}
}

// runeOf returns the rune that stands for a byte.
func runeOf(b byte) rune {
	if b < 0x80 {
		return rune(b)
	}
	return private | rune(b)
}

// private is where the runes are that nobody has given a meaning.
const private = 0xe000
