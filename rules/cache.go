package rules

import (
	"hash/maphash"
	"strings"
	"sync"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/gate"
)

// cache remembers verdicts by all of a transaction that the rules look at. It holds a bounded number of bytes and is safe for
// concurrent use. Transactions are told apart by a keyed hash of 128 bits.
type cache struct {
	reads  *gate.Reads
	seeds  [2]maphash.Seed
	shards [cacheShards]shard
	sets   uint64 // of each shard
}

const (
	cacheShards = 16
	cacheWays   = 4 // entries that share a place; the least recently used one makes room

	slotBytes = 24 // of a slot, its verdict apart
)

type shard struct {
	mu    sync.Mutex
	slots []slot // cacheWays for each set, most recently used first
	spare int    // bytes left for verdicts that are not clean
}

type slot struct {
	a, b    uint64
	verdict *Verdict
}

// newCache returns a cache of a size in bytes, nil for a size that holds nothing.
func newCache(size int64, reads *gate.Reads) *cache {
	// Half of the memory is for slots, half for verdicts with matches, which point to memory of their own.
	sets := uint64(size / 2 / cacheShards / cacheWays / slotBytes)
	if sets == 0 {
		return nil
	}
	c := &cache{reads: reads, seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, sets: sets}
	for i := range c.shards {
		c.shards[i].slots = make([]slot, sets*cacheWays)
		c.shards[i].spare = int(size / 2 / cacheShards)
	}
	return c
}

// cacheKey tells transactions apart that the rules can tell apart.
type cacheKey struct{ a, b uint64 }

var hashes = sync.Pool{New: func() any { return new([2]maphash.Hash) }}

// key hashes what the rules can see of a transaction. Texts are written with their lengths, so that none runs into the next.
func (c *cache) key(t *Transaction) cacheKey {
	h := hashes.Get().(*[2]maphash.Hash)
	defer hashes.Put(h)
	h[0].SetSeed(c.seeds[0])
	h[1].SetSeed(c.seeds[1])
	w := keyWriter{h}
	address, answers := c.reads.ClientAddress(t.ClientIP)
	w.text(address)
	w.number(answers)
	if c.reads.Ports {
		w.number(uint64(t.ClientPort)<<16 | uint64(t.ServerPort))
	}
	if c.reads.ServerAddress {
		w.text(t.ServerIP)
	}
	w.text(t.Method)
	w.text(t.URI)
	w.text(t.Protocol)
	w.text(t.ServerName)
	w.headers(t.RequestHeaders)
	w.headers(t.Arguments)
	w.text(t.RequestBody)
	w.number(uint64(t.Unknown))
	w.flags(t.RequestCut, t.ResponseCut, t.HasResponse)
	if t.HasResponse {
		c.writeResponse(w, t)
	}
	return cacheKey{h[0].Sum64(), h[1].Sum64()}
}

func (c *cache) writeResponse(w keyWriter, t *Transaction) {
	w.number(uint64(t.ResponseStatus))
	w.text(t.ResponseProtocol)
	w.text(t.ResponseBody)
	if c.reads.AllResponse {
		w.headers(t.ResponseHeaders)
		return
	}
	for i := range t.ResponseHeaders {
		h := &t.ResponseHeaders[i]
		if c.seesResponseHeader(h.Name) {
			w.number(uint64(i))
			w.text(h.Name)
			w.text(h.Value)
		}
	}
}

func (c *cache) seesResponseHeader(name string) bool {
	if len(name) == len("Content-Type") && strings.EqualFold(name, "Content-Type") {
		return true // it decides whether and how the body is read
	}
	for _, seen := range c.reads.ResponseHeaders {
		if len(seen) == len(name) && strings.EqualFold(seen, name) {
			return true
		}
	}
	return false
}

// keyWriter writes to both hashes.
type keyWriter struct{ h *[2]maphash.Hash }

func (w keyWriter) text(s string) {
	w.number(uint64(len(s)))
	w.h[0].WriteString(s) // a hash takes everything
	w.h[1].WriteString(s) // a hash takes everything
}

func (w keyWriter) number(n uint64) {
	b := [8]byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24), byte(n >> 32), byte(n >> 40), byte(n >> 48), byte(n >> 56)}
	w.h[0].Write(b[:]) // a hash takes everything
	w.h[1].Write(b[:]) // a hash takes everything
}

func (w keyWriter) flags(flags ...bool) {
	n := uint64(0)
	for i, set := range flags {
		if set {
			n |= 1 << i
		}
	}
	w.number(n)
}

func (w keyWriter) headers(list []Header) {
	w.number(uint64(len(list)))
	for i := range list {
		w.text(list[i].Name)
		w.text(list[i].Value)
	}
}

// get returns the verdict of a transaction, nil when it is not remembered.
func (c *cache) get(k cacheKey) *Verdict {
	s, set := c.place(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range set {
		if set[i].a == k.a && set[i].b == k.b && set[i].verdict != nil {
			found := set[i]
			copy(set[1:i+1], set[:i])
			set[0] = found
			return found.verdict
		}
	}
	return nil
}

// put remembers a verdict. One with matches is only taken while there is memory for it.
func (c *cache) put(k cacheKey, v *Verdict) {
	s, set := c.place(k)
	cost := v.bytes()
	s.mu.Lock()
	defer s.mu.Unlock()
	last := &set[len(set)-1]
	s.spare += last.verdict.bytes()
	*last = slot{}
	if cost > s.spare {
		return
	}
	s.spare -= cost
	copy(set[1:], set)
	set[0] = slot{k.a, k.b, v}
}

func (c *cache) place(k cacheKey) (*shard, []slot) {
	s := &c.shards[k.a%cacheShards]
	first := k.b % c.sets * cacheWays
	return s, s.slots[first : first+cacheWays]
}

// bytes estimates the memory of a verdict; a clean one is shared and has none of its own.
func (v *Verdict) bytes() int {
	if v == nil || v == &cleanVerdict || v == &passVerdict {
		return 0
	}
	n := 200 + len(v.Scores)*40
	for i := range v.Matches {
		m := &v.Matches[i]
		n += 152 + len(m.Message) + len(m.Data) + len(m.Variable) + len(m.Value)
		for _, other := range m.Others {
			n += 16 + len(other)
		}
	}
	return n
}
