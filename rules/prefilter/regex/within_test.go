package regex

import (
	"math/rand/v2"
	"regexp"
	"regexp/syntax"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func isWord(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == ' ' }

func TestCanMatchWithin(t *testing.T) {
	for pattern, want := range map[string]bool{
		"": true, "abc": true, "a.c": true, "a=c": false, "[=;]": false, "[=x]": true, "[^a-z]": true, "[^a-zA-Z ]": false, "(?i)K": true,
		"a=?": true, "a=+": false, "(?:a=)*": true, "(?:a=){0,3}": true, "(?:a=){2}": false, "a|=": true, ";|=": false, "(a|=);": false,
		`\ba\b`: true, `^$`: true, "\u00e9": false, "[\u00e0-\u00ff]": false, "(?i)\u212a": true, "\u212a": false, `\d`: false, `[[:punct:]]`: false, "(": true,
	} {
		require.Equal(t, want, Parse(pattern).CanMatchWithin(isWord), pattern)
	}
}

// The parser happens to store the smallest rune of those that are the same but for their case.
func TestARuneIsWithinWhenOneOfAnotherCaseIs(t *testing.T) {
	re := &syntax.Regexp{Op: syntax.OpLiteral, Rune: []rune{'\u212a'}, Flags: syntax.FoldCase}
	require.True(t, canMatchWithin(re, isWord))
	re.Flags = 0
	require.False(t, canMatchWithin(re, isWord))
}

func TestWhatMatchesWithinASetIsFound(t *testing.T) {
	random := rand.New(rand.NewPCG(21, 22))
	of := func(list ...string) string { return list[random.IntN(len(list))] }
	var pattern func(depth int) string
	pattern = func(depth int) string {
		if depth == 0 || random.IntN(3) == 0 {
			return of("a", "k", "=", " ", ".", "[a=]", "[^a]", "[^=]", `\W`, `\w`, `\s`, "^", "$", `\b`, "(?i)s", "\u017f", "[;-~]", "")
		}
		p := "(?:" + pattern(depth-1) + of("", "|") + pattern(depth-1) + ")"
		return p + of("", "", "?", "*", "+", "{2}", "{0,2}")
	}
	matched, without := 0, 0
	for range 4000 {
		p := pattern(3)
		re, err := regexp.Compile("(?sm)" + p)
		if err != nil {
			continue
		}
		can := Parse(p).CanMatchWithin(isWord)
		if !can {
			without++
		}
		for range 20 {
			var b strings.Builder
			for range random.IntN(6) {
				b.WriteString(of("a", "k", "K", "s", " ", "zz"))
			}
			if re.MatchString(b.String()) {
				matched++
				require.True(t, can, "%q matches %q", p, b.String())
			}
		}
	}
	require.Greater(t, matched, 1000)
	require.Greater(t, without, 100)
}
