package prefilter

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"
	"github.com/corazawaf/libinjection-go"
	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corazalink"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter/literalset"
)

// parts are what values are put together of that libinjection may take for SQL or scripts.
func injectionParts() []string {
	var words []string
	for text := range corazalink.SQLKeywords {
		if text[0] != '0' {
			words = append(words, strings.ToLower(text), text)
		}
	}
	slices.Sort(words)
	return append(words, "1", "0x1f", "0b01", "1e", "1.e5", "1d", ".5", "2f", "a", "users", "id", "e5", "x1", "_", "é", "\xa0", "\xff", "n", "b", "'a'", "--", "on",
		"onclick", "style", "xmlns", "href", "javascript:", "svg", "script")
}

// A test that never says no would be right, too.
func TestNoInjectionIsTakenForHarmless(t *testing.T) {
	require.NotEmpty(t, sqlWords)
	random := rand.New(rand.NewPCG(11, 12))
	words := injectionParts()
	glue := []string{"", "", " ", " ", ".", "-", "/", "=", "+", "*", ":", "?", "!", "%", "&", "|", "~", "^", "[", "]", "<", ">", "\t", "\n",
		"'", "\"", "(", ")", ",", ";", "#", "@", "`", "\\", "$", "{", "}", "\x00", "\x01", "\x7f"}
	sql, scripts, quiet := 0, 0, 0
	for range 400_000 {
		var b strings.Builder
		for range 1 + random.IntN(6) {
			b.WriteString(words[random.IntN(len(words))])
			b.WriteString(glue[random.IntN(1+random.IntN(len(glue)))])
		}
		value := b.String()
		if isSQL, fingerprint := libinjection.IsSQLi(value); isSQL {
			sql++
			require.True(t, canBeSQLi(value), "%q has fingerprint %s", value, fingerprint)
		}
		if !canBeSQLi(value) {
			quiet++
		}
		if libinjection.IsXSS(value) {
			scripts++
			require.True(t, strings.ContainsAny(value, strings.Join(xssLiterals, "")), "%q", value)
		}
	}
	require.Greater(t, sql, 300)
	require.Greater(t, scripts, 30)
	require.Greater(t, quiet, 300)
}

func TestOrdinaryValuesCannotBeSQLi(t *testing.T) {
	for _, value := range []string{"", "/api/v1/users/4711", "523680b7-49ee-4f26-aec6-033216676def", "2024-06-01T00:00:00.000Z", "a=b&c=d", "Ünal", "blue shoes 42"} {
		require.False(t, canBeSQLi(value), value)
	}
	for _, value := range []string{"1 or 1", "1union", "1.e5union select", "x-and-y", "select.1", "'", "a--", "&&"} {
		require.True(t, canBeSQLi(value), value)
	}
}

func FuzzCanBeSQLi(f *testing.F) {
	for _, value := range []string{"1 or 1=1", "1.e5union select 1", "0b012union", "a.b.select.c", "x && y", "/*", "a/**/b", "\xa0or", "\x01or", "[or]"} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if isSQL, _ := libinjection.IsSQLi(value); isSQL {
			require.True(t, canBeSQLi(value))
		}
		if libinjection.IsXSS(value) {
			require.True(t, strings.ContainsAny(value, strings.Join(xssLiterals, "")))
		}
	})
}

func TestBytesOutsideARange(t *testing.T) {
	for argument, want := range map[string]literalset.Set{
		"1-255": {"\x00"}, "0-80,82-255": {"q"}, "38,44-46,48-58,61,65-90,95,97-122": nil,
	} {
		operator, err := corazalink.GetOperator("validateByteRange", plugintypes.OperatorOptions{Arguments: argument})
		require.NoError(t, err)
		got := bytesOutside(operator, nil)
		if want != nil {
			require.Equal(t, want, got, argument)
		}
	}
}
