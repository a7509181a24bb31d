package backtrack

import (
	"errors"
	"math/rand/v2"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestExpressions(t *testing.T) {
	for _, c := range []struct {
		expression string
		yes, no    []string
	}{
		{`<\?(?!xml)`, []string{"<?php", "<?", "<?XML", "a <?xm"}, []string{"<?xml version", "< ?", ""}},
		{`(?i)<\?(?!xml)`, []string{"<?php"}, []string{"<?XML"}},
		{`(?<!&amp);`, []string{";", "&am;"}, []string{"&amp;", "amp"}},
		{`(?<=a|bc)d`, []string{"ad", "bcd"}, []string{"d", "cd"}},
		{`^a++b`, []string{"aab"}, []string{"aac"}},
		{`^a++ab`, nil, []string{"aab"}},
		{`^(?:ab|a)++b`, nil, []string{"ab", "aab"}},
		{`^"(?>[^"\\]|\\.)*"$`, []string{`"a\"b"`}, []string{`"a"b"`}},
		{`^(a|b){2}+c`, []string{"abc"}, []string{"ac"}},
		{`\b(\w+)\b=\1\b`, []string{"a=a", "x ab=ab"}, []string{"a=b", "a=aa"}},
		{`(?i)(a)\1`, []string{"aA"}, []string{"ab"}},
		{`(?<q>["'])x\k<q>`, []string{`"x"`, `'x'`}, []string{`"x'`}},
		{`(?P<q>["'])x(?P=q)(y)\2`, []string{`"x"yy`}, []string{`"x"y`}},
		{`(?'q'["'])x\k{q}\g{q}\g1\g{1}`, []string{`"x""""`}, nil},
		{`(?=.*\d)(?=.*[a-z])^.{3,}$`, []string{"a1b", "x\na1b"}, []string{"abc", "1a"}},
		{`(?#a comment \)a(?!b)`, []string{"ac"}, []string{"ab"}},
		{`\Qa.b*\E(?!c)`, []string{"a.b*d"}, []string{"axb*", "a.b*c"}},
		{`\Qa.b(?!c)`, []string{"a.b(?!c)"}, []string{"a.bd"}},
		{`a\E(?!b)`, []string{"a"}, []string{"ab"}},
		{`^\R(?!\n)$`, []string{"\r\n"}, []string{"a"}},
		{`^\R\n(?!x)`, []string{"\r\n\n", "\n\n"}, []string{"\r\nx"}},
		{`(?!x)[\w.-]+@`, []string{"a.b-c@"}, []string{"é@"}},
		{`^(?!x)..$`, []string{"é", "\xff\xfe"}, []string{"éé"}},
		{"(?!x)[é]{2}", []string{"é"}, []string{"\xc3"}},
		{`(?i)(?!x)é`, []string{"é"}, []string{"É"}},
		{`(?i)(?!x)\xe9`, []string{"\xe9"}, []string{"\xc9"}},
		{`(?i)(?!x)k`, []string{"K"}, []string{"\u212a"}},
		{`(?!x)^$`, []string{"", "a\n\nb"}, []string{"a\n"}},
		{`(?!x)\.a{,2}`, []string{".a{,2}"}, []string{".aa"}},
		{`(?!x)[[:alpha:][:^digit:]]`, []string{"a", "-"}, []string{"1"}},
		{`(?!x)[a\-c[.]`, []string{"-", "[", "."}, []string{"b"}},
		{`(?!x)\x00\x{41}\x\0\011\cA\e`, []string{"\x00A\x00\x00\t\x01\x1b"}, nil},
		{`\A(?s-m:(?!x).$)`, []string{"a", "a\n", "\n"}, []string{"a\nb"}},
		{`a(?!b)|`, []string{""}, nil},
	} {
		e, err := Compile(c.expression)
		require.NoError(t, err, c.expression)
		for matched, values := range map[bool][]string{true: c.yes, false: c.no} {
			for _, value := range values {
				got, err := e.Match(value)
				require.NoError(t, err)
				require.Equal(t, matched, got, "%q on %q", c.expression, value)
			}
		}
	}
}

func TestExpressionsThatAreRejected(t *testing.T) {
	for expression, want := range map[string]string{
		`(?R)`: `"(?R)" is not supported`, `(a)(?1)`: `"(?1)" is not supported`, `(?(1)a|b)`: `"(?(1" is not supported`, `(?|a|b)`: `"(?|a" is not supported`,
		`(?x) a`: `"(?x)" is not supported`, `(*FAIL)`: `"(*FA" is not supported`, `a\Kb`: `"\\K" is not supported`, `\p{L}`: `"\\p" is not supported`,
		`\X`: `"\\X" is not supported`, `\y`: `"\\y" is not supported`, `(?=a`: "missing closing )", `a)`: "unexpected )", `[a`: "missing closing ]", `a\`: "a backslash at the end",
		`\x{100}`: `"\\x{100}" is no byte`, `(a)\10`: `"\\10" is a group or a character`, `\k<a>`: "no group before has the name a", `(?<a>x)(?<a>y)`: "two groups have the name a",
		`[z-a]`: "a range of a class ends before its start", `[[:foo:]]`: `"[:foo:]" is not supported`, `[[:^lower:]]`: `"[:^lower:]" is not supported`,
		`[[.a.]]`: `"[." in a class is not supported`, `(?#a`: "missing ) after (?# comment", `a\1`: "reference to undefined group number 1", `a**`: "invalid nested repetition operator",
		`(?<1>a)`: `"(?<1" is not supported`, `(?<a-b>a)`: `"(?<a" is not supported`, `[\Qa\E]`: `"\\Q" is not supported`, `+a`: "missing argument to repetition operator",
	} {
		_, err := Compile(expression)
		require.ErrorContains(t, err, want, expression)
	}
}

func TestGroupsAreWhereTheyAre(t *testing.T) {
	for _, c := range []struct {
		expression, value string
		want              []int
	}{
		{`(a)(b)?(?=c)`, "éac", []int{2, 3, 2, 3, -1, -1}},
		{`(?<x>a)(b)(?!z)\k<x>`, "aba", []int{0, 3, 0, 1, 1, 2}},
		{`(?:(a)|(b))*+c`, "abc", []int{0, 3, 0, 1, 1, 2}},
		{`(?!x)`, "", []int{0, 0}},
		{`(?!x)y`, "x", nil},
	} {
		e, err := Compile(c.expression)
		require.NoError(t, err)
		got, err := e.Find(c.value)
		require.NoError(t, err)
		require.Equal(t, c.want, got, "%q on %q", c.expression, c.value)
	}
}

func TestLoops(t *testing.T) {
	for expression, want := range map[string]bool{
		`<\?(?!xml)`: false, `(?<!&(?:[aA]uml|amp));|['"=]`: false, `a?+(?:b|c)??`: false, `[*+]\*\x2b{`: false, `\Qa*\E(?!b)`: false,
		`(?!a)b*`: true, `a++`: true, `a{2}(?!b)`: true, `(?=a+?)`: true, `(?!a)(?:b{1,3}+)`: true,
	} {
		e, err := Compile(expression)
		require.NoError(t, err)
		require.Equal(t, want, e.Loops(), expression)
	}
}

// exactly tries a value without asking the loose form first.
func (e *Expression) exactly(value string) bool {
	runes := takeRunes(value)
	defer runes.giveBack()
	matched, err := e.re.MatchRunes(*runes)
	return matched && err == nil
}

// The prefilter rests on this: a value in which the loose form finds nothing has no match.
func TestTheLooseFormMatchesWhereverTheExpressionDoes(t *testing.T) {
	m := &maker{Rand: rand.New(rand.NewPCG(3, 4))}
	compiled, matches, tells := 0, 0, 0
	for range 5000 {
		m.groups = 0
		expression := m.alternatives(2)
		e, err := Compile(expression)
		if err != nil {
			continue
		}
		compiled++
		loose, err := regexp.Compile("(?sm)" + e.Loose())
		require.NoError(t, err, "%q is %q", expression, e.Loose())
		for range 8 {
			value := m.value()
			found := loose.MatchString(latin1(value))
			if !found {
				tells++
			}
			if e.exactly(value) {
				matches++
				require.True(t, found, "%q, loosely %q, on %q", expression, e.Loose(), value)
			}
		}
	}
	t.Logf("%d expressions, %d matches, %d values without a loose match", compiled, matches, tells)
	require.Greater(t, compiled, 4000)
	require.Greater(t, min(matches, tells), 4000)
}

// catastrophe is an expression that takes 2 to the power of the value's length.
const catastrophe = `^(?:a|aa)*(?!a)b`

var hopeless = strings.Repeat("a", 64) + "-b"

// Nobody has to give up on a value in which the loose form finds nothing.
func TestValuesThatCannotMatchAreNotTried(t *testing.T) {
	e, err := Compile(catastrophe)
	require.NoError(t, err)
	for _, value := range []string{hopeless[:65], strings.Repeat("a", 2*maxValue), strings.Repeat("a\xff\u0142", 100)} {
		matched, err := e.Match(value)
		require.NoError(t, err)
		require.False(t, matched)
	}
}

func TestTheLooseFormMayBeTooLarge(t *testing.T) {
	e, err := Compile(`(?<!a)(?:b{900}){2}c`)
	require.NoError(t, err)
	require.Nil(t, e.rough())
	matched, err := e.Match(strings.Repeat("b", 1800) + "c")
	require.NoError(t, err)
	require.True(t, matched)
}

func TestMatchesThatTakeTooLongGiveUp(t *testing.T) {
	e, err := Compile(catastrophe)
	require.NoError(t, err)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			start := time.Now()
			_, err := e.Match(hopeless)
			took := time.Since(start)
			if !errors.Is(err, ErrGaveUp) || took < Patience/2 || took > 40*Patience {
				t.Errorf("%v after %v", err, took)
			}
			ends, err := e.Find(hopeless)
			if !errors.Is(err, ErrGaveUp) || ends != nil {
				t.Errorf("%v, %v", ends, err)
			}
		})
	}
	all.Wait()
	matched, err := e.Match("aab")
	require.NoError(t, err)
	require.True(t, matched, "an expression that gave up goes on")
}

