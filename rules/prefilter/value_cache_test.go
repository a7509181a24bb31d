package prefilter

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMemoRemembersAnswers(t *testing.T) {
	m := newValueCache()
	q := m.ask(3, "value")
	_, known := m.answered(q)
	require.False(t, known)

	m.answer(q, no)
	a, known := m.answered(q)
	require.True(t, known)
	require.Equal(t, no, a)
	for _, other := range []question{m.ask(4, "value"), m.ask(3, "Value"), q.with(0)} {
		_, known = m.answered(other)
		require.False(t, known)
	}

	want := []uint32{7, 0, 65534, 300}
	for _, number := range want {
		var ok bool
		a, ok = a.with(number)
		require.True(t, ok)
	}
	m.answer(q, a)
	a, known = m.answered(q)
	require.True(t, known)
	require.Equal(t, want, slices.Collect(a.all))
	_, ok := a.with(1)
	require.False(t, ok, "a fifth number")
	_, ok = no.with(math.MaxUint16)
	require.False(t, ok, "a number that has no room")
	_, ok = no.with(1 << 16)
	require.False(t, ok, "a number that would wrap")
}

// Two threads that write into one entry at once leave parts of both behind.
func TestMemoKnowsNothingOfMixedEntries(t *testing.T) {
	m := newValueCache()
	q := m.ask(1, "value")
	matching, _ := no.with(5)
	e := &m.entries[q.a%cacheEntries]
	m.answer(q, matching)
	whole := [3]uint64{e.a.Load(), e.b.Load(), e.answer.Load()}
	m.answer(q, no)
	for part := range 3 {
		m.answer(q, no)
		switch part {
		case 0:
			e.a.Store(whole[0])
		case 1:
			e.b.Store(whole[1])
		case 2:
			e.answer.Store(whole[2])
		}
		_, known := m.answered(q)
		require.False(t, known, "part %d of another answer", part)
	}
}
