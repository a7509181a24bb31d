package prefilter

import (
	"bufio"
	"bytes"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter/literalset"
)

// WordList is the words of a data file, in values as @pmFromFile finds them. It is safe for concurrent use.
type WordList struct{ matcher *literalset.Matcher }

// NewWordList reads a data file. It returns nil where Coraza stops reading in the middle.
func NewWordList(content []byte) *WordList {
	words := fileWords(content)
	if words == nil {
		return nil
	}
	return &WordList{literalset.NewMatcher(map[uint32]literalset.Set{0: words})}
}

// Contains reports whether a value has one of the words.
func (w *WordList) Contains(value string) bool {
	return w.matcher.Contains(value, &literalset.Bitset{Words: make([]uint64, 1)})
}

// fileWords reads the words of a data file as @pmFromFile does, in lower case. It is nil where Coraza stops reading in the middle.
func fileWords(content []byte) literalset.Set {
	set := literalset.Set{}
	for line := range bytes.Lines(content) {
		if len(line) >= bufio.MaxScanTokenSize {
			return nil // Coraza stops reading there
		}
		text := strings.ToLower(string(bytes.TrimSpace(line)))
		if text != "" && text[0] != '#' {
			set = append(set, text)
		}
	}
	return set
}
