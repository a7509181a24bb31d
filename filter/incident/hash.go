package incident

import (
	"math/bits"

	"github.com/cespare/xxhash/v2"
)

// HashText hashes a text as the correlator does.
func HashText(text string) uint64 { return hash(text) }

// hash is the same in every process: incidents must not depend on where their records are read.
func hash(text string) uint64 { return nonzero(xxhash.Sum64String(text)) }

func hashBytes(text []byte) uint64 { return nonzero(xxhash.Sum64(text)) }

// with returns the hash of a pair. It is not symmetric.
func with(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^0x9e3779b97f4a7c15, b^0xbf58476d1ce4e5b9)
	return nonzero(hi ^ lo ^ bits.RotateLeft64(a, 23))
}

// nonzero keeps a hash apart from the key of a free row.
func nonzero(h uint64) uint64 {
	if h == 0 {
		return 1
	}
	return h
}

// name is a text of bounded length inside a row, so that rows need no memory of their own.
type name struct {
	Size uint8
	Text [longestName]byte
}

func (n *name) set(text string) { n.Size = uint8(copy(n.Text[:], text)) }

// MarshalText and UnmarshalText write and read the text alone.
func (n *name) MarshalText() ([]byte, error) { return n.Text[:n.Size], nil }

func (n *name) UnmarshalText(text []byte) error {
	n.set(string(text))
	return nil
}

func (n *name) String() string { return string(n.Text[:n.Size]) }
