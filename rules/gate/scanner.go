package gate

import (
	"cmp"
	"fmt"
	"slices"
)

// scanner finds which of many literals a value contains, whatever their case. It is built once and read by many goroutines.
type scanner struct {
	bytes  [256]uint16   // a byte with its letter in lower case, and isLiteral where a literal is that byte alone
	single [256][]uint16 // tests that a literal of one byte belongs to, by that byte
	short  *pairSet      // with which grams of 2 and 3 bytes end
	grams  [5]gramIndex  // of literals of 2, 3, and 4 or more bytes
	texts  [5][]scanned  // these literals, by gram
}

// pairSet is a set of pairs of bytes.
type pairSet [1 << 16 / 64]uint64

func (p *pairSet) has(pair uint32) bool { return p[pair/64]&(1<<(pair%64)) != 0 }

var noPairs pairSet

// isLiteral is beside the lower case of a byte that is a literal.
const isLiteral = 1 << 8

type scanned struct {
	text   string
	gram   uint32
	offset uint32    // of the gram in the text
	tests  *[]uint16 // tests that a hit makes candidates; texts of the same tests share them
}

// gramIndex finds literals by one gram of theirs. A bit tells quickly that no literal has a gram; the literals of one that has
// are found in a table with open addressing.
type gramIndex struct {
	bits  []uint64
	shift uint // of a hash, for the number of a bit
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
	for _, bit := range [...]uint32{h >> x.shift, hashGram(h) >> x.shift} {
		x.bits[bit/64] |= 1 << (bit % 64)
	}
	at := h & x.mask
	for x.slots[at].to != 0 {
		at = (at + 1) & x.mask
	}
	x.slots[at] = s
}

// may reports whether some literal can have a gram.
func (x *gramIndex) may(gram uint32) bool {
	h := hashGram(gram)
	return x.has(h>>x.shift) && x.has(hashGram(h)>>x.shift)
}

func (x *gramIndex) has(bit uint32) bool { return x.bits[bit/64]&(1<<(bit%64)) != 0 }

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
	s := &scanner{short: &noPairs}
	for c := range s.bytes {
		s.bytes[c] = uint16(fold[c])
	}
	shared := map[string]*[]uint16{}
	for text, tests := range owners {
		slices.Sort(tests)
		if len(text) == 1 {
			s.single[text[0]] = tests
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
		if size < 4 && len(texts) > 0 && s.short == &noPairs {
			s.short = new(pairSet)
		}
		slices.SortFunc(texts, func(a, b scanned) int { return cmp.Or(cmp.Compare(a.gram, b.gram), cmp.Compare(a.text, b.text)) })
		grams := make([]uint32, len(texts))
		for i := range texts {
			grams[i] = texts[i].gram
			if end := texts[i].gram & 0xffff; size < 4 {
				s.short[end/64] |= 1 << (end % 64)
			}
		}
		s.grams[size] = newGramIndex(grams)
	}
	for c := range s.bytes {
		if s.single[fold[c]] != nil {
			s.bytes[c] |= isLiteral
		}
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
	var seen [4]uint64 // bytes that are literals
	four := &s.grams[4]
	for i := range len(value) {
		c := uint32(s.bytes[value[i]])
		if c&isLiteral != 0 {
			c &^= isLiteral
			if seen[c/64]&(1<<(c%64)) == 0 {
				seen[c/64] |= 1 << (c % 64)
				hits.setAll(s.single[c])
			}
		}
		window = window<<8 | c
		if s.short.has(window & 0xffff) {
			s.checkShort(window, value, i, hits)
		}
		if i >= 3 && four.may(window) {
			s.check(4, window, value, i-3, hits)
		}
	}
}

// checkShort compares the literals of two and three bytes that can end at a place of the value.
func (s *scanner) checkShort(window uint32, value string, at int, hits *bitset) {
	if at >= 1 && s.grams[2].may(window&0xffff) {
		s.check(2, window&0xffff, value, at-1, hits)
	}
	if at >= 2 && s.grams[3].may(window&0xffffff) {
		s.check(3, window&0xffffff, value, at-2, hits)
	}
}

// contains reports whether a value has one of the literals of a scanner for one test, of number 0.
func (s *scanner) contains(value string, hits *bitset) bool {
	hits.reset(1)
	s.scan(value, hits)
	return hits.has(0)
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
