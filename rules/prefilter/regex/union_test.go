package regex

import (
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

func newUnion(patterns ...string) *Union {
	b := NewBudget(new(atomic.Int64))
	members := make([]*LazyDFA, len(patterns))
	for i, pattern := range patterns {
		members[i] = b.LazyDFA(pattern)
	}
	return b.Union(members)
}

func requireUnion(t *testing.T, u *Union, patterns []string, value string) (matches bool) {
	matches = slices.ContainsFunc(patterns, func(pattern string) bool { return regexp.MustCompile(pattern).MatchString(value) })
	require.Equal(t, matches, u.CanMatch(value), "%q on %q", patterns, value)
	return matches
}

func TestAUnionMatchesWhatOneOfItsExpressionsDoes(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	matching, others := 0, 0
	for range 1500 {
		var patterns []string
		for range 2 + random.IntN(4) {
			pattern := randomPattern(random)
			if random.IntN(2) == 0 { // many match everything
				pattern += []string{"aab", "(?-i)A-", `\xff|é_`, `-\b`}[random.IntN(4)]
			}
			patterns = append(patterns, pattern)
		}
		u := newUnion(patterns...)
		for range 40 {
			if requireUnion(t, u, patterns, randomValue(random)) {
				matching++
			} else {
				others++
			}
		}
	}
	require.Greater(t, matching, 3000)
	require.Greater(t, others, 3000)
}

func TestEachExpressionOfAUnionIsReadByItself(t *testing.T) {
	for _, patterns := range [][]string{
		{"(?i)ab", "cd"}, {"cd", "(?i)ab"}, {"(?s)a.b", "c.d"}, {"(?m)^a$", "^c$"}, {"(?U)a+$", "c+$"}, {`\Qa.b`, "c"}, {`a\Q|b`, "c|d"}, {"a|b", "^c"}, {"(?P<x>a)b", "(?P<x>c)d"},
		{"", "a"}, {"a", "a"}, {"[^\\x00-\\x{10FFFF}]", "c"}, {`\x{fffd}`, `\bc`},
	} {
		u := newUnion(patterns...)
		for _, value := range []string{"", "ab", "AB", "CD", "cd", "Cd", "a\nb", "c\nd", "x\na\ny", "x\nc\ny", "c", "aab", "ccd", "a.b", "a|b", "|", "b", "\xff", "éc", "\ufffd"} {
			requireUnion(t, u, patterns, value)
		}
	}
}

func TestAUnionRestsWhenValuesLeadToTooManyStates(t *testing.T) {
	u := newUnion(`(?:a|b)*a(?:a|b){14}c`, "x")
	random := rand.New(rand.NewPCG(9, 10))
	value := make([]byte, 30_000)
	for i := range value {
		value[i] = "ab"[random.IntN(2)]
	}
	require.False(t, u.CanMatch("abc"))
	require.True(t, u.CanMatch(string(value)+"aaaaaaaaaaaaaaaac"))
	require.Less(t, u.dfa.size, maxStateBytes+4096)
	require.True(t, u.CanMatch("abc"), "it rests")
	other := strings.Repeat("z", 1<<20)
	for range u.dfa.filled.Load() * bytesPerFill / int64(len(other)) {
		u.CanMatch(other)
	}
	require.False(t, u.CanMatch("abc"))
	require.True(t, u.CanMatch("abx"))
}
