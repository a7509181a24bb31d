package digest

import (
	"bytes"
	"cmp"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
)

// The content of a digest, before it is compressed, is a row of columns, each a row of numbers as varints unless said otherwise: what is
// like each other stands together, sorted, and mostly as the difference to the one before. decode reads them in the same order.
//
//	texts      how many, their lengths, their bytes
//	addresses  IPv4 addresses of sources: how many, the differences between them
//	actors     sources with a principal: how many, the differences of their sources, whether they are internal (1) and have a
//	           principal (2), and the principals in 4 bytes each
//	places     targets with a route and a status: how many, and these three
//	windows    how many, the differences of their times; of each how many groups without and with attacks, and samples, there are
//	groups     without attacks: actors, places, counts, times, bytes, items, numbers of ids, whether there is a user (1) or a tool (2);
//	           then users and tools in 4 bytes each, and ids in 3
//	attacks    the same with hosts, rules, flags and numbers of hits; then hits: times, ids, values in 4 bytes each, traces likewise
//	samples    sources, rules, statuses, times, and their texts
type encoder struct {
	out     []byte
	texts   index[string]
	address index[uint32]
	actors  index[actor]
	places  index[place]
}

// actor is who makes requests; a source is a number of an address, or of a text behind all addresses.
type actor struct {
	source    string
	internal  bool
	principal uint32
}

func (a actor) compare(b actor) int {
	return cmp.Or(compareSources(a.source, b.source), cmp.Compare(a.principal, b.principal), cmp.Compare(a.bits(), b.bits()))
}

// bits are 1 for one of ours, and 2 for a known principal.
func (a actor) bits() (b uint64) {
	if a.internal {
		b = 1
	}
	if a.principal != 0 {
		b |= 2
	}
	return b
}

// compareSources sorts addresses first, by their number.
func compareSources(a, b string) int {
	x, isX := addressOf(a)
	y, isY := addressOf(b)
	switch {
	case isX && isY:
		return cmp.Compare(x, y)
	case isX:
		return -1
	case isY:
		return 1
	}
	return strings.Compare(a, b)
}

// addressOf returns the number of an IPv4 address that is written in the usual way.
func addressOf(text string) (uint32, bool) {
	if len(text) < 7 || len(text) > 15 {
		return 0, false
	}
	a, err := netip.ParseAddr(text)
	if err != nil || !a.Is4() || a.String() != text {
		return 0, false
	}
	four := a.As4()
	return binary.BigEndian.Uint32(four[:]), true
}

type place struct {
	target, route string
	status        int
}

func (p place) compare(o place) int {
	return cmp.Or(strings.Compare(p.target, o.target), strings.Compare(p.route, o.route), cmp.Compare(p.status, o.status))
}

// index numbers values in their order.
type index[T comparable] map[T]int

func (x index[T]) note(v T) { x[v] = 0 }

func (x index[T]) number(compare func(a, b T) int) []T {
	all := slices.SortedFunc(maps.Keys(x), compare)
	for i, v := range all {
		x[v] = i
	}
	return all
}

// encode writes the content of windows.
func encode(windows map[int64]*window) []byte {
	e := &encoder{texts: index[string]{}, address: index[uint32]{}, actors: index[actor]{}, places: index[place]{}}
	times := slices.Sorted(maps.Keys(windows))
	groups := make([][]*key, len(times))
	for i, t := range times {
		groups[i] = windows[t].sorted()
		e.note(windows[t], groups[i])
	}
	e.writeTables()
	e.put(uint64(len(times)))
	var clean, attacks []keyed
	before := int64(0)
	for i, t := range times {
		w := windows[t]
		e.put(uint64(t - before)) // of the first it is the time itself
		before = t
		var here [2]int
		for _, k := range groups[i] {
			if g := w.groups[*k]; len(g.hits) == 0 {
				clean, here[0] = append(clean, keyed{k, g}), here[0]+1
			} else {
				attacks, here[1] = append(attacks, keyed{k, g}), here[1]+1
			}
		}
		e.put(uint64(here[0]))
		e.put(uint64(here[1]))
		e.put(uint64(len(w.samples)))
	}
	e.writeGroups(clean)
	e.writeAttacks(attacks)
	for _, t := range times {
		e.writeSamples(windows[t])
	}
	return e.out
}

type keyed struct {
	*key
	*group
}

func (k *key) actor() actor { return actor{k.source, k.flags&internal != 0, k.principal} }
func (k *key) place() place { return place{k.target, k.route, k.status} }

func (e *encoder) note(w *window, groups []*key) {
	for _, k := range groups {
		e.noteSource(k.source)
		e.actors.note(k.actor())
		e.places.note(k.place())
		for _, text := range [...]string{k.target, k.route, k.host, k.rules} {
			e.texts.note(text)
		}
	}
	for k, s := range w.samples {
		e.noteSource(k.source)
		for _, text := range [...]string{s.alert, s.method, s.uri, s.message, s.outcome} {
			e.texts.note(text)
		}
	}
}

