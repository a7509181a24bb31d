package incident

import (
	"math"
	"math/bits"
	"time"
)

// bucket leaks at a constant rate.
type bucket struct {
	Level float32
	At    uint32 // second of the last change
}

// pour adds to the bucket, after what has leaked since the last change, and returns its level.
func (b *bucket) pour(amount float64, now uint32, leak time.Duration) float32 {
	if since := passed(now, b.At); since == longAgo {
		b.Level = 0
	} else {
		b.Level = max(0, b.Level-float32(float64(since)/leak.Seconds()))
	}
	b.Level = max(0, b.Level+float32(amount))
	b.At = max(now, 1)
	return b.Level
}

// tally is a count that halves with time.
type tally struct {
	N  float32
	At uint32
}

func (t *tally) add(amount float32, now uint32, half time.Duration) float32 {
	if since := passed(now, t.At); since == longAgo {
		t.N = 0
	} else if since > 0 {
		t.N *= float32(math.Exp2(-float64(since) / half.Seconds()))
	}
	t.N += amount
	t.At = max(now, 1)
	return t.N
}

// steps is the number of steps of a histogram. Each is 1.41 times as wide as the one before.
const steps = 40

// histogram counts values by size, and forgets the old ones gradually. Single values cannot move its quantiles far, whatever their size.
type histogram struct {
	Counts [steps]uint16
	Total  uint32
}

// step returns the step of a value.
func step(value float64) uint8 {
	if value < 1 {
		return 0
	}
	return uint8(min(steps-1, 1+int(2*math.Log2(value))))
}

// ceiling returns the largest value of a step.
func ceiling(s uint8) float64 {
	if s == 0 {
		return 0
	}
	return math.Exp2(float64(s) / 2)
}

const mostCounted = 4096

func (h *histogram) add(value float64) {
	h.Counts[step(value)]++
	if h.Total++; h.Total < mostCounted {
		return
	}
	h.Total = 0
	for i := range h.Counts {
		h.Counts[i] /= 2
		h.Total += uint32(h.Counts[i])
	}
}

// quantile returns the value that a share of all values does not exceed, to the precision of steps.
func (h *histogram) quantile(share float64) float64 {
	above := uint32(float64(h.Total) * (1 - share)) // rounded down: of a few values the largest counts
	for s := steps - 1; s >= 0; s-- {
		if n := uint32(h.Counts[s]); n > above {
			return ceiling(uint8(s))
		} else {
			above -= n
		}
	}
	return 0
}

// exact is how many elements of a set are kept as they are.
const exact = 8

// set counts distinct hashes: exactly up to eight, by a sketch beyond.
type set struct {
	Few    [exact]uint32
	N      uint16 // elements in Few
	Sketch uint16 // 1 + number of the sketch, 0 when there is none
}

// registers is the size of a sketch: a HyperLogLog of 256 registers errs by 3 % up to some hundred elements, where it counts empty
// registers, and by 6.5 % beyond.
const registers = 256

type sketch struct {
	Registers [registers]uint8
	Estimate  float32
	Owner     uint64 // key of the row that uses it
	Used      uint32
	Taken     bool
}

// share is what a register adds to the sum of which the estimate is made.
var share = func() (all [64]float64) {
	for rank := range all {
		all[rank] = math.Exp2(-float64(rank))
	}
	return all
}()

// add adds a hash, and estimates anew when that changes anything.
func (s *sketch) add(h uint64) {
	rank := uint8(bits.LeadingZeros64(h<<8|1<<7)) + 1
	if r := &s.Registers[h>>56]; *r < rank {
		*r = rank
		s.Estimate = estimate(&s.Registers)
	}
}

func estimate(all *[registers]uint8) float32 {
	sum, empty := 0.0, 0
	for _, rank := range all {
		sum += share[rank&63]
		if rank == 0 {
			empty++
		}
	}
	const alpha = 0.7213 / (1 + 1.079/registers)
	n := alpha * registers * registers / sum
	if n <= 2.5*registers && empty > 0 {
		n = registers * math.Log(registers/float64(empty))
	}
	return float32(n)
}

// sketches is a pool of them. When all are taken, the one that was used least recently changes its owner, and the set that it belonged
// to counts from the few that it has.
type sketches struct {
	All    []sketch
	hand   int
	Stolen uint64
}

