package gate

import (
	"hash/maphash"
	"sync/atomic"
)

// memo remembers questions that were answered with no, by a keyed hash of 128 bits: the chance that two questions share one is
// that of guessing a key. It never grows; a new answer takes the place of an old one. It is safe for concurrent use: the two
// halves of an entry are written one after the other, but both must fit, and each half was written for the question it fits.
type memo struct {
	seeds   [2]maphash.Seed
	entries []memoEntry
}

type memoEntry struct{ a, b atomic.Uint64 }

const memoEntries = 1 << 14 // 256 KiB

func newMemo() *memo {
	return &memo{seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, entries: make([]memoEntry, memoEntries)}
}

// question is the hash of a question.
type question struct{ a, b uint64 }

// ask returns the question whether a value means anything in a lane or to a chain, which are told apart by a number.
func (m *memo) ask(number uint32, value string) question {
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

// isNo reports whether the question was answered with no.
func (m *memo) isNo(q question) bool {
	e := &m.entries[q.a%memoEntries]
	return e.a.Load() == q.a && e.b.Load() == q.b
}

// no remembers the answer.
func (m *memo) no(q question) {
	e := &m.entries[q.a%memoEntries]
	e.a.Store(q.a)
	e.b.Store(q.b)
}