func TestLongValues(t *testing.T) {
	e, err := Compile(`(?<!a)b`)
	require.NoError(t, err)
	for _, length := range []int{keptValue, keptValue + 1, 64 << 10} {
		matched, err := e.Match(strings.Repeat("a", length) + "b")
		require.NoError(t, err)
		require.False(t, matched)
		ends, err := e.Find(strings.Repeat("a", length-1) + "cb")
		require.NoError(t, err)
		require.Equal(t, []int{length, length + 1}, ends)
	}
	_, err = e.Match(strings.Repeat("a", maxValue) + "b")
	require.ErrorIs(t, err, ErrGaveUp)
}

// Whatever an expression is, it is rejected or matches without a panic, and its loose form keeps its promise.
func FuzzExpression(f *testing.F) {
	f.Add(`(?i)\b(\w+)\b=(?!\1)(?<q>['"])x\k<q>`, "a='x'")
	f.Add(`^(?>[^a-c\x00-\x1f]|[[:alpha:]]++)*?(?<=\R)$`, "x\r\n\xff")
	f.Fuzz(func(t *testing.T, expression, value string) {
		if len(expression) > 100 || len(value) > 100 {
			return
		}
		e, err := Compile(expression)
		if err != nil {
			return
		}
		if _, err = e.Find(value); err != nil || !e.exactly(value) {
			return
		}
		loose, err := regexp.Compile("(?sm)" + e.Loose())
		if err == nil && !loose.MatchString(latin1(value)) {
			t.Errorf("%q, loosely %q, on %q", expression, e.Loose(), value)
		}
	})
}
