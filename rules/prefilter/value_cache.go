package prefilter

import (
	"hash/maphash"
	"math"
	"sync/atomic"
)

// valueCache keeps what tests make of values that repeat, such as header values, by a keyed hash of 128 bits: two keys are the same with the
// chance of guessing one. It never grows; a new entry takes the place of an old one. It is safe for concurrent use without locks: the words of
// an entry are written one after the other, but each half of the key is mixed with the outcome, so that an entry only fits a key when all of
// its words were written together.
type valueCache struct {
	seeds   [2]maphash.Seed
	entries []cacheEntry
}

type cacheEntry struct{ a, b, outcome atomic.Uint64 }

// outcome holds up to outcomeSize numbers of fast patterns that match a value, each with one added, the first in the lowest bits. For chains,
// which have no number here, it is noMatch or isMatch.
type outcome uint64

const (
	cacheEntries = 1 << 14 // 384 KiB
	outcomeSize  = 4
	noMatch      = outcome(0)
	isMatch      = outcome(1)
)

// with adds a number. It reports false when there are too many.
func (a outcome) with(number uint32) (_ outcome, ok bool) {
	for i := range outcomeSize {
		if number < math.MaxUint16 && a>>(16*i) == 0 {
			return a | outcome(number+1)<<(16*i), true
		}
	}
	return a, false
}

// all yields the numbers in the order in which they were added.
func (a outcome) all(yield func(uint32) bool) {
	for ; a != 0; a >>= 16 {
		if !yield(uint32(a&math.MaxUint16) - 1) {
			return
		}
	}
}

func newValueCache() *valueCache {
	return &valueCache{seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, entries: make([]cacheEntry, cacheEntries)}
}

// cacheKey is the hash of all that an outcome depends on.
type cacheKey struct{ a, b uint64 }

// key returns the key of a value in an inspection buffer, or of a target of a chain: the number says which.
func (c *valueCache) key(number uint32, value string) cacheKey {
	k := cacheKey{maphash.String(c.seeds[0], value), maphash.String(c.seeds[1], value)}
	return k.with(uint64(number))
}

// with makes the key depend on a number, too.
func (k cacheKey) with(n uint64) cacheKey {
	return cacheKey{mix(k.a ^ n), mix(k.b + n)}
}

// and makes the key depend on another one, too.
func (k cacheKey) and(other cacheKey) cacheKey {
	return cacheKey{mix(k.a ^ other.a), mix(k.b + other.b)}
}

// mix spreads a number over all bits; it is a bijection (the finalizer of MurmurHash3).
func mix(n uint64) uint64 {
	n ^= n >> 33
	n *= 0xff51afd7ed558ccd
	n ^= n >> 33
	n *= 0xc4ceb9fe1a85ec53
	return n ^ n>>33
}

// lookup returns the outcome of a key, if it is cached.
func (c *valueCache) lookup(k cacheKey) (a outcome, known bool) {
	e := &c.entries[k.a%cacheEntries]
	a = outcome(e.outcome.Load())
	return a, e.a.Load() == k.a^mix(uint64(a)) && e.b.Load() == k.b+mix(uint64(a))
}

// store caches the outcome of a key.
func (c *valueCache) store(k cacheKey, a outcome) {
	e := &c.entries[k.a%cacheEntries]
	e.outcome.Store(uint64(a))
	e.a.Store(k.a ^ mix(uint64(a)))
	e.b.Store(k.b + mix(uint64(a)))
}
