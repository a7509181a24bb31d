package cache

import (
	"hash/maphash"
	"math/bits"
	"slices"
	"sync"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
)

// Cache caches verdicts by the identity of transactions. It holds a bounded number of bytes, takes them as it needs them, and
// is safe for concurrent use. Identities are compared by 104 bits of a keyed hash.
type Cache struct {
	seeds  [2]maphash.Seed
	shards [cacheShards]shard
	sets   uint64 // that each shard may have, a power of two
	spare  int    // bytes of each shard for verdicts that are not shared
	memory slotMemory
}

const (
	cacheShards = 16
	cacheWays   = 4  // entries that share a place; the least recently used one makes room
	firstSets   = 16 // of a shard; it doubles them when half of its slots are taken

	slotBytes  = 16
	numberBits = 24 // of a slot's verdict
)

type shard struct {
	mu       sync.Mutex
	slots    []slot           // cacheWays for each set, most recently used first; more of them lie behind the end, empty
	verdicts []*model.Verdict // those that are not shared, by number
	unused   []uint32         // places in verdicts
	spare    int              // bytes left for them

	entries int
	evicted uint64
}

// slot has no pointers, so that it can be where the garbage collector does not look.
type slot struct {
	a    uint64 // of the key
	rest uint64 // the upper bits of the key's b, and the number of the verdict; a slot without a number is free
}

func newSlot(k Key, number uint32) slot {
	return slot{k.a, k.b>>numberBits<<numberBits | uint64(number)}
}

func (s slot) number() uint32 { return uint32(s.rest & (1<<numberBits - 1)) }

func (s slot) isOf(k Key) bool {
	return s.a == k.a && s.rest>>numberBits == k.b>>numberBits && s.number() != 0
}

// Usage is what the verdict cache of a set holds. It is zero where verdicts are not cached.
type Usage struct {
	Entries int    // verdicts
	Bytes   int64  // of memory that they use
	Limit   int64  // of memory that they may use
	Evicted uint64 // verdicts that made room for others
}

// Usage returns the usage as it stands.
func (c *Cache) Usage() (u Usage) {
	each := int64(c.sets)*cacheWays*slotBytes + int64(c.spare)
	for i := range c.shards {
		shard := &c.shards[i]
		shard.mu.Lock()
		u.Entries += shard.entries
		u.Evicted += shard.evicted
		u.Bytes += int64(len(shard.slots))*slotBytes + int64(c.spare-shard.spare)
		shard.mu.Unlock()
		u.Limit += each
	}
	return u
}

// New returns a cache of a size in bytes, nil for a size that holds nothing.
func New(size int64) *Cache {
	// Up to half of the memory is for slots, the rest for verdicts that have memory of their own.
	sets := uint64(size / 2 / cacheShards / cacheWays / slotBytes)
	if sets == 0 {
		return nil
	}
	sets = 1 << (bits.Len64(sets) - 1)
	c := &Cache{seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, sets: sets}
	c.spare = int(size/cacheShards - int64(sets)*cacheWays*slotBytes)
	c.memory = newSlotMemory(int(sets) * cacheWays * cacheShards)
	for i := range c.shards {
		all := c.memory.slots[uint64(i)*sets*cacheWays:][:sets*cacheWays]
		c.shards[i].slots = all[:min(sets, firstSets)*cacheWays]
		c.shards[i].spare = c.spare
	}
	return c
}

// Close gives the memory back. A closed cache keeps nothing.
func (c *Cache) Close() {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		s.slots, s.verdicts, s.entries = nil, nil, 0
		s.mu.Unlock()
	}
	c.memory.release()
}

// Key is the place of an identity in the verdict cache.
type Key struct{ a, b uint64 }

func (c *Cache) key(identity []byte) Key {
	return Key{maphash.Bytes(c.seeds[0], identity), maphash.Bytes(c.seeds[1], identity)}
}

// keyOf returns the key of one client among the transactions of a key.
func (c *Cache) keyOf(k Key, client string) Key {
	return Key{k.a ^ maphash.String(c.seeds[0], client), k.b ^ maphash.String(c.seeds[1], client)}
}

// Recall returns the verdict that is cached for an identity, nil when there is none, and the key with which to cache one. What a match
// says can depend on the client's address where the verdict does not, so such a verdict is that of one client. With matches, a verdict
// that only says that the transaction passes does not count.
func (c *Cache) Recall(identity []byte, client string, matches bool) (*model.Verdict, Key) {
	k := c.key(identity)
	v := c.get(k)
	if v == &byClient {
		v = c.get(c.keyOf(k, client))
	}
	if v == nil || matches && v == model.PassVerdict() {
		return nil, k
	}
	return v, k
}

