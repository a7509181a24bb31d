package prefilter

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheValueCacheReturnsWhatWasStored(t *testing.T) {
	c := newValueCache()
	k := c.key(3, "value")
	_, known := c.lookup(k)
	require.False(t, known)

	c.store(k, noMatch)
	a, known := c.lookup(k)
	require.True(t, known)
	require.Equal(t, noMatch, a)
	for _, other := range []cacheKey{c.key(4, "value"), c.key(3, "Value"), k.with(0)} {
		_, known = c.lookup(other)
		require.False(t, known)
	}

	want := []uint32{7, 0, 65534, 300}
	for _, number := range want {
		var ok bool
		a, ok = a.with(number)
		require.True(t, ok)
	}
	c.store(k, a)
	a, known = c.lookup(k)
	require.True(t, known)
	require.Equal(t, want, slices.Collect(a.all))
	_, ok := a.with(1)
	require.False(t, ok, "a fifth number")
	_, ok = noMatch.with(math.MaxUint16)
	require.False(t, ok, "a number that has noMatch room")
	_, ok = noMatch.with(1 << 16)
	require.False(t, ok, "a number that would wrap")
}

// Two threads that write into one entry at once leave parts of both behind.
func TestTheValueCacheIgnoresMixedEntries(t *testing.T) {
	c := newValueCache()
	k := c.key(1, "value")
	matching, _ := noMatch.with(5)
	e := &c.entries[k.a%cacheEntries]
	c.store(k, matching)
	whole := [3]uint64{e.a.Load(), e.b.Load(), e.outcome.Load()}
	c.store(k, noMatch)
	for part := range 3 {
		c.store(k, noMatch)
		switch part {
		case 0:
			e.a.Store(whole[0])
		case 1:
			e.b.Store(whole[1])
		case 2:
			e.outcome.Store(whole[2])
		}
		_, known := c.lookup(k)
		require.False(t, known, "part %d of another outcome", part)
	}
}
