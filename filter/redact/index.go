package redact

import (
	"cmp"
	"slices"
	"strings"
)

// index finds many texts in another one in one pass. It looks at each window of 6 bytes: a filter of hashes tells most of those
// that begin none of the texts, and a binary search the longest text that begins there.
type index struct {
	needles []needle // sorted
	filter  [filterWords]uint64

	added []needle // before they were sorted
	order []begun
	open  []int32
}

// begun is a needle while they are sorted: small, so that sorting moves little.
type begun struct {
	begin uint64
	place int32
}

// needle is one of the texts.
type needle struct {
	begin     uint64 // the first window
	text      string // at most longestNeedle bytes
	whole     string
	kind      Kind
	isEncoded bool
	parent    int32 // the longest other one that this one begins with, -1 for none
}

const (
	window        = shortestSecret
	filterWords   = 128
	longestNeedle = 256 // bounds what is compared at each place
)

func (x *index) add(text string, k Kind, isEncoded bool) {
	x.added = append(x.added, needle{begin: windowOf(text), text: text[:min(len(text), longestNeedle)], whole: text, kind: k, isEncoded: isEncoded})
}

// settle makes the index ready. Of texts that are the same as far as they are compared, the longest stays.
func (x *index) settle() {
	x.order = x.order[:0]
	for i := range x.added {
		x.order = append(x.order, begun{x.added[i].begin, int32(i)})
	}
	slices.SortFunc(x.order, func(a, b begun) int {
		if a.begin != b.begin {
			return cmp.Compare(a.begin, b.begin)
		}
		m, n := &x.added[a.place], &x.added[b.place]
		return cmp.Or(strings.Compare(m.text, n.text), cmp.Compare(len(n.whole), len(m.whole)), cmp.Compare(a.place, b.place))
	})
	for _, b := range x.order {
		if n := &x.added[b.place]; len(x.needles) == 0 || x.needles[len(x.needles)-1].text != n.text {
			x.needles = append(x.needles, *n)
		}
	}
	open := x.open[:0] // needles that begin the one that is looked at, shortest first
	for i := range x.needles {
		n := &x.needles[i]
		for len(open) > 0 && !strings.HasPrefix(n.text, x.needles[open[len(open)-1]].text) {
			open = open[:len(open)-1]
		}
		n.parent = -1
		if len(open) > 0 {
			n.parent = open[len(open)-1]
		}
		open = append(open, int32(i))
		h := hashOf(n.begin)
		x.filter[h>>6] |= 1 << (h & 63)
	}
	x.open = open
}

// reset removes all needles.
func (x *index) reset() {
	if len(x.added) > 0 {
		x.filter = [filterWords]uint64{}
	}
	x.needles, x.added = emptied(x.needles), emptied(x.added)
}

// size returns about how many bytes are held.
func (x *index) size() int { return (cap(x.needles)+cap(x.added))*64 + cap(x.order)*16 + cap(x.open)*4 }

func windowOf(text string) (w uint64) {
	for i := range window {
		w = w<<8 | uint64(text[i])
	}
	return w
}

func hashOf(w uint64) uint64 { return w * 0x9e3779b97f4a7c15 >> 51 }

// find calls a function with each place of a needle in a text, which is in lower case; of several that begin at the same place
// with the longest.
func (x *index) find(text string, do func(start, end int, n *needle)) {
	if len(x.needles) == 0 || len(text) < window {
		return
	}
	const mask = 1<<(8*window) - 1
	w := windowOf(text) >> 8
	for i := window - 1; i < len(text); i++ {
		w = (w<<8 | uint64(text[i])) & mask
		if h := hashOf(w); x.filter[h>>6]&(1<<(h&63)) == 0 {
			continue
		}
		start := i - window + 1
		n := x.at(text[start:])
		if n == nil {
			continue
		}
		end := start + len(n.text)
		if len(n.whole) > len(n.text) {
			for end < len(text) && end-start < len(n.whole) && text[end] == n.whole[end-start] {
				end++
			}
			i = max(i, end-longestNeedle)
			if i >= window-1 && i < len(text) {
				w = windowOf(text[i-window+1:])
			}
		}
		do(start, end, n)
	}
}

// at returns the longest needle with which a text begins, nil when there is none.
func (x *index) at(text string) *needle {
	text = text[:min(len(text), longestNeedle)]
	i, found := slices.BinarySearchFunc(x.needles, text, func(n needle, text string) int { return strings.Compare(n.text, text) })
	if found {
		return &x.needles[i]
	}
	if i == 0 {
		return nil
	}
	// All that the text begins with are beginnings of the one before it.
	n := &x.needles[i-1]
	common := 0
	for common < len(n.text) && common < len(text) && n.text[common] == text[common] {
		common++
	}
	for len(n.text) > common {
		if n.parent < 0 {
			return nil
		}
		n = &x.needles[n.parent]
	}
	return n
}