func (e *encoder) noteSource(source string) {
	if a, is := addressOf(source); is {
		e.address.note(a)
	} else {
		e.texts.note(source)
	}
}

func (e *encoder) put(n uint64) { e.out = binary.AppendUvarint(e.out, n) }

func (e *encoder) writeTables() {
	texts := e.texts.number(strings.Compare)
	e.put(uint64(len(texts)))
	for _, t := range texts {
		e.put(uint64(len(t)))
	}
	for _, t := range texts {
		e.out = append(e.out, t...)
	}
	addresses := e.address.number(cmp.Compare[uint32])
	e.put(uint64(len(addresses)))
	e.deltas(len(addresses), func(i int) int { return int(addresses[i]) })
	actors := e.actors.number(actor.compare)
	e.put(uint64(len(actors)))
	e.deltas(len(actors), func(i int) int { return e.source(actors[i].source) })
	for _, a := range actors {
		e.put(a.bits())
	}
	for _, a := range actors {
		if a.principal != 0 {
			e.out = appendUint32(e.out, a.principal)
		}
	}
	places := e.places.number(place.compare)
	e.put(uint64(len(places)))
	e.deltas(len(places), func(i int) int { return e.texts[places[i].target] })
	e.column(len(places), func(i int) int { return e.texts[places[i].route] })
	e.column(len(places), func(i int) int { return max(0, places[i].status) })
}

// source returns the number of a source.
func (e *encoder) source(text string) int {
	if a, is := addressOf(text); is {
		return e.address[a]
	}
	return len(e.address) + e.texts[text]
}

func (e *encoder) column(n int, value func(int) int) {
	for i := range n {
		e.put(uint64(value(i)))
	}
}

// deltas writes differences, which may be negative where a new window begins.
func (e *encoder) deltas(n int, value func(int) int) {
	before := 0
	for i := range n {
		v := value(i)
		e.out = binary.AppendVarint(e.out, int64(v-before))
		before = v
	}
}

// writeGroups writes what all groups have.
func (e *encoder) writeGroups(all []keyed) {
	n := len(all)
	e.deltas(n, func(i int) int { return e.actors[all[i].actor()] })
	e.column(n, func(i int) int { return e.places[all[i].place()] })
	e.column(n, func(i int) int { return int(all[i].count) })
	e.column(n, func(i int) int { return int(all[i].first) / quarter })
	e.column(n, func(i int) int { return int(all[i].bytes) })
	e.column(n, func(i int) int { return int(all[i].items) })
	e.column(n, func(i int) int { return len(all[i].ids) })
	e.column(n, func(i int) int { return bit(all[i].user, 1) | bit(all[i].tool, 2) })
	for _, g := range all {
		for _, h := range [...]uint32{g.user, g.tool} {
			if h != 0 {
				e.out = appendUint32(e.out, h)
			}
		}
	}
	for _, g := range all {
		for _, id := range g.ids {
			e.out = appendUint24(e.out, id)
		}
	}
}

func bit(h uint32, b int) int {
	if h == 0 {
		return 0
	}
	return b
}

func (e *encoder) writeAttacks(all []keyed) {
	e.writeGroups(all)
	n := len(all)
	e.column(n, func(i int) int { return e.texts[all[i].host] })
	e.column(n, func(i int) int { return e.texts[all[i].rules] })
	e.column(n, func(i int) int { return int(all[i].flags) })
	e.column(n, func(i int) int { return len(all[i].hits) })
	var hits []hit
	for _, g := range all {
		hits = append(hits, g.hits...)
	}
	n = len(hits)
	e.column(n, func(i int) int { return int(hits[i].at) })
	e.column(n, func(i int) int { return int(hits[i].id) })
	e.column(n, func(i int) int { return bit(hits[i].values, 1) | bit(hits[i].trace, 2) })
	for _, h := range hits {
		for _, v := range [...]uint32{h.values, h.trace} {
			if v != 0 {
				e.out = appendUint32(e.out, v)
			}
		}
	}
}

func (e *encoder) writeSamples(w *window) {
	for _, k := range w.sortedSamples() {
		s := w.samples[k]
		for _, n := range [...]int{e.source(k.source), max(0, k.rule), max(0, k.status), int(s.at), e.texts[s.alert], e.texts[s.method], e.texts[s.uri], e.texts[s.message], e.texts[s.outcome]} {
			e.put(uint64(n))
		}
	}
}

// compressors take a megabyte each.
var compressors = sync.Pool{New: func() any {
	w, err := flate.NewWriter(nil, flate.BestCompression)
	if err != nil {
		panic(err) // only of a level that there is not
	}
	return w
}}

// compress packs the content.
func compress(content []byte) ([]byte, error) {
	var packed bytes.Buffer
	w := compressors.Get().(*flate.Writer)
	defer compressors.Put(w)
	w.Reset(&packed)
	_, err := w.Write(content)
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("digest: %w", err)
	}
	return packed.Bytes(), nil
}
