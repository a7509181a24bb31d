package ascii

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOnlyLettersOfASCIIFold(t *testing.T) {
	for c := range 256 {
		want := byte(c)
		if 'A' <= c && c <= 'Z' {
			want = strings.ToLower(string(rune(c)))[0]
		}
		require.Equal(t, want, Fold[c], "%#x", c)
	}
	for _, c := range []struct {
		a, b  string
		equal bool
	}{{"", "", true}, {"Host", "hOST", true}, {"Host", "Hosts", false}, {"k", "\u212a", false}, {"É", "é", false}, {"@", "`", false}} {
		require.Equal(t, c.equal, EqualFold(c.a, c.b), "%q, %q", c.a, c.b)
	}
	require.True(t, EqualFolded("SELECT", "select"))
	require.False(t, EqualFolded("SELECX", "select"))
	require.True(t, Only("\x00~\x7f"))
	require.False(t, Only("a\x80"))
}
