package literalset

import "math/bits"

// Bitset is a set of small numbers.
type Bitset struct{ Words []uint64 }

// Reset makes the set empty, with room for numbers below size.
func (b *Bitset) Reset(size int) {
	n := (size + 63) / 64
	if cap(b.Words) < n {
		b.Words = make([]uint64, n)
	}
	b.Words = b.Words[:n]
	clear(b.Words)
}

// Set adds a number.
func (b *Bitset) Set(i uint32) { b.Words[i/64] |= 1 << (i % 64) }

func (b *Bitset) setAll(list []uint32) {
	for _, i := range list {
		b.Set(i)
	}
}

// Has reports whether a number is in the set.
func (b *Bitset) Has(i uint32) bool { return b.Words[i/64]&(1<<(i%64)) != 0 }

// Copy makes the set the same as another.
func (b *Bitset) Copy(other *Bitset) { b.Words = append(b.Words[:0], other.Words...) }

// Add adds what is in another set, which has room for as many numbers as the set.
func (b *Bitset) Add(other *Bitset) {
	for i, w := range other.Words {
		b.Words[i] |= w
	}
}

// Remove takes out what is in another set, which has room for as many numbers as the set.
func (b *Bitset) Remove(other *Bitset) {
	for i, w := range other.Words {
		b.Words[i] &^= w
	}
}

// AddCommon adds what is in both x and y, which have room for as many numbers as the set.
func (b *Bitset) AddCommon(x, y *Bitset) {
	for i, w := range x.Words {
		b.Words[i] |= w & y.Words[i]
	}
}

// HasSeveral reports whether more than one number of the set is in another, which has room for as many.
func (b *Bitset) HasSeveral(other *Bitset) bool {
	one := false
	for i, w := range b.Words {
		common := w & other.Words[i]
		if common&(common-1) != 0 || one && common != 0 {
			return true
		}
		one = one || common != 0
	}
	return false
}

// All yields the numbers of the set, ascending.
func (b *Bitset) All(yield func(uint32) bool) {
	for i, w := range b.Words {
		for ; w != 0; w &= w - 1 {
			if !yield(uint32(64*i + bits.TrailingZeros64(w))) {
				return
			}
		}
	}
}