// spread mixes a hash, whose bits have served to find places in tables.
func spread(h uint64) uint64 {
	h ^= h >> 32
	h *= 0xd6e8feb86659fd93
	return h ^ h>>32
}

// add adds a hash to the set of an owner, and returns how many distinct ones it has.
func (p *sketches) add(s *set, owner, h uint64, now uint32) float64 {
	short := uint32(h) | 1
	for _, known := range s.Few[:min(s.N, exact)] {
		if known == short && s.Sketch == 0 {
			return float64(s.N)
		}
	}
	if s.N < exact {
		s.Few[s.N] = short
		s.N++
		return float64(s.N)
	}
	sk := p.of(s, owner, now)
	sk.Used = now
	sk.add(spread(uint64(short)))
	return max(exact, float64(sk.Estimate))
}

// count returns how many distinct hashes a set has.
func (p *sketches) count(s *set, owner uint64) float64 {
	if s.Sketch == 0 || int(s.Sketch) > len(p.All) || p.All[s.Sketch-1].Owner != owner {
		return float64(s.N)
	}
	return max(exact, float64(p.All[s.Sketch-1].Estimate))
}

func (p *sketches) of(s *set, owner uint64, now uint32) *sketch {
	if s.Sketch > 0 && int(s.Sketch) <= len(p.All) {
		if sk := &p.All[s.Sketch-1]; sk.Taken && sk.Owner == owner {
			return sk
		}
	}
	i := p.free(now)
	sk := &p.All[i]
	if sk.Taken {
		p.Stolen++
	}
	*sk = sketch{Owner: owner, Taken: true}
	s.Sketch = uint16(i + 1)
	for _, known := range s.Few {
		sk.add(spread(uint64(known)))
	}
	return sk
}

// free returns the number of a sketch that is free, else of the least recently used of some.
func (p *sketches) free(now uint32) int {
	best := -1
	for range 64 {
		p.hand = (p.hand + 1) % len(p.All)
		switch sk := &p.All[p.hand]; {
		case !sk.Taken:
			return p.hand
		case best < 0 || passed(now, sk.Used) > passed(now, p.All[best].Used):
			best = p.hand
		}
	}
	return best
}

// clear empties a set and gives its sketch back.
func (p *sketches) clear(s *set, owner uint64) {
	if s.Sketch > 0 && int(s.Sketch) <= len(p.All) && p.All[s.Sketch-1].Owner == owner {
		p.All[s.Sketch-1].Taken = false
	}
	*s = set{}
}

// bloom is a Bloom filter whose bits for one key are in one line of a processor's cache.
type bloom []uint64

const blockWords = 8

func (b bloom) block(key uint64) bloom {
	hi, _ := bits.Mul64(key, uint64(len(b)/blockWords))
	return b[hi*blockWords : hi*blockWords+blockWords]
}

func (b bloom) has(key uint64) bool {
	block, h := b.block(key), spread(key)
	for range 5 {
		if block[h&7]>>(h>>3&63)&1 == 0 {
			return false
		}
		h >>= 9
	}
	return true
}

func (b bloom) add(key uint64) {
	block, h := b.block(key), spread(key)
	for range 5 {
		block[h&7] |= 1 << (h >> 3 & 63)
		h >>= 9
	}
}

// memory is a pair of Bloom filters: what was seen in this period or in the one before is known.
type memory struct {
	current, previous bloom
	turned            uint32
}

func newMemory(words int) memory {
	return memory{current: make(bloom, words), previous: make(bloom, words)}
}

// note adds a key, and reports whether it was known.
func (m *memory) note(key uint64) (known bool) {
	if m.current.has(key) {
		return true
	}
	m.current.add(key)
	return m.previous.has(key)
}

func (m *memory) known(key uint64) bool { return m.current.has(key) || m.previous.has(key) }

// turn begins a new period when the current one is over.
func (m *memory) turn(now uint32, period time.Duration) {
	switch since := passed(now, m.turned); {
	case m.turned == 0:
		m.turned = now
	case since >= seconds(period):
		m.current, m.previous = m.previous, m.current
		clear(m.current)
		m.turned = now
	}
}
