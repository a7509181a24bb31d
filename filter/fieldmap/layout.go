package fieldmap

import (
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
)

const (
	maxLayouts    = 512 // remembered; sources have a handful, and hostile senders must not fill the memory
	maxLayoutKeys = 256 // of a layout that is remembered
	recentLayouts = 8   // that one goroutine tries before it looks a record's layout up
)

// pair is one pair at the top level of a record; key and value are views of the record.
type pair struct {
	key   string // "" when the key is no string
	value []byte
}

// layout is a sequence of keys at the top level of records, and what is to be done with records that have it.
type layout struct {
	choice     *Choice
	keys       []string
	candidates []candidate
}

// candidate is a map that records of a layout may belong to.
type candidate struct {
	m      *Map
	index  int     // of the map in the choice
	met    uint64  // conditions that the layout meets
	probes []probe // where nested keys decide on the others
	steps  []step
}

type probe struct {
	pair int
	at   *node
}

// step takes one pair of a record.
type step struct {
	pair   int
	plain  *action // the value is the text of a field, and nothing else
	to     *node
	prefix *action // instead of a node
	suffix string  // of the key, behind the prefix
}

// layouts remembers layouts by a hash of their keys. It is safe for concurrent use.
type layouts struct {
	seed  maphash.Seed
	known atomic.Pointer[map[uint64]*layout] // never changed once stored
	mu    sync.Mutex                         // held while one is added
}

func newLayouts() *layouts {
	l := &layouts{seed: maphash.MakeSeed()}
	l.known.Store(&map[uint64]*layout{})
	return l
}

// metadataKey stands for a record's metadata among the keys at its top level.
const metadataKey = "\x00metadata"

// split reads the pairs at the top level of a record. It reports false when the record is no map.
func (v *Values) split(metadata, body []byte) bool {
	v.pairs = v.pairs[:0]
	pairs, isMap := record.ReadMap(body)
	if !isMap {
		v.layout = nil
		return false
	}
	if metadata != nil {
		v.pairs = append(v.pairs, pair{metadataKey, metadata})
	}
	for pairs.Next() {
		v.pairs = append(v.pairs, pair{pairs.Key, pairs.Value})
	}
	return true
}

// find returns the layout of the pairs.
func (c *Choice) find(v *Values) *layout {
	if len(v.pairs) > maxLayoutKeys {
		v.layout = nil
		return c.newLayout(v.pairs)
	}
	hash := c.layouts.hash(v.pairs)
	found, known := (*c.layouts.known.Load())[hash]
	if !known || !found.fits(v.pairs) {
		found = c.newLayout(v.pairs)
		c.layouts.add(hash, found)
	}
	v.layout = found
	if found.isStraight() && !slices.Contains(v.recent[:], found) {
		copy(v.recent[1:], v.recent[:])
		v.recent[0] = found
	}
	return found
}

// HasKey reports whether the record that was read last by a Choice, with a map or without, has a key at its top level.
func (v *Values) HasKey(key string) bool {
	if v.layout == nil {
		return slices.ContainsFunc(v.pairs, func(p pair) bool { return p.key == key })
	}
	return slices.Contains(v.layout.keys, key)
}

func (l *layout) fits(pairs []pair) bool {
	if len(l.keys) != len(pairs) {
		return false
	}
	for i := range pairs {
		if l.keys[i] != pairs[i].key {
			return false
		}
	}
	return true
}

func (l *layouts) hash(pairs []pair) uint64 {
	var h uint64
	for i := range pairs {
		h = h*0x9e3779b97f4a7c15 ^ maphash.String(l.seed, pairs[i].key)
	}
	return h
}

// add remembers a layout. When there are too many, all are forgotten.
func (l *layouts) add(hash uint64, added *layout) {
	l.mu.Lock()
	defer l.mu.Unlock()
	known := *l.known.Load()
	if len(known) >= maxLayouts {
		known = nil
	}
	grown := make(map[uint64]*layout, len(known)+1)
	for h, one := range known {
		grown[h] = one
	}
	grown[hash] = added
	l.known.Store(&grown)
}

// newLayout finds out what to do with records of these keys. The layout keeps no view of the record.
func (c *Choice) newLayout(pairs []pair) *layout {
	l := &layout{choice: c, keys: make([]string, len(pairs))}
	for i := range pairs {
		l.keys[i] = strings.Clone(pairs[i].key)
	}
	for index, m := range c.maps {
		made, fits := m.candidate(l.keys, len(c.maps) > 1)
		if !fits {
			continue
		}
		made.index = index
		l.candidates = append(l.candidates, made)
		if made.probes == nil {
			break
		}
	}
	return l
}

