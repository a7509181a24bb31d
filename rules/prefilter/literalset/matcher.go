package literalset

import (
	"encoding/binary"
	"maps"
	"math"
	"slices"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter/ascii"
)

// Matcher finds which of many literals a value contains, whatever their case. It is built once and read by many goroutines.
type Matcher struct {
	empty  bool         // there are no literals
	always []uint32     // tests with a literal of no byte, which every value contains
	single []singleByte // literals of one byte
	bytes  [256]uint64  // each byte in lower case, and above that the marks of literals of one byte that it is
	short  *pairSet     // with which grams of 2 and 3 bytes end
	grams  [5]gramIndex // of literals of 2, 3, and 4 or more bytes
	texts  [5][]located // these literals, by gram
}

// markBits is how many marks there are for literals of one byte. When there are more literals, some share one.
const markBits = 64 - 8

// singleByte is a literal of one byte, and the tests that it belongs to.
type singleByte struct {
	is    byte
	tests []uint32
}

// pairSet is a set of pairs of bytes.
type pairSet [1 << 16 / 64]uint64

func (p *pairSet) has(pair uint32) bool { return p[pair/64]&(1<<(pair%64)) != 0 }

var noPairs pairSet

// located is a literal of more than one byte. Of most that share a gram with a value, the byte beside the gram shows that they are
// others.
type located struct {
	text   string
	tests  *[]uint32 // tests that a hit makes candidates; texts of the same tests share them
	offset uint32    // of the gram in the text
	beside byte      // a byte of the text before or behind the gram, or of it
	at     int8      // where that is, from the gram's first byte
}

// gramIndex finds literals by one gram of theirs. A clear bit shows that no literal has a gram; the literals of one that has
// are found in a table with open addressing.
type gramIndex struct {
	bits    []uint64
	bitMask uint32 // of a hash, for the number of a bit
	slots   []gramSlot
	mask    uint32 // of a hash, for the number of a slot
}

// gramSlot holds the literals of one gram, as a range of texts; an empty range ends a search.
type gramSlot struct{ gram, from, to uint32 }

const (
	bitsPerLiteral = 32
	minBits        = 1 << 9
	maxBits        = 1 << 18
)

// hashGram returns a hash of 18 bits.
func hashGram(gram uint32) uint32 { return gram * 0x9e3779b1 >> 14 }

func hashAgain(gram uint32) uint32 { return gram * 0x85ebca6b >> 14 }

func newGramIndex(grams []uint32) gramIndex {
	index := gramIndex{}
	distinct := len(slices.Compact(slices.Clone(grams)))
	size := minBits
	for size < distinct*bitsPerLiteral && size < maxBits {
		size *= 2
	}
	index.bits, index.bitMask = make([]uint64, size/64), uint32(size-1)
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
	for _, h := range [...]uint32{hashGram(s.gram), hashAgain(s.gram)} {
		bit := h & x.bitMask
		x.bits[bit/64] |= 1 << (bit % 64)
	}
	at := hashGram(s.gram) & x.mask
	for x.slots[at].to != 0 {
		at = (at + 1) & x.mask
	}
	x.slots[at] = s
}

// may reports whether some literal can have a gram.
func (x *gramIndex) may(gram uint32) bool { return x.has(hashGram(gram)) && x.has(hashAgain(gram)) }

