package prefilter

import (
	"strings"

	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corazalink"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter/ascii"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter/literalset"
)

// harmlessTokens are the kinds of tokens of which no fingerprint consists alone: numbers, bare words, operators, functions, dots, colons and
// what libinjection does not know.
const harmlessTokens = "1nof.:?"

// sqlWords are the words that libinjection can make other tokens of, in lower case; nil when its fingerprints are not as expected.
var sqlWords = readSQLWords(corazalink.SQLKeywords)

// wordSet is a set of words in lower case, shorter than longestWord.
type wordSet struct {
	words   map[string]bool
	lengths [256]uint32 // of the words that begin with a byte, a bit for each length
}

func (w *wordSet) add(word string) {
	w.words[word] = true
	w.lengths[word[0]] |= 1 << len(word)
}

// has reports whether a text is a word, whatever its case.
func (w *wordSet) has(text string) bool {
	if len(text) >= longestWord || w.lengths[ascii.Fold[text[0]]]&(1<<len(text)) == 0 {
		return false
	}
	var lower [longestWord]byte
	for i := range len(text) {
		lower[i] = ascii.Fold[text[i]]
	}
	return w.words[string(lower[:len(text)])]
}

func readSQLWords(keywords map[string]byte) *wordSet {
	set := &wordSet{words: map[string]bool{}}
	for text, kind := range keywords {
		switch {
		case kind == 'F':
			if strings.Trim(strings.ToLower(text[1:]), harmlessTokens) == "" {
				return nil
			}
		case text == "&&" || text == "||":
		case strings.IndexByte(harmlessTokens, kind) < 0:
			for word := range strings.FieldsSeq(strings.ToLower(text)) {
				if len(word) >= longestWord || hasSQLByte(word) || strings.ContainsFunc(word, func(r rune) bool { return r >= 0x80 || wordEnds[r] }) {
					return nil
				}
				set.add(word)
			}
		}
	}
	return set
}

// sqlBytes are bytes by which libinjection can make tokens that are not harmless, and control characters, which it takes for spaces
// in some places and for letters in others. wordEnds are the bytes at which a word ends, and the dot, at which it can.
var sqlBytes, wordEnds = ascii.Set("(),;{}'\"`#@\\$\x00\x7f\x01\x02\x03\x04\x05\x06\x07\x08\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f"),
	ascii.Set(" []<>:?=!~+-*/&|^%.\t\n\v\f\r\xa0")

// hasSQLByte reports whether a value has bytes by which libinjection can make a token that is not harmless.
func hasSQLByte(value string) bool {
	before := byte(0)
	for i := range len(value) {
		c := value[i]
		if sqlBytes[c] || c == before && (c == '-' || c == '&' || c == '|') || c == '*' && before == '/' {
			return true
		}
		before = c
	}
	return false
}

// longestWord is longer than all words of libinjection, in bytes.
const longestWord = 32

// canBeSQLi reports whether libinjection can find SQL in a value: false is certain. Every fingerprint that it looks for has a token
// that is not harmless, and such a token comes from a byte that isLoud finds or from one of its words. A word stands between ends of
// words, or behind a number.
func canBeSQLi(value string) bool {
	if sqlWords == nil || hasSQLByte(value) {
		return true
	}
	for i := 0; i < len(value); {
		if wordEnds[value[i]] {
			i++
			continue
		}
		end := i
		for end < len(value) && !wordEnds[value[end]] {
			end++
		}
		if hasSQLWord(value[i:end], i > 0 && value[i-1] == '.' || '0' <= value[i] && value[i] <= '9') {
			return true
		}
		i = end
	}
	return false
}

// hasSQLWord reports whether a text is one of the words, or ends with one when the text can begin with a number.
func hasSQLWord(text string, numbered bool) bool {
	if !numbered {
		return sqlWords.has(text)
	}
	for at := max(0, len(text)-longestWord); at < len(text)-1; at++ {
		if sqlWords.has(text[at:]) {
			return true
		}
	}
	return false
}

// sqlInjection is @detectSQLi.
type sqlInjection struct{ plugintypes.Operator }

func (o sqlInjection) Evaluate(tx plugintypes.TransactionState, value string) bool {
	return canBeSQLi(value) && o.Operator.Evaluate(tx, value)
}

// xssLiterals are the texts of which libinjection needs one for every script that it finds: all tags begin with the first, all
// attributes that it looks at have the second.
var xssLiterals = literalset.Set{"<", "="}

// bytesOutside returns the bytes that a @validateByteRange does not allow, nil when most values have one.
func bytesOutside(operator plugintypes.Operator, state plugintypes.TransactionState) literalset.Set {
	outside := literalset.Set{}
	for c := range 256 {
		if operator.Evaluate(state, string([]byte{byte(c)})) {
			outside = append(outside, string([]byte{ascii.Fold[c]}))
		}
	}
	if outside.Likelihood() > commonBytes {
		return nil
	}
	return outside
}

// commonBytes is the share of bytes in ordinary text from which on looking for them is no use.
const commonBytes = 0.05