// candidate prepares reading records with these keys. With detection, it fits when records can meet all conditions.
func (m *Map) candidate(keys []string, detect bool) (c candidate, fits bool) {
	c.m = m
	possible := uint64(0)
	for i, key := range keys {
		at, p := m.root.next(key)
		switch {
		case p != nil:
			c.steps = append(c.steps, step{pair: i, prefix: p.to, suffix: key[len(p.text):]})
		case at != nil:
			if len(at.actions) > 0 || at.deeper() {
				c.steps = append(c.steps, step{pair: i, to: at, plain: at.plain()})
			}
			c.met |= at.detects
			if inside := at.detectsInside(); inside != 0 {
				possible |= inside
				c.probes = append(c.probes, probe{i, at})
			}
		}
	}
	if !detect || c.met == m.detects {
		c.probes = nil
	}
	return c, !detect || c.met|possible == m.detects
}

// detectsInside returns the conditions that maps at this place can meet.
func (n *node) detectsInside() (inside uint64) {
	for _, child := range n.children {
		inside |= child.detects | child.detectsInside()
	}
	return inside
}

// fits reports whether a record meets the conditions that nested keys decide on.
func (c *candidate) fits(pairs []pair) bool {
	if c.probes == nil {
		return true
	}
	met := c.met
	for i := range c.probes {
		met |= c.probes[i].at.metInside(pairs[c.probes[i].pair].value)
	}
	return met == c.m.detects
}

func (n *node) metInside(value []byte) (met uint64) {
	pairs, isMap := record.ReadMap(value)
	if !isMap || len(n.children) == 0 {
		return 0
	}
	for pairs.Next() {
		if child := n.children[pairs.Key]; child != nil {
			met |= child.detects | child.metInside(pairs.Value)
		}
	}
	return met
}

// plain returns the action of a place that only gives the text of a field, nil for other places.
func (n *node) plain() *action {
	if n.deeper() || len(n.actions) != 1 {
		return nil
	}
	a := n.actions[0]
	if a.reading != asField || a.base64 || a.unescaped || a.absolute || a.upper || a.field == Action || a.escapes != noEscapes || len(a.empty) > 0 {
		return nil
	}
	return a
}

// isStraight reports whether keys alone decide on the map for records of the layout.
func (l *layout) isStraight() bool { return len(l.candidates) > 0 && l.candidates[0].probes == nil }

// follow reads a record that has one of the layouts that came last, in one pass, and returns its layout; nil when it has another.
func (v *Values) follow(c *Choice, metadata, body []byte) *layout {
	pairs, isMap := record.ReadMap(body)
	if !isMap {
		return nil
	}
	first := 0
	if metadata != nil {
		first = 1
	}
	size := pairs.Len() + first
	l := v.layout
	if l == nil || l.choice != c || len(l.keys) != size || !l.isStraight() {
		if l = v.oneRecent(c, size); l == nil {
			return nil
		}
	}
	if metadata != nil && l.keys[0] != metadataKey {
		return nil
	}
	v.reset(l.candidates[0].m)
	done := 0 // steps
	if steps := l.candidates[0].steps; metadata != nil && len(steps) > 0 && steps[0].pair == 0 {
		v.step(&steps[0], metadata)
		done++
	}
	rest := pairs.Rest()
	for i := first; i < size; i++ {
		key, value, after, ok := record.CutPair(rest)
		if !ok {
			return nil
		}
		if key != l.keys[i] {
			if l = v.sibling(l, i, key); l == nil {
				return nil
			}
		}
		if steps := l.candidates[0].steps; done < len(steps) && steps[done].pair == i {
			v.step(&steps[done], value)
			done++
		}
		rest = after
	}
	v.finish()
	v.layout = l
	return l
}

// oneRecent returns a layout with a number of keys that came lately, nil when there is none.
func (v *Values) oneRecent(c *Choice, size int) *layout {
	for _, l := range v.recent {
		if l != nil && l.choice == c && len(l.keys) == size {
			return l
		}
	}
	return nil
}

// sibling returns a layout that came lately and has a key at a place up to which it equals another, nil when there is none. What
// has been done for the one so far is what is to be done for the other.
func (v *Values) sibling(of *layout, at int, key string) *layout {
	for _, l := range v.recent {
		if l != nil && l.choice == of.choice && len(l.keys) == len(of.keys) && l.keys[at] == key &&
			l.candidates[0].m == of.candidates[0].m && slices.Equal(l.keys[:at], of.keys[:at]) {
			return l
		}
	}
	return nil
}

// run takes what the map wants of the pairs.
func (v *Values) run(c *candidate) {
	v.reset(c.m)
	for i := range c.steps {
		v.step(&c.steps[i], v.pairs[c.steps[i].pair].value)
	}
	v.finish()
}

func (v *Values) step(s *step, value []byte) {
	if s.plain != nil {
		if text, isText := record.Text(value); isText {
			if f := s.plain.field; f == ClientIP || f == ServerIP {
				v.takeAddress(s.plain, text, false)
			} else {
				v.set(f, text, s.plain.rank)
			}
			return
		}
	}
	if s.to != nil {
		v.visit(s.to, value)
	} else {
		v.take(s.prefix, s.suffix, value)
	}
}
