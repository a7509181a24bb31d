package literalset

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHasSeveral(t *testing.T) {
	of := func(numbers ...uint32) *Bitset {
		b := &Bitset{}
		b.Reset(200)
		b.setAll(numbers)
		return b
	}
	for _, c := range []struct {
		a, b *Bitset
		want bool
	}{
		{of(), of(), false}, {of(1, 2), of(), false}, {of(1, 2), of(2, 3), false}, {of(1, 2), of(1, 2), true}, {of(63, 64), of(63, 64, 65), true},
		{of(0, 199), of(0, 100, 199), true}, {of(0, 100), of(0, 199), false}, {of(1, 70, 140), of(2, 71, 140), false},
	} {
		require.Equal(t, c.want, c.a.HasSeveral(c.b))
		require.Equal(t, c.want, c.b.HasSeveral(c.a))
	}
}
