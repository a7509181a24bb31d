package gate

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"
	"github.com/stretchr/testify/require"
)

// alphabet favors the bytes that transformations care about.
const alphabet = "abAB01 %+&\\/.:;,'\"^(#-<*>!\t\n\v\f\r\x00\x80\xc3\xa9\xe2\x84\xaa\xff"

func randomText(random *rand.Rand, size int) string {
	b := make([]byte, random.IntN(size))
	for i := range b {
		b[i] = alphabet[random.IntN(len(alphabet))]
	}
	return string(b)
}

func TestTransformationsLeaveValuesWithoutTheirTriggersAlone(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for name, trigger := range triggers {
		function, err := getTransformation(name)
		require.NoError(t, err, name)
		quiet := 0
		for range 30_000 {
			value := randomText(random, 7)
			mark := traitsOf(value)
			if mark&trigger != 0 {
				continue
			}
			quiet++
			got, _, err := function(value)
			require.NoError(t, err)
			require.True(t, equalFolds(got, value), "%s makes %q of %q", name, got, value)
			if mark&recases[name] == 0 {
				require.Equal(t, value, got, "%s changes the case of %q", name, value)
			}
		}
		require.NotZero(t, quiet, name)
	}
}

func TestFormsAreWhatTheEngineComputes(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	chains := [][]string{
		{"utf8toUnicode", "urlDecodeUni", "htmlEntityDecode", "jsDecode", "cssDecode", "removeNulls"},
		{"urlDecodeUni", "replaceComments", "compressWhitespace"}, {"cmdLine"}, {"lowercase", "urlDecode", "base64Decode"},
		{"normalizePathWin", "lowercase"}, {"none", "escapeSeqDecode", "removeWhitespace", "trim"}, {"length"}, {"sha1", "hexEncode"},
		{"urlDecodeUni", "jsDecode", "removeWhitespace", "base64Decode", "urlDecodeUni"}, {"urlDecodeUni", "jsDecode", "base64Decode", "urlDecodeUni"},
	}
	all := newSteps()
	var lasts []*step
	for _, chain := range chains {
		last, err := all.follow(chain)
		require.NoError(t, err)
		lasts = append(lasts, last)
	}
	var f forms
	for range 5000 {
		value := randomText(random, 12)
		f.start(value, len(all.all))
		for i, chain := range chains {
			want := value
			for _, name := range chain {
				function, err := getTransformation(name)
				require.NoError(t, err)
				if changed, _, err := function(want); err == nil {
					want = changed
				}
			}
			require.Equal(t, want, f.after(lasts[i]), "%v of %q", chain, value)
		}
		for _, s := range all.all[1:] {
			if !equalFolds(f.after(s), f.after(s.parent)) {
				require.True(t, f.changed(s), "step %d of %q", s.index, value)
			}
		}
	}
}

// A rewrite that is never done would be right, too.
func TestRewritesAreWhatTheEngineComputes(t *testing.T) {
	random := rand.New(rand.NewPCG(13, 14))
	for name, rewrite := range rewrites {
		function, err := getTransformation(name)
		require.NoError(t, err, name)
		var a arena
		done := 0
		for i := range 60_000 {
			value := randomText(random, 3+i%30)
			if i%3 == 0 {
				value = asciiLower(strings.ToValidUTF8(value, "/a"))
			}
			got, ok := rewrite(&a, value)
			if !ok {
				continue
			}
			done++
			want, _, err := function(value)
			require.NoError(t, err)
			require.Equal(t, want, got, "%s of %q", name, value)
		}
		require.Greater(t, done, 5000, name)
	}
}

func FuzzRewrites(f *testing.F) {
	for _, value := range []string{"/", "", "a//b/../c/./", "A, b;  (x) /y\\ \"^'", "%41%u0041%4+%", "YWJj\r\nZA==", "a /* b */ # -- c", " \u0085\u00a0\xa0 x", "%ua", "../"} {
		f.Add(value)
	}
	functions := map[string]plugintypes.Transformation{}
	for name := range rewrites {
		function, err := getTransformation(name)
		require.NoError(f, err)
		functions[name] = function
	}
	f.Fuzz(func(t *testing.T, value string) {
		var a arena
		for name, rewrite := range rewrites {
			if got, ok := rewrite(&a, value); ok {
				want, _, err := functions[name](value)
				require.NoError(t, err)
				require.Equal(t, want, got, name)
			}
		}
	})
}
