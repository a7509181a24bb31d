package transform

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"

	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"
	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corazalink"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter/arena"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter/ascii"
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
	for name, trigger := range changing {
		function, err := corazalink.GetTransformation(name)
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
			require.True(t, ascii.EqualFold(got, value), "%s makes %q of %q", name, got, value)
			if mark&recases[name] == 0 {
				require.Equal(t, value, got, "%s changes the case of %q", name, value)
			}
		}
		require.NotZero(t, quiet, name)
	}
}

func TestTransformationsKeepProse(t *testing.T) {
	random := rand.New(rand.NewPCG(11, 12))
	var alphabet []byte
	for c := range 256 {
		if IsProse(string([]byte{byte(c)})) {
			alphabet = append(alphabet, byte(c))
		}
	}
	require.Len(t, alphabet, 26+26+10+6+3)
	for name := range keepingProse {
		function, err := corazalink.GetTransformation(name)
		require.NoError(t, err, name)
		for range 20_000 {
			value := make([]byte, random.IntN(9))
			for i := range value {
				if value[i] = alphabet[random.IntN(len(alphabet))]; random.IntN(2) == 0 {
					value[i] = " .,-a\n"[random.IntN(6)]
				}
			}
			got, _, err := function(string(value))
			require.NoError(t, err)
			require.True(t, IsProse(got), "%s makes %q of %q", name, got, value)
		}
	}
}

func TestNoWhitespaceIsMissed(t *testing.T) {
	for r := range rune(unicode.MaxRune) {
		require.True(t, !unicode.IsSpace(r) || canHaveSpace("a"+string(r)+"\xff"), "%U", r)
	}
	require.False(t, canHaveSpace("a\xff\u00e9=-"))
}

// follow returns the last step of a pipeline.
func follow(t *testing.T, all *Tree, names []string) *Step {
	t.Helper()
	at := all.Root
	for _, name := range names {
		function, err := corazalink.GetTransformation(name)
		require.NoError(t, err)
		at = all.Then(at, &corazalink.Transformation{Name: strings.ToLower(name), Apply: function})
	}
	return at
}

func TestFormsAreWhatTheEngineComputes(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	chains := [][]string{
		{"utf8toUnicode", "urlDecodeUni", "htmlEntityDecode", "jsDecode", "cssDecode", "removeNulls"},
		{"urlDecodeUni", "replaceComments", "compressWhitespace"}, {"cmdLine"}, {"lowercase", "urlDecode", "base64Decode"},
		{"normalisePathWin", "lowercase"}, {"escapeSeqDecode", "removeWhitespace", "trim"}, {"length"}, {"sha1", "hexEncode"},
		{"urlDecodeUni", "jsDecode", "removeWhitespace", "base64Decode", "urlDecodeUni"}, {"urlDecodeUni", "jsDecode", "base64Decode", "urlDecodeUni"},
	}
	all := NewTree()
	var lasts []*Step
	for _, chain := range chains {
		lasts = append(lasts, follow(t, all, chain))
	}
	var f Results
	for range 5000 {
		value := randomText(random, 12)
		f.Start(value, len(all.All))
		for i, chain := range chains {
			want := value
			for _, name := range chain {
				function, err := corazalink.GetTransformation(name)
				require.NoError(t, err)
				if changed, _, err := function(want); err == nil {
					want = changed
				}
			}
			require.Equal(t, want, f.After(lasts[i]), "%v of %q", chain, value)
		}
		for _, s := range all.All[1:] {
			if !ascii.EqualFold(f.After(s), f.After(s.Parent)) {
				require.True(t, f.Changed(s), "step %d of %q", s.Index, value)
			}
		}
	}
}

// A rewrite that is never done would be right, too.
func TestRewritesAreWhatTheEngineComputes(t *testing.T) {
	random := rand.New(rand.NewPCG(13, 14))
	for name, rewrite := range rewrites {
		function, err := corazalink.GetTransformation(name)
		require.NoError(t, err, name)
		var a arena.Arena
		done := 0
		for i := range 60_000 {
			value := randomText(random, 3+i%30)
			if i%3 == 0 {
				value = lowerASCII(strings.ToValidUTF8(value, "/a"))
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
		function, err := corazalink.GetTransformation(name)
		require.NoError(f, err)
		functions[name] = function
	}
	f.Fuzz(func(t *testing.T, value string) {
		var a arena.Arena
		for name, rewrite := range rewrites {
			if got, ok := rewrite(&a, value); ok {
				want, _, err := functions[name](value)
				require.NoError(t, err)
				require.Equal(t, want, got, name)
			}
		}
	})
}

// With multiMatch, Coraza goes by what transformations report. The lists say which do, and a step as reported is what Coraza goes on with.
func TestTransformationsReportChangesAsListed(t *testing.T) {
	random := rand.New(rand.NewPCG(21, 22))
	for name, kind := range reportKinds() {
		function, err := corazalink.GetTransformation(name)
		require.NoError(t, err)
		all := NewTree()
		reported := all.Reported(all.Root, &corazalink.Transformation{Name: name, Apply: function})
		var f Results
		missing, surplus := 0, 0
		for range 60_000 {
			value := randomText(random, 9) + []string{"", "&ngE;", "&lt;", "&#x41;", "\u00a0", "%u0041", `\x41`, "a//b", "YWI="}[random.IntN(9)]
			got, is, err := function(value)
			if err != nil {
				continue
			}
			if got != value && !is {
				missing++
			}
			if got == value && is {
				surplus++
			}
			want := value
			if is {
				want = got
			}
			f.Arena.Reset()
			f.Start(value, len(all.All))
			require.Equal(t, want, f.After(reported), "%s of %q", name, value)
		}
		require.Equal(t, kind == "missing", missing > 0, "%s changes %d texts without reporting it", name, missing)
		require.Equal(t, kind == "surplus", surplus > 0, "%s reports %d changes that are none", name, surplus)
	}
}

// reportKinds returns the list on which each transformation is.
func reportKinds() map[string]string {
	kinds := map[string]string{}
	for kind, list := range map[string]map[string]bool{"exact": ExactReports, "surplus": SurplusReports, "missing": MissingReports} {
		for name := range list {
			kinds[name] = kind
		}
	}
	return kinds
}

func lowerASCII(s string) string {
	b := []byte(s)
	for i := range b {
		b[i] = ascii.Fold[b[i]]
	}
	return string(b)
}
