package regex

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

func newDFA(pattern string) *LazyDFA { return NewBudget(new(atomic.Int64)).LazyDFA(pattern) }

func TestAutomatonStaysBoundedAndRightWhenAValueLeadsToManyStates(t *testing.T) {
	a := newDFA(`(?:a|b)*a(?:a|b){14}c`)
	random := rand.New(rand.NewPCG(3, 4))
	slow := regexp.MustCompile(a.patterns[0])
	for range 20 {
		value := make([]byte, 3000)
		for i := range value {
			value[i] = "ab"[random.IntN(2)]
		}
		value[len(value)-1] = "bc"[random.IntN(2)]
		require.Equal(t, slow.Match(value), a.Match(string(value)))
		require.Less(t, a.size, maxStateBytes+4096)
	}
}

func TestAutomatonDecidesAsPackageRegexp(t *testing.T) {
	patterns := []string{
		`abc`, `(?i)select\b`, `^a+$`, `(?sm)^\s*$`, `\bor\b`, `\B-\B`, `(?i)k[éα-ω]s`, `[^a-z]{2,5}x`, `a|b|`, `$^`, `(?m)^$`, `\x{fffd}`,
		`(?:a{2,3}b?)+c`, `(?i)ſk`, `.`, `(?s).\z`, `\Aab`, `[[:word:]]+@`, `x*`, `\d+(?:\.\d+)?`, `(?sm)[\n\r]+(?:get|post)\s`,
	}
	random := rand.New(rand.NewPCG(1, 2))
	pieces := []string{"a", "b", "c", "k", "S", "select", "or", " ", "\n", "\r\n", "-", "@", "é", "ω", "\u212a", "ſ", "\xff", "\xc3", "1", ".", "_", "get ", "\ufffd", "x"}
	for _, pattern := range patterns {
		a := newDFA(pattern)
		require.NotNil(t, a, pattern)
		slow := regexp.MustCompile(pattern)
		for range 3000 {
			var b strings.Builder
			for range random.IntN(9) {
				b.WriteString(pieces[random.IntN(len(pieces))])
			}
			require.Equal(t, slow.MatchString(b.String()), a.Match(b.String()), "%s on %q", pattern, b.String())
		}
	}
}

func randomPattern(random *rand.Rand) string {
	return []string{"(?sm)", "", "(?m)"}[random.IntN(3)] + randomExpression(random, 2)
}

func randomExpression(random *rand.Rand, depth int) string {
	of := func(list ...string) string { return list[random.IntN(len(list))] }
	var b strings.Builder
	for range 1 + random.IntN(3) {
		suffix := of("", "", "", "?", "*", "+", "*?", "+?", "{2}")
		switch {
		case depth > 0 && random.IntN(2) == 0:
			b.WriteString(of("(", "(?:", "(?i:") + randomExpression(random, depth-1) + ")" + suffix)
		default:
			b.WriteString("(?:" + of("a", "b", "[ab]", ".", "é", `\w`, `\s`, `\n`, "", "^", "$", `\b`, `\B`, `\A`, `\z`, "[^b]") + ")" + suffix)
		}
		if random.IntN(4) == 0 {
			b.WriteByte('|')
		}
	}
	return b.String()
}

func randomValue(random *rand.Rand) (value string) {
	pieces := []string{"a", "b", "A", " ", "\n", "é", "-", "\xff", "ab", "_"}
	for range random.IntN(12) {
		value += pieces[random.IntN(len(pieces))]
	}
	return value
}

// Where the automaton says that a match can begin, the rest of the value has the match of the whole value, with the same groups.
func TestAMatchIsLocatedAsPackageRegexpFindsIt(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	skipped := 0
	for range 1500 {
		pattern := randomPattern(random)
		slow, err := regexp.Compile(pattern)
		require.NoError(t, err)
		a := newDFA(pattern)
		for range 40 {
			value := randomValue(random)
			from, can := a.Locate(value)
			want := slow.FindStringSubmatchIndex(value)
			require.Equal(t, want != nil, can, "%s on %q", pattern, value)
			if want == nil {
				continue
			}
			got := slow.FindStringSubmatchIndex(value[from:])
			for i := range got {
				if got[i] >= 0 {
					got[i] += from
				}
			}
			require.Equal(t, want, got, "%s on %q from %d", pattern, value, from)
			if from > 0 {
				skipped++
			}
		}
	}
	require.Greater(t, skipped, 3000)
}

func TestMakingAnAutomatonIsCounted(t *testing.T) {
	a := newDFA(`(?:a|b){1,200}c`)
	require.True(t, a.Match("abc"))
	made := a.budget.making.Load()
	require.Positive(t, made)
	require.True(t, a.Match("abc"))
	require.Equal(t, made, a.budget.making.Load())
}
