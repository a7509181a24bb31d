package prefilter

import (
	"hash/maphash"
	"math"
	"sync/atomic"
)

// valueCache caches answers to questions, by a keyed hash of 128 bits: the chance that two questions share one is that of guessing a key.
// It never grows; a new answer takes the place of an old one. It is safe for concurrent use: the parts of an entry are written one after
// the other, but each half of the hash is kept mixed with the answer, so that an entry only fits a question when all of its parts were
// written together.
type valueCache struct {
	seeds   [2]maphash.Seed
	entries []cacheEntry
}

type cacheEntry struct{ a, b, answer atomic.Uint64 }

// answer is up to answerSize numbers of tests, each with one added; the first is in the lowest bits. Zero is the answer no, and for what
// has no tests to tell yes is the other.
type answer uint64

const (
	cacheEntries = 1 << 14 // 384 KiB
	answerSize   = 4
	no           = answer(0)
	yes          = answer(1)
)

// with adds a number; ok is false when there are too many.
func (a answer) with(number uint32) (_ answer, ok bool) {
	for i := range answerSize {
		if number < math.MaxUint16 && a>>(16*i) == 0 {
			return a | answer(number+1)<<(16*i), true
		}
	}
	return a, false
}

// all yields the numbers in the order in which they were added.
func (a answer) all(yield func(uint32) bool) {
	for ; a != 0; a >>= 16 {
		if !yield(uint32(a&math.MaxUint16) - 1) {
			return
		}
	}
}

func newValueCache() *valueCache {
	return &valueCache{seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, entries: make([]cacheEntry, cacheEntries)}
}

// question is the hash of a question.
type question struct{ a, b uint64 }

// ask returns the question whether a value means anything in an inspection buffer or to a chain, which are told apart by a number.
func (m *valueCache) ask(number uint32, value string) question {
	q := question{maphash.String(m.seeds[0], value), maphash.String(m.seeds[1], value)}
	return q.with(uint64(number))
}

// with makes the question depend on something else, too.
func (q question) with(n uint64) question {
	return question{mix(q.a ^ n), mix(q.b + n)}
}

func (q question) and(other question) question {
	return question{mix(q.a ^ other.a), mix(q.b + other.b)}
}

// mix spreads a number over all bits; it is a bijection (the finalizer of MurmurHash3).
func mix(n uint64) uint64 {
	n ^= n >> 33
	n *= 0xff51afd7ed558ccd
	n ^= n >> 33
	n *= 0xc4ceb9fe1a85ec53
	return n ^ n>>33
}

// answered returns what a question was answered with.
func (m *valueCache) answered(q question) (a answer, known bool) {
	e := &m.entries[q.a%cacheEntries]
	a = answer(e.answer.Load())
	return a, e.a.Load() == q.a^mix(uint64(a)) && e.b.Load() == q.b+mix(uint64(a))
}

// answer remembers the answer.
func (m *valueCache) answer(q question, a answer) {
	e := &m.entries[q.a%cacheEntries]
	e.answer.Store(uint64(a))
	e.a.Store(q.a ^ mix(uint64(a)))
	e.b.Store(q.b + mix(uint64(a)))
}
