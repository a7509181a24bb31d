package redact

import (
	"strings"
	"unsafe"
)

// words are texts that others are looked up among. Most that are none of them differ from all in their first byte or their length, which
// takes a fraction of the time that a map takes.
type words struct {
	known   map[string]bool
	lengths [256]uint64 // by the first byte, a bit for each length; the last one is for all longer ones
}

// wordsOf returns the words of a text.
func wordsOf(list string) *words {
	w := &words{}
	for _, word := range strings.Fields(list) {
		w.add(word)
	}
	return w
}

func (w *words) add(word string) {
	if w.known == nil {
		w.known = map[string]bool{}
	}
	w.known[word] = true
	w.lengths[word[0]] |= lengthBit(word)
}

func (w *words) has(text string) bool {
	return text != "" && w.lengths[text[0]]&lengthBit(text) != 0 && w.known[text]
}

// hasFold is has for a text of ASCII whose case makes no difference; the words are in lower case.
func (w *words) hasFold(text string) bool {
	var low [64]byte
	if text == "" || len(text) > len(low) || w.lengths[lowerByte[text[0]]]&lengthBit(text) == 0 {
		return false
	}
	for i := range len(text) {
		low[i] = lowerByte[text[i]]
	}
	return w.known[shared(low[:len(text)])]
}

func lengthBit(text string) uint64 { return 1 << min(len(text), 63) }

// shared returns bytes as a text that shares their memory.
func shared(bytes []byte) string { return unsafe.String(unsafe.SliceData(bytes), len(bytes)) }
