package arena

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTextsStayValidWhenTheArenaGrows(t *testing.T) {
	var a Arena
	var texts []string
	for i := range 10_000 {
		texts = append(texts, a.Join("text ", a.Number(i)))
	}
	for i, text := range texts {
		require.Equal(t, "text "+strconv.Itoa(i), text)
	}
}

func TestRoomIsTakenAsFarAsItWasFilled(t *testing.T) {
	var a Arena
	before := a.Join("before")
	copy(a.Room(8), "12345678")
	require.Equal(t, "123", a.Take(3))
	require.Equal(t, "behind", a.Join("behind"))
	require.Equal(t, "before", before)
}

// Collections of Coraza keep names as package strings lowers them.
func TestLowerIsThatOfPackageStrings(t *testing.T) {
	var a Arena
	random := rand.New(rand.NewPCG(1, 2))
	pieces := []string{"a", "B", "Z", "é", "É", "\u212a", "ſ", "İ", "\xff", "\xc3", " ", "1", "", "ΑΣ"}
	for range 20_000 {
		var b strings.Builder
		for range random.IntN(6) {
			b.WriteString(pieces[random.IntN(len(pieces))])
		}
		a.Reset()
		require.Equal(t, strings.ToLower(b.String()), a.Lower(b.String()), "%q", b.String())
		require.Equal(t, strings.ToLower(b.String()), a.NameKey(b.String()))
	}
}

func TestUnescapeLeavesWhatIsNoEscape(t *testing.T) {
	var a Arena
	for text, want := range map[string]string{"": "", "plain": "plain", "a+b": "a b", "%41%4a": "AJ", "%4": "%4", "%": "%", "%zz%41": "%zzA", "100%": "100%"} {
		require.Equal(t, want, a.Unescape(text), "%q", text)
	}
}
