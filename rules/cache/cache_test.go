package cache

import (
	"encoding/binary"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
)

func keyOf(c *Cache, i int) Key { return c.key(binary.LittleEndian.AppendUint64(nil, uint64(i))) }

// scored returns a verdict that is not shared.
func scored(score int) *model.Verdict {
	return &model.Verdict{Blocked: true, Inbound: score, Matches: []model.Match{{Rule: &model.RuleInfo{ID: score}, Value: strings.Repeat("x", 100)}}}
}

func TestACacheGrowsWithWhatItRemembers(t *testing.T) {
	c := New(16 << 20)
	require.EqualValues(t, 16<<20, c.Usage().Limit)
	require.Less(t, c.Usage().Bytes, int64(32<<10), "of an empty cache")
	const entries = 100_000
	for i := range entries {
		c.put(keyOf(c, i), model.CleanVerdict(0))
	}
	u := c.Usage()
	require.Less(t, u.Bytes, int64(8*slotBytes*entries))
	require.EqualValues(t, entries, u.Entries+int(u.Evicted))
	require.Less(t, u.Evicted, uint64(entries/10), "verdicts that made room although there is memory")
	found := 0
	for i := range entries {
		if v := c.get(keyOf(c, i)); v != nil {
			require.Same(t, model.CleanVerdict(0), v)
			found++
		}
	}
	require.Equal(t, u.Entries, found)
}

func TestACacheKeepsToItsLimit(t *testing.T) {
	const size = 64 << 10
	c := New(size)
	for i := range 20_000 {
		v := model.CleanVerdict(model.Partial(i % 16))
		if i%3 == 0 {
			v = scored(i)
		}
		c.put(keyOf(c, i), v)
		if got := c.get(keyOf(c, i)); got != nil {
			require.Same(t, v, got, "verdict %d", i)
		} else {
			require.Zero(t, i%3, "a shared verdict is always taken")
		}
	}
	u := c.Usage()
	require.LessOrEqual(t, u.Limit, int64(size))
	require.LessOrEqual(t, u.Bytes, u.Limit)
	require.Positive(t, u.Evicted)
	for i := range 20_000 {
		if v := c.get(keyOf(c, i)); v != nil && i%3 == 0 {
			require.Equal(t, i, v.Inbound)
		}
	}
}

func TestACacheRemembersWhatIsAskedFor(t *testing.T) {
	c := New(2 * cacheShards * cacheWays * slotBytes) // one set in each shard
	favorite := keyOf(c, -1)
	c.put(favorite, model.PassVerdict())
	for i := range 10_000 {
		c.put(keyOf(c, i), model.CleanVerdict(0))
		require.Same(t, model.PassVerdict(), c.get(favorite), "after %d others", i)
	}
	require.Equal(t, cacheShards*cacheWays, c.Usage().Entries)
}

func TestANewVerdictTakesThePlaceOfTheOldOne(t *testing.T) {
	c := New(1 << 20)
	k := keyOf(c, 1)
	for _, v := range []*model.Verdict{model.PassVerdict(), scored(1), scored(2), model.CleanVerdict(0), scored(3)} {
		c.put(k, v)
		require.Same(t, v, c.get(k))
		require.Equal(t, 1, c.Usage().Entries)
	}
	c.put(k, model.CleanVerdict(0))
	require.Zero(t, c.Usage().Evicted)
	require.Equal(t, New(1<<20).Usage().Bytes, c.Usage().Bytes, "the memory of the others is free again")
	require.Nil(t, c.get(keyOf(c, 2)))
}

func TestACacheWithoutMemoryIsNone(t *testing.T) {
	require.Nil(t, New(0))
	require.Nil(t, New(2*cacheShards*cacheWays*slotBytes-1))
}

func TestACacheIsSafeForConcurrentUse(t *testing.T) {
	c := New(256 << 10)
	verdicts := []*model.Verdict{model.CleanVerdict(0), model.PassVerdict(), scored(2), model.CleanVerdict(model.PartialBody)}
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			for i := range 5_000 {
				k := keyOf(c, (i*7+worker)%3_000)
				if v := c.get(k); v == nil {
					c.put(k, verdicts[i%len(verdicts)])
				}
			}
		})
	}
	group.Wait()
	u := c.Usage()
	require.LessOrEqual(t, u.Bytes, u.Limit)
}

func TestAClosedCacheRemembersNothing(t *testing.T) {
	c := New(1 << 20)
	var group sync.WaitGroup
	for worker := range 4 {
		group.Go(func() { // engine runs that outlive their call
			for i := range 20_000 {
				k := keyOf(c, i*4+worker)
				c.put(k, scored(i))
				c.get(k)
			}
		})
	}
	c.Close()
	group.Wait()
	k := keyOf(c, 1)
	c.put(k, model.CleanVerdict(0))
	require.Nil(t, c.get(k))
	require.Zero(t, c.Usage().Entries)
}
