package rules

import (
	"hash/maphash"
	"sync"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/gate"
)

// Reads says what of a transaction the rules look at: what they do not look at makes no difference to the verdict. It is nil when
// verdicts are not remembered.
func (s *Set) Reads() *gate.Reads {
	if s.cache == nil {
		return nil
	}
	return s.engines.whole.gate.Reads()
}

// Recall returns the verdict that is remembered for an identity, nil when there is none, and the key with which to remember one.
// An identity holds all that Reads tells of a transaction. With matches, a verdict that only says that the transaction passes
// does not count. It must not be called when Reads is nil.
func (s *Set) Recall(identity []byte, matches bool) (*Verdict, Key) {
	k := s.cache.key(identity)
	v := s.cache.get(k)
	if v == nil || matches && v == &passVerdict {
		return nil, k
	}
	s.speed.cached.Add(1)
	return v, k
}

// Remember keeps a verdict for the transactions of a key as long as there is memory for it.
func (s *Set) Remember(k Key, v *Verdict) { s.cache.put(k, v) }

// cache remembers verdicts by what tells transactions apart. It holds a bounded number of bytes and is safe for concurrent use.
// Identities are told apart by a keyed hash of 128 bits.
type cache struct {
	seeds  [2]maphash.Seed
	shards [cacheShards]shard
	sets   uint64 // of each shard
	spare  int    // bytes of each shard for verdicts that are not clean
}

const (
	cacheShards = 16
	cacheWays   = 4 // entries that share a place; the least recently used one makes room

	slotBytes = 24 // of a slot, its verdict apart
)

type shard struct {
	mu    sync.Mutex
	slots []slot // cacheWays for each set, most recently used first
	spare int    // bytes left for verdicts that are not clean

	entries int
	evicted uint64
}

// Usage tells what the verdict cache of a set holds. It is zero where verdicts are not remembered.
type Usage struct {
	Entries int    // verdicts
	Bytes   int64  // of memory that they use
	Limit   int64  // of memory that they may use
	Evicted uint64 // verdicts that made room for others
}

// CacheUsage returns the usage as it stands.
func (s *Set) CacheUsage() (u Usage) {
	if s.cache == nil {
		return u
	}
	each := int64(len(s.cache.shards[0].slots))*slotBytes + int64(s.cache.spare)
	for i := range s.cache.shards {
		shard := &s.cache.shards[i]
		shard.mu.Lock()
		u.Entries += shard.entries
		u.Evicted += shard.evicted
		u.Bytes += int64(shard.entries)*slotBytes + int64(s.cache.spare-shard.spare)
		shard.mu.Unlock()
		u.Limit += each
	}
	return u
}

type slot struct {
	a, b    uint64
	verdict *Verdict
}

// newCache returns a cache of a size in bytes, nil for a size that holds nothing.
func newCache(size int64) *cache {
	// Half of the memory is for slots, half for verdicts with matches, which point to memory of their own.
	sets := uint64(size / 2 / cacheShards / cacheWays / slotBytes)
	if sets == 0 {
		return nil
	}
	c := &cache{seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, sets: sets, spare: int(size / 2 / cacheShards)}
	for i := range c.shards {
		c.shards[i].slots = make([]slot, sets*cacheWays)
		c.shards[i].spare = c.spare
	}
	return c
}

// Key is the place of an identity in the verdict cache.
type Key struct{ a, b uint64 }

func (c *cache) key(identity []byte) Key {
	return Key{maphash.Bytes(c.seeds[0], identity), maphash.Bytes(c.seeds[1], identity)}
}

// get returns the verdict for a key, nil when it is not remembered.
func (c *cache) get(k Key) *Verdict {
	s, set := c.place(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range set {
		if set[i].a == k.a && set[i].b == k.b && set[i].verdict != nil {
			found := set[i]
			copy(set[1:i+1], set[:i])
			set[0] = found
			return found.verdict
		}
	}
	return nil
}

// put remembers a verdict. One with matches is only taken while there is memory for it.
func (c *cache) put(k Key, v *Verdict) {
	s, set := c.place(k)
	cost := v.bytes()
	s.mu.Lock()
	defer s.mu.Unlock()
	last := &set[len(set)-1]
	s.spare += last.verdict.bytes()
	if last.verdict != nil {
		s.entries--
		s.evicted++
	}
	*last = slot{}
	if cost > s.spare {
		return
	}
	s.spare -= cost
	s.entries++
	copy(set[1:], set)
	set[0] = slot{k.a, k.b, v}
}

func (c *cache) place(k Key) (*shard, []slot) {
	s := &c.shards[k.a%cacheShards]
	first := k.b % c.sets * cacheWays
	return s, s.slots[first : first+cacheWays]
}

// bytes estimates the memory of a verdict; a clean one is shared and has none of its own.
func (v *Verdict) bytes() int {
	if v == nil || v == &cleanVerdict || v == &passVerdict {
		return 0
	}
	n := 200 + len(v.Scores)*40
	for i := range v.Matches {
		m := &v.Matches[i]
		n += 152 + len(m.Message) + len(m.Data) + len(m.Variable) + len(m.Value)
		for _, other := range m.Others {
			n += 16 + len(other)
		}
	}
	return n
}