// Remember caches a verdict for the transactions of a key as long as there is memory for it; one that is not shared only for a client
// when the key does not hold the client's address. What a rule did not find for lack of time is looked for again.
func (c *Cache) Remember(k Key, client string, v *model.Verdict, perClient bool) {
	if v.Partial&model.PartialRules != 0 {
		return
	}
	if perClient && !isShared(v) {
		c.put(k, &byClient)
		k = c.keyOf(k, client)
	}
	c.put(k, v)
}

// get returns the verdict for a key, nil when it is not cached.
func (c *Cache) get(k Key) *model.Verdict {
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	set := s.set(k)
	for i := range set {
		if set[i].isOf(k) {
			found := set[i]
			copy(set[1:i+1], set[:i])
			set[0] = found
			return s.verdict(found.number())
		}
	}
	return nil
}

// put caches a verdict. One that has memory of its own is only taken while there is room for it.
func (c *Cache) put(k Key, v *model.Verdict) {
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.slots) == 0 { // closed
		return
	}
	if 2*s.entries >= len(s.slots) && uint64(len(s.slots)) < c.sets*cacheWays {
		s.grow()
	}
	set := s.set(k)
	at := slices.IndexFunc(set, func(s slot) bool { return s.isOf(k) })
	if at < 0 {
		at = len(set) - 1
		if set[at].number() != 0 {
			s.evicted++
		}
	}
	if n := set[at].number(); n != 0 {
		s.entries--
		s.drop(n)
		set[at] = slot{}
	}
	number := s.take(v)
	if number == 0 {
		return
	}
	s.entries++
	copy(set[1:at+1], set[:at])
	set[0] = newSlot(k, number)
}

func (c *Cache) shard(k Key) *shard { return &c.shards[k.a%cacheShards] }

// set returns the slots in which a key may be, none when the cache is closed.
func (s *shard) set(k Key) []slot {
	if len(s.slots) == 0 {
		return nil
	}
	sets := uint64(len(s.slots) / cacheWays)
	first := k.a / cacheShards & (sets - 1) * cacheWays
	return s.slots[first : first+cacheWays]
}

// grow doubles the slots. The entries of a set stay there or go to the set as far behind the old end, in the order in which they are.
func (s *shard) grow() {
	size := len(s.slots)
	s.slots = s.slots[:2*size]
	for first := 0; first < size; first += cacheWays {
		var old [cacheWays]slot
		copy(old[:], s.slots[first:])
		clear(s.slots[first : first+cacheWays])
		var taken [2]int
		for _, entry := range old {
			if entry.number() == 0 {
				continue
			}
			half := int(entry.a / cacheShards / uint64(size/cacheWays) & 1)
			s.slots[half*size+first+taken[half]] = entry
			taken[half]++
		}
	}
}

// byClient stands for verdicts with matches that are cached for single clients.
var byClient model.Verdict

// shared are the verdicts that have a number and no memory of their own.
var shared = append([]*model.Verdict{&byClient}, model.SharedVerdicts()...)

func isShared(v *model.Verdict) bool { return slices.Contains(shared, v) }

// verdict returns the verdict of a number.
func (s *shard) verdict(number uint32) *model.Verdict {
	if int(number) <= len(shared) {
		return shared[number-1]
	}
	return s.verdicts[int(number)-len(shared)-1]
}

// take returns a number for a verdict, 0 when there is no room for it.
func (s *shard) take(v *model.Verdict) uint32 {
	if at := slices.Index(shared, v); at >= 0 {
		return uint32(at + 1)
	}
	cost := sizeOf(v)
	if cost > s.spare || len(s.unused) == 0 && len(s.verdicts) >= 1<<numberBits-len(shared)-1 {
		return 0
	}
	s.spare -= cost
	if len(s.unused) == 0 {
		s.verdicts = append(s.verdicts, nil)
		s.unused = append(s.unused, uint32(len(s.verdicts)-1))
	}
	at := s.unused[len(s.unused)-1]
	s.unused = s.unused[:len(s.unused)-1]
	s.verdicts[at] = v
	return at + uint32(len(shared)) + 1
}

// drop gives up a number.
func (s *shard) drop(number uint32) {
	if int(number) <= len(shared) {
		return
	}
	at := number - uint32(len(shared)) - 1
	s.spare += sizeOf(s.verdicts[at])
	s.verdicts[at] = nil
	s.unused = append(s.unused, at)
}

// sizeOf estimates the memory of a verdict that is not shared, with what Go's heap takes besides.
func sizeOf(v *model.Verdict) int {
	n := 200 + len(v.Scores)*40
	for i := range v.Matches {
		m := &v.Matches[i]
		n += 152 + len(m.Message) + len(m.Data) + len(m.Variable) + len(m.Value)
		for _, other := range m.Others {
			n += 16 + len(other)
		}
	}
	return n + n*heapOverhead/100
}

// heapOverhead is what Go's heap takes of memory besides what is in use, in percent of that: garbage that waits for the collector.
const heapOverhead = 30