func (x *gramIndex) has(hash uint32) bool {
	bit := hash & x.bitMask
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

// NewMatcher returns a matcher for the literals of tests.
func NewMatcher(sets map[uint32]Set) *Matcher {
	owners := map[string][]uint32{}
	for test, set := range sets {
		for _, text := range set {
			owners[text] = append(owners[text], test)
		}
	}
	s := &Matcher{short: &noPairs, empty: len(owners) == 0}
	shared := map[string]*[]uint32{}
	var key []byte
	byGram := [5]map[uint32][]located{2: {}, 3: {}, 4: {}}
	for _, text := range slices.Sorted(maps.Keys(owners)) {
		tests := owners[text]
		slices.Sort(tests)
		switch len(text) {
		case 0:
			s.always = tests
			continue
		case 1:
			s.single = append(s.single, singleByte{text[0], tests})
			continue
		}
		key = key[:0]
		for _, test := range tests {
			key = binary.LittleEndian.AppendUint32(key, test)
		}
		if shared[string(key)] == nil {
			shared[string(key)] = &tests
		}
		size := min(len(text), 4)
		offset := rarestGram(text, size, byGram[size])
		gram := packGram(text[offset : offset+size])
		byGram[size][gram] = append(byGram[size][gram], newLocated(text, offset, size, shared[string(key)]))
	}
	for size, texts := range byGram {
		s.add(size, texts)
	}
	s.markBytes()
	return s
}

func (s *Matcher) markBytes() {
	for c := range s.bytes {
		s.bytes[c] = uint64(ascii.Fold[c])
		for i := range s.single {
			if s.single[i].is == ascii.Fold[c] {
				s.bytes[c] |= 1 << (8 + i%markBits)
			}
		}
	}
}

// newLocated returns a literal with its gram at an offset.
func newLocated(text string, offset, size int, tests *[]uint32) located {
	t := located{text: text, tests: tests, offset: uint32(offset)}
	switch {
	case offset > 0:
		t.at = -1
	case size < len(text):
		t.at = int8(size)
	}
	t.beside = text[offset+int(t.at)]
	return t
}

// add takes the literals whose grams have a size.
func (s *Matcher) add(size int, texts map[uint32][]located) {
	var grams []uint32
	for _, gram := range slices.Sorted(maps.Keys(texts)) {
		for range texts[gram] {
			grams = append(grams, gram)
		}
		s.texts[size] = append(s.texts[size], texts[gram]...)
		if size == 4 {
			continue
		}
		if s.short == &noPairs {
			s.short = new(pairSet)
		}
		end := gram & 0xffff
		s.short[end/64] |= 1 << (end % 64)
	}
	s.texts[size] = slices.Clip(s.texts[size])
	s.grams[size] = newGramIndex(grams)
}

func packGram(s string) (gram uint32) {
	for i := range len(s) {
		gram = gram<<8 | uint32(s[i])
	}
	return gram
}

// crowd is how many texts share a gram while they have others: a value that repeats the gram is compared with each of them there.
const crowd = 8

// rarestGram returns where the part of a text begins that is the least likely in ordinary text, unless a crowd has it already. If crowds have
// all parts, it is that of the smallest one.
func rarestGram(text string, size int, taken map[uint32][]located) (offset int) {
	fewest, least := math.MaxInt, 2.0
	for at := 0; at+size <= len(text); at++ {
		gram := text[at : at+size]
		others, likely := max(0, len(taken[packGram(gram)])-crowd+1), (Set{gram}).Likelihood()
		if others < fewest || others == fewest && likely < least {
			fewest, least, offset = others, likely, at
		}
	}
	return offset
}

// Scan marks the tests whose literals the value contains.
func (s *Matcher) Scan(value string, hits *Bitset) {
	if s.empty {
		return
	}
	four := &s.grams[4]
	var last, marks uint64 // bytes before a place, the latest lowest
	for i := 0; ; i++ {
		if s.short == &noPairs {
			i, last, marks = s.nextLong(value, i, last, marks)
		} else {
			i, last, marks = s.next(value, i, last, marks)
		}
		if i >= len(value) {
			break
		}
		window := uint32(last)
		if s.short.has(window & 0xffff) {
			s.checkShort(window, value, i, hits)
		}
		if i >= 3 && four.may(window) {
			s.check(4, window, value, i-3, hits)
		}
	}
	hits.setAll(s.always)
	for i := range s.single {
		if l := &s.single[i]; marks>>(8+i%markBits)&1 != 0 && (len(s.single) <= markBits || hasByte(value, l.is)) {
			hits.setAll(l.tests)
		}
	}
}

// next returns the next place from i on at which a gram can end, len(value) when there is none, with the bytes and marks up to there. It calls
// nothing, so that everything stays in registers.
func (s *Matcher) next(value string, i int, last, marks uint64) (int, uint64, uint64) {
	short, bits, mask := s.short, s.grams[4].bits, s.grams[4].bitMask
	for ; i < len(value); i++ {
		b := s.bytes[value[i]]
		marks |= b
		last = last<<8 | b&0xff
		if short[uint16(last)/64]&(1<<(last%64)) != 0 {
			break
		}
		if bit := hashGram(uint32(last)) & mask; bits[bit/64]&(1<<(bit%64)) != 0 {
			break
		}
	}
	return i, last, marks
}

// nextLong is next where no gram is shorter than 4 bytes.
func (s *Matcher) nextLong(value string, i int, last, marks uint64) (int, uint64, uint64) {
	bits, mask := s.grams[4].bits, s.grams[4].bitMask
	for ; i < len(value); i++ {
		b := s.bytes[value[i]]
		marks |= b
		last = last<<8 | b&0xff
		if bit := hashGram(uint32(last)) & mask; bits[bit/64]&(1<<(bit%64)) != 0 {
			break
		}
	}
	return i, last, marks
}

// hasByte reports whether a value has a byte, whatever its case.
func hasByte(value string, is byte) bool {
	for i := range len(value) {
		if ascii.Fold[value[i]] == is {
			return true
		}
	}
	return false
}

// checkShort compares the literals of two and three bytes that can end at a place of the value.
func (s *Matcher) checkShort(window uint32, value string, at int, hits *Bitset) {
	if at >= 1 && s.grams[2].may(window&0xffff) {
		s.check(2, window&0xffff, value, at-1, hits)
	}
	if at >= 2 && s.grams[3].may(window&0xffffff) {
		s.check(3, window&0xffffff, value, at-2, hits)
	}
}

// Contains reports whether a value has one of the literals of a matcher for one test, of number 0.
func (s *Matcher) Contains(value string, hits *Bitset) bool {
	hits.Reset(1)
	s.Scan(value, hits)
	return hits.Has(0)
}

// check compares the literals with a gram that stands at a place of the value.
func (s *Matcher) check(size int, gram uint32, value string, at int, hits *Bitset) {
	from, to := s.grams[size].find(gram)
	for i := from; i < to; i++ {
		t := &s.texts[size][i]
		if beside := at + int(t.at); uint(beside) >= uint(len(value)) || ascii.Fold[value[beside]] != t.beside {
			continue
		}
		start := at - int(t.offset)
		if start >= 0 && start+len(t.text) <= len(value) && ascii.EqualFolded(value[start:start+len(t.text)], t.text) {
			hits.setAll(*t.tests)
		}
	}
}
