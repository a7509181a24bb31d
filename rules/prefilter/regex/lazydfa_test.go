package regex

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

func newBudget() *Budget { return &Budget{Making: new(atomic.Int64)} }

func TestAutomatonStaysBoundedAndRightWhenAValueLeadsToManyStates(t *testing.T) {
	a := NewLazyDFA(`(?:a|b)*a(?:a|b){14}c`, newBudget())
	random := rand.New(rand.NewPCG(3, 4))
	slow := regexp.MustCompile(a.pattern)
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
		a := NewLazyDFA(pattern, newBudget())
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

func TestMakingAnAutomatonIsCounted(t *testing.T) {
	a := NewLazyDFA(`(?:a|b){1,200}c`, newBudget())
	require.True(t, a.Match("abc"))
	made := a.budget.Making.Load()
	require.Positive(t, made)
	require.True(t, a.Match("abc"))
	require.Equal(t, made, a.budget.Making.Load())
}
