package gate

import (
	"cmp"
	"fmt"
	"slices"
)

// scanner finds which of many literals a value contains, whatever their case. It is built once and read by many goroutines.
type scanner struct {
	single  [256][]uint16 // tests that a literal of one byte belongs to, by that byte
	singles bool          // some literal has one byte
	grams   [5]gramIndex  // of literals of 2, 3, and 4 or more bytes
	texts   [5][]scanned  // these literals, by gram
}

type scanned struct {
	text   string
	gram   uint32
	offset uint32    // of the gram in the text
	tests  *[]uint16 // tests that a hit makes candidates; texts of the same tests share them
}

// gramIndex finds literals by one gram of theirs. A bit tells quickly that no literal has a gram; the literals of one that has
// are found in a table with open addressing.
type gramIndex struct {
	bits  []uint64 // nil when no literal is looked for by this gram
	shift uint     // of a hash, for the number of a bit
	slots []gramSlot
	mask  uint32 // of a hash, for the number of a slot
}

// gramSlot holds the literals of one gram, as a range of texts; an empty range ends a search.
type gramSlot struct{ gram, from, to uint32 }

const (
	bitsPerLiteral = 32
	minBits        = 1 << 9
	maxBits        = 1 << 18
)

func hashGram(gram uint32) uint32 { return gram * 0x9e3779b1 }

func newGramIndex(grams []uint32) gramIndex {
	index := gramIndex{}
	distinct := len(slices.Compact(slices.Clone(grams)))
	size, log := minBits, uint(9)
	for size < distinct*bitsPerLiteral && size < maxBits {
		size, log = size*2, log+1
	}
	index.bits, index.shift = make([]uint64, size/64), 32-log
	slots := 8
	for slots < 2*distinct {
		slots *= 2
	}
	index.slots, index.mask = make([]gramSlot, slots), uint32(slots-1)
	for from := 0; from < len(grams); {
		to := from + 1
		for to < len(grams) && grams[to] == grams[from] {
			to++
		}
		index.add(gramSlot{grams[from], uint32(from), uint32(to)})
		from = to
	}
	return index
}

func (x *gramIndex) add(s gramSlot) {
	h := hashGram(s.gram)
	bit := h >> x.shift
	x.bits[bit/64] |= 1 << (bit % 64)
	at := h & x.mask
	for x.slots[at].to != 0 {
		at = (at + 1) & x.mask
	}
	x.slots[at] = s
}

// may reports whether some literal can have a gram.
func (x *gramIndex) may(gram uint32) bool {
	bit := hashGram(gram) >> x.shift
	return x.bits[bit/64]&(1<<(bit%64)) != 0
}

// find returns the range of texts that have a gram.
func (x *gramIndex) find(gram uint32) (from, to uint32) {
	for at := hashGram(gram) & x.mask; x.slots[at].to != 0; at = (at + 1) & x.mask {
		if x.slots[at].gram == gram {
			return x.slots[at].from, x.slots[at].to
		}
	}
	return 0, 0
}

var fold = func() (table [256]byte) {
	for i := range table {
		table[i] = byte(i)
		if 'A' <= i && i <= 'Z' {
			table[i] += 'a' - 'A'
		}
	}
	return table
}()

// newScanner returns a scanner for the literals of tests.
func newScanner(sets map[uint16]literals) *scanner {
	owners := map[string][]uint16{}
	for test, set := range sets {
		for _, text := range set {
			owners[text] = append(owners[text], test)
		}
	}
	s := &scanner{}
	shared := map[string]*[]uint16{}
	for text, tests := range owners {
		slices.Sort(tests)
		if len(text) == 1 {
			s.single[text[0]] = tests
			s.singles = true
			continue
		}
		size := min(len(text), 4)
		offset := rarestGram(text, size)
		key := fmt.Sprint(tests)
		if shared[key] == nil {
			shared[key] = &tests
		}
		s.texts[size] = append(s.texts[size], scanned{text, packGram(text[offset : offset+size]), uint32(offset), shared[key]})
	}
	for size := range s.texts {
		texts := slices.Clip(s.texts[size])
		s.texts[size] = texts
		if len(texts) == 0 {
			continue
		}
		slices.SortFunc(texts, func(a, b scanned) int { return cmp.Or(cmp.Compare(a.gram, b.gram), cmp.Compare(a.text, b.text)) })
		grams := make([]uint32, len(texts))
		for i := range texts {
			grams[i] = texts[i].gram
		}
		s.grams[size] = newGramIndex(grams)
	}
	return s
}

func packGram(s string) (gram uint32) {
	for i := range len(s) {
		gram = gram<<8 | uint32(s[i])
	}
	return gram
}

// rarestGram returns where the part of a text begins that is the least likely in ordinary text.
func rarestGram(text string, size int) (offset int) {
	best := 2.0
	for at := 0; at+size <= len(text); at++ {
		if p := (literals{text[at : at+size]}).likelihood(); p < best {
			best, offset = p, at
		}
	}
	return offset
}

// scan marks the tests whose literals the value contains.
func (s *scanner) scan(value string, hits *bitset) {
	var window uint32
	two, three, four := &s.grams[2], &s.grams[3], &s.grams[4]
	for i := range len(value) {
		c := fold[value[i]]
		window = window<<8 | uint32(c)
		if s.singles && s.single[c] != nil {
			hits.setAll(s.single[c])
		}
		if four.bits != nil && i >= 3 && four.may(window) {
			s.check(4, window, value, i-3, hits)
		}
		if two.bits != nil && i >= 1 && two.may(window&0xffff) {
			s.check(2, window&0xffff, value, i-1, hits)
		}
		if three.bits != nil && i >= 2 && three.may(window&0xffffff) {
			s.check(3, window&0xffffff, value, i-2, hits)
		}
	}
}

// contains reports whether a value has one of the literals.
func (s *scanner) contains(value string, hits *bitset) bool {
	hits.reset(1)
	s.scan(value, hits)
	return hits.any
}

// check compares the literals with a gram that stands at a place of the value.
func (s *scanner) check(size int, gram uint32, value string, at int, hits *bitset) {
	from, to := s.grams[size].find(gram)
	for i := from; i < to; i++ {
		t := &s.texts[size][i]
		start := at - int(t.offset)
		if start >= 0 && start+len(t.text) <= len(value) && equalFolded(value[start:start+len(t.text)], t.text) {
			hits.setAll(*t.tests)
		}
	}
}

func equalFolded(value, folded string) bool {
	for i := range len(folded) {
		if fold[value[i]] != folded[i] {
			return false
		}
	}
	return true
}

// bitset is a set of small numbers that remembers whether it is empty.
type bitset struct {
	words []uint64
	any   bool
}

func (b *bitset) reset(size int) {
	n := (size + 63) / 64
	if cap(b.words) < n {
		b.words = make([]uint64, n)
	}
	b.words = b.words[:n]
	if b.any {
		clear(b.words)
		b.any = false
	}
}

func (b *bitset) set(i uint16) {
	b.words[i/64] |= 1 << (i % 64)
	b.any = true
}

func (b *bitset) setAll(list []uint16) {
	for _, i := range list {
		b.set(i)
	}
}

func (b *bitset) has(i uint16) bool { return b.words[i/64]&(1<<(i%64)) != 0 }
