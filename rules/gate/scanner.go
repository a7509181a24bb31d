package gate

import "slices"

// scanner finds which of many literals a value contains, whatever their case. It is built once and read by many goroutines.
type scanner struct {
	single  [256][]uint16 // tests that a literal of one byte belongs to, by that byte
	singles bool          // some literal has one byte
	grams   [5]gramIndex  // literals of 2, 3 and 4 or more bytes, by the gram that is looked for
	texts   []scanned
}

type scanned struct {
	text   string
	offset int      // of the gram in the text
	tests  []uint16 // tests that a hit makes candidates
}

// gramIndex finds literals by one gram of theirs: a bit tells quickly that no literal has the gram.
type gramIndex struct {
	bits   []uint64            // nil when no literal is looked for by this gram
	places map[uint32][]uint32 // gram → indexes of texts
}

const gramBits = 1 << 15

func hashGram(gram uint32) uint32 { return gram * 0x9e3779b1 >> 17 }

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
	for text, tests := range owners {
		slices.Sort(tests)
		if len(text) == 1 {
			s.single[text[0]] = tests
			s.singles = true
			continue
		}
		size := min(len(text), 4)
		offset := rarestGram(text, size)
		index := &s.grams[size]
		if index.places == nil {
			index.places = map[uint32][]uint32{}
			index.bits = make([]uint64, gramBits/64)
		}
		gram := packGram(text[offset : offset+size])
		bit := hashGram(gram)
		index.bits[bit/64] |= 1 << (bit % 64)
		index.places[gram] = append(index.places[gram], uint32(len(s.texts)))
		s.texts = append(s.texts, scanned{text, offset, tests})
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
		if four.bits != nil && i >= 3 {
			if bit := hashGram(window); four.bits[bit/64]&(1<<(bit%64)) != 0 {
				s.check(four, window, value, i-3, hits)
			}
		}
		if two.bits != nil && i >= 1 {
			if bit := hashGram(window & 0xffff); two.bits[bit/64]&(1<<(bit%64)) != 0 {
				s.check(two, window&0xffff, value, i-1, hits)
			}
		}
		if three.bits != nil && i >= 2 {
			if bit := hashGram(window & 0xffffff); three.bits[bit/64]&(1<<(bit%64)) != 0 {
				s.check(three, window&0xffffff, value, i-2, hits)
			}
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
func (s *scanner) check(index *gramIndex, gram uint32, value string, at int, hits *bitset) {
	for _, i := range index.places[gram] {
		t := &s.texts[i]
		start := at - t.offset
		if start < 0 || start+len(t.text) > len(value) || !equalFolded(value[start:start+len(t.text)], t.text) {
			continue
		}
		hits.setAll(t.tests)
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
