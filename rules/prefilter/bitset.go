package prefilter

import "math/bits"

// bitset is a set of small numbers.
type bitset struct{ words []uint64 }

// reset makes the set empty, with room for numbers below size.
func (b *bitset) reset(size int) {
	n := (size + 63) / 64
	if cap(b.words) < n {
		b.words = make([]uint64, n)
	}
	b.words = b.words[:n]
	clear(b.words)
}

func (b *bitset) set(i uint32) { b.words[i/64] |= 1 << (i % 64) }

func (b *bitset) setAll(list []uint32) {
	for _, i := range list {
		b.set(i)
	}
}

func (b *bitset) has(i uint32) bool { return b.words[i/64]&(1<<(i%64)) != 0 }

// copy makes the set the same as another.
func (b *bitset) copy(other *bitset) { b.words = append(b.words[:0], other.words...) }

// add adds what is in another set, which has room for as many numbers as the set.
func (b *bitset) add(other *bitset) {
	for i, w := range other.words {
		b.words[i] |= w
	}
}

// remove takes out what is in another set, which has room for as many numbers as the set.
func (b *bitset) remove(other *bitset) {
	for i, w := range other.words {
		b.words[i] &^= w
	}
}

// addCommon adds what is in both x and y, which have room for as many numbers as the set.
func (b *bitset) addCommon(x, y *bitset) {
	for i, w := range x.words {
		b.words[i] |= w & y.words[i]
	}
}

// all yields the numbers of the set, ascending.
func (b *bitset) all(yield func(uint32) bool) {
	for i, w := range b.words {
		for ; w != 0; w &= w - 1 {
			if !yield(uint32(64*i + bits.TrailingZeros64(w))) {
				return
			}
		}
	}
}
