package literalset

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter/ascii"
)

func TestScannerFindsEveryLiteralWhateverItsCase(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 10))
	for i := range 90 {
		shortest := 1
		if i >= 60 {
			shortest = 4 // which takes a loop of its own
		}
		sets := map[uint32]Set{}
		var all []string
		for test := range uint32(1 + random.IntN(90)) {
			for range 1 + random.IntN(20) {
				text := make([]byte, shortest+random.IntN(9))
				for i := range text {
					text[i] = "abcdefgh01/.<\xbc"[random.IntN(14)]
				}
				sets[test] = append(sets[test], string(text))
				all = append(all, string(text))
			}
		}
		s := NewMatcher(sets)
		var hits Bitset
		for range 200 {
			var b strings.Builder
			for range random.IntN(6) {
				b.WriteString(randomValue(random, 4))
				b.WriteString(strings.ToUpper(all[random.IntN(len(all))]))
			}
			value := b.String()
			hits.Reset(len(sets))
			s.Scan(value, &hits)
			folded := asciiLower(value)
			for test, set := range sets {
				want := false
				for _, text := range set {
					want = want || strings.Contains(folded, text)
				}
				require.Equal(t, want, hits.Has(test), "%q in %q", set, value)
			}
		}
	}
}

func TestScannerKeepsManyLiteralsOfOneByteApart(t *testing.T) {
	sets := map[uint32]Set{}
	for c := range uint32(200) {
		sets[c] = Set{string([]byte{ascii.Fold[c]})}
	}
	s := NewMatcher(sets)
	require.Greater(t, len(s.single), 2*markBits)
	for c := range 256 {
		var hits Bitset
		hits.Reset(len(sets))
		s.Scan("~"+string([]byte{byte(c)})+"~", &hits)
		for test := range uint32(len(sets)) {
			folded := ascii.Fold[test]
			require.Equal(t, folded == '~' || folded == ascii.Fold[c], hits.Has(test), "%q in %q", folded, c)
		}
	}
}

func TestScannerFindsALiteralOfNoByteInEveryValue(t *testing.T) {
	s := NewMatcher(map[uint32]Set{0: {"abc"}, 1: {"abc", ""}})
	for _, value := range []string{"", "x", "ABC"} {
		var hits Bitset
		hits.Reset(2)
		s.Scan(value, &hits)
		require.Equal(t, value == "ABC", hits.Has(0), "%q", value)
		require.True(t, hits.Has(1), "%q", value)
	}
}

// randomValue returns a text of fewer bytes than a size.
func randomValue(random *rand.Rand, size int) string {
	const alphabet = "abAB01 %+&\\/.:;,'\"^(#-<*>!\t\n\x00\x80\xc3\xa9\xff"
	b := make([]byte, random.IntN(size))
	for i := range b {
		b[i] = alphabet[random.IntN(len(alphabet))]
	}
	return string(b)
}

func asciiLower(s string) string {
	b := []byte(s)
	for i := range b {
		b[i] = ascii.Fold[b[i]]
	}
	return string(b)
}

// A value that repeats what many words have in common must not be compared with all of them at each place.
func TestWordsThatBeginAlikeAreFoundByOtherParts(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for _, prefix := range []string{"http://", "/wp-content/plugins/", "bin/"} {
		var words Set
		for range 5000 {
			word := []byte(prefix)
			for range 10 {
				word = append(word, byte('a'+random.IntN(26)))
			}
			words = append(words, string(word)+".com/")
		}
		m := NewMatcher(map[uint32]Set{0: words})
		for at := 0; at+4 <= len(prefix); at++ {
			from, to := m.grams[4].find(packGram(prefix[at : at+4]))
			require.LessOrEqual(t, to-from, uint32(crowd), prefix[at:at+4])
		}
		var hits Bitset
		require.True(t, m.Contains("see "+words[4711], &hits))
		require.False(t, m.Contains(strings.Repeat(prefix, 100), &hits))
	}
}
