package frequent

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCountsAreExactWhileThereIsRoom(t *testing.T) {
	c := New[string](3)
	for _, name := range []string{"b", "a", "c", "a", "c", "a"} {
		*c.Add(name) += name
	}
	require.Equal(t, []Entry[string]{{"a", 3, "aaa"}, {"c", 2, "cc"}}, c.Top(2))
	require.Equal(t, []int{3, 6, 0}, []int{c.Len(), c.Total(), c.Missed()})
}

func TestNamesOfEqualCountAreInOrder(t *testing.T) {
	c := New[struct{}](10)
	c.Add("b")
	c.Add("a")
	require.Equal(t, []Entry[struct{}]{{Name: "a", Count: 1}, {Name: "b", Count: 1}}, c.Top(9))
}

// A flood of names that come once each must neither take memory nor push out one that comes again and again.
func TestAFloodOfNamesHidesNoFrequentOne(t *testing.T) {
	const limit, rounds = 100, 200_000
	c := New[int](limit)
	random := rand.New(rand.NewPCG(1, 2))
	count := map[string]int{}
	for i := range rounds {
		name := fmt.Sprint("once ", i)
		if random.IntN(20) == 0 {
			name = fmt.Sprint("often ", random.IntN(2))
		}
		count[name]++
		*c.Add(name)++
		require.LessOrEqual(t, c.Len(), limit)
	}
	require.Equal(t, rounds, c.Total())
	top := c.Top(2)
	require.ElementsMatch(t, []string{"often 0", "often 1"}, []string{top[0].Name, top[1].Name})
	for _, e := range top {
		require.Equal(t, e.Count, e.Data)
		require.LessOrEqual(t, e.Count, count[e.Name])
		require.GreaterOrEqual(t, e.Count+c.Missed(), count[e.Name], "what is missed is bounded")
	}
	require.LessOrEqual(t, c.Missed(), 2*rounds/limit+1)
}
