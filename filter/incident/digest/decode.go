package digest

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
)

// Bounds of what is read: a digest that goes beyond is none of ours.
const (
	mostContent = 32 << 20 // bytes
	mostWindows = 4096
	mostRecords = 1 << 22 // that it sums up: more than a node has in half a minute
)

var errContent = errors.New("digest: malformed content")

// decoder reads what encoder writes. After the first problem it reads zeros.
type decoder struct {
	in     []byte
	failed bool

	texts     []string
	addresses []string
	actors    []actor
	places    []place
}

func expand(packed []byte) ([]byte, error) {
	in := flate.NewReader(bytes.NewReader(packed))
	defer in.Close() //nolint:errcheck // there is nothing that it could report
	content, err := io.ReadAll(io.LimitReader(in, mostContent+1))
	if err != nil {
		return nil, fmt.Errorf("digest: %w", err)
	}
	if len(content) > mostContent {
		return nil, fmt.Errorf("digest: more than %d bytes", mostContent)
	}
	return content, nil
}

// decode reads the content of windows.
func decode(content []byte) (map[int64]*window, error) {
	d := &decoder{in: content}
	d.readTables()
	n := d.number(mostWindows)
	times, sizes := make([]int64, n), make([][3]int, n)
	before := int64(0)
	for i := range times {
		before += int64(d.get() & (1<<50 - 1))
		times[i] = before
		for part := range 3 {
			sizes[i][part] = d.number(len(d.in))
		}
	}
	windows := map[int64]*window{}
	for _, t := range times {
		windows[t] = newWindow()
	}
	for part, read := range [...]func(n int) []keyed{d.readGroups, d.readAttacks} {
		total := 0
		for i := range sizes {
			total += sizes[i][part]
		}
		all := read(d.bound(total))
		if d.failed {
			return nil, errContent
		}
		for i, t := range times {
			for _, g := range all[:sizes[i][part]] {
				windows[t].groups[*g.key] = g.group
			}
			all = all[sizes[i][part]:]
		}
	}
	for i, t := range times {
		d.readSamples(windows[t], sizes[i][2])
	}
	if d.failed || len(d.in) > 0 {
		return nil, errContent
	}
	total := 0
	for _, w := range windows {
		total += w.records()
	}
	if total > mostRecords {
		return nil, fmt.Errorf("digest: %d records (at most %d)", total, mostRecords)
	}
	return windows, nil
}

func (d *decoder) fail() { d.in, d.failed = nil, true }

func (d *decoder) get() uint64 {
	n, size := binary.Uvarint(d.in)
	if size <= 0 {
		d.fail()
		return 0
	}
	d.in = d.in[size:]
	return n
}

func (d *decoder) signed() int64 {
	n, size := binary.Varint(d.in)
	if size <= 0 {
		d.fail()
		return 0
	}
	d.in = d.in[size:]
	return n
}

// number reads a number that is at most the given one.
func (d *decoder) number(most int) int {
	n := d.get()
	if n > uint64(most) {
		d.fail()
		return 0
	}
	return int(n)
}

// bound returns how many rows there are. Each takes a byte at least.
func (d *decoder) bound(n int) int {
	if n > len(d.in) {
		d.fail()
		return 0
	}
	return n
}

func (d *decoder) bytes(n int) []byte {
	if n > len(d.in) {
		d.fail()
		return make([]byte, min(n, 8))
	}
	b := d.in[:n]
	d.in = d.in[n:]
	return b
}

// of returns the element of a list that is named next.
func of[T any](d *decoder, list []T) (v T) {
	n := d.get()
	if n >= uint64(len(list)) {
		d.fail()
		return v
	}
	return list[n]
}

// deltas reads the elements of a list that are named by differences.
func deltas[T any](d *decoder, n int, list []T, take func(i int, v T)) {
	at := int64(0)
	for i := range n {
		if at += d.signed(); at < 0 || at >= int64(len(list)) {
			d.fail()
			return
		}
		take(i, list[at])
	}
}

func (d *decoder) readTables() {
	n := d.bound(d.number(len(d.in)))
	sizes := make([]int, n)
	for i := range sizes {
		sizes[i] = d.number(mostContent)
	}
	d.texts = make([]string, n)
	for i, size := range sizes {
		if d.failed {
			return
		}
		d.texts[i] = string(d.bytes(size))
	}
	n = d.bound(d.number(len(d.in)))
	d.addresses = make([]string, 0, n+len(d.texts))
	at := int64(0)
	for range n {
		at += d.signed()
		var four [4]byte
		binary.BigEndian.PutUint32(four[:], uint32(at))
		d.addresses = append(d.addresses, netip.AddrFrom4(four).String())
	}
	sources := append(d.addresses, d.texts...) //nolint:gocritic // the numbers of texts come behind those of addresses
	d.addresses = sources
	d.actors = make([]actor, d.bound(d.number(len(d.in))))
	deltas(d, len(d.actors), sources, func(i int, source string) { d.actors[i].source = source })
	bits := make([]uint64, len(d.actors))
	for i := range bits {
		bits[i] = d.get()
		d.actors[i].internal = bits[i]&1 != 0
	}
	for i := range bits {
		if bits[i]&2 != 0 {
			d.actors[i].principal = d.uint32()
		}
	}
	d.places = make([]place, d.bound(d.number(len(d.in))))
	deltas(d, len(d.places), d.texts, func(i int, target string) { d.places[i].target = target })
	for i := range d.places {
		d.places[i].route = of(d, d.texts)
	}
	for i := range d.places {
		d.places[i].status = d.number(1 << 16)
	}
}

func (d *decoder) uint32() uint32 {
	b := d.bytes(4)
	if len(b) < 4 {
		return 0
	}
	return binary.LittleEndian.Uint32(b)
}

func (d *decoder) readGroups(n int) []keyed {
	all := make([]keyed, n)
	for i := range all {
		all[i] = keyed{&key{}, &group{}}
	}
	deltas(d, n, d.actors, func(i int, a actor) {
		k := all[i].key
		if k.source, k.principal = a.source, a.principal; a.internal {
			k.flags = internal
		}
	})
	for i := range all {
		p := of(d, d.places)
		k := all[i].key
		k.target, k.route, k.status = p.target, p.route, p.status
	}
	d.column(all, func(g keyed) { g.count = uint32(d.number(mostCount)) })
	d.column(all, func(g keyed) { g.first = uint32(d.number(windowTime/quarter) * quarter) })
	d.column(all, func(g keyed) { g.bytes = d.get() & (1<<50 - 1) })
	d.column(all, func(g keyed) { g.items = d.get() & (1<<40 - 1) })
	counts, hashes := make([]int, n), make([]uint64, n)
	for i := range counts {
		counts[i] = d.number(mostIDs)
	}
	for i := range hashes {
		hashes[i] = d.get()
	}
	for i, g := range all {
		if hashes[i]&1 != 0 {
			g.user = d.uint32()
		}
		if hashes[i]&2 != 0 {
			g.tool = d.uint32()
		}
	}
	for i, g := range all {
		g.ids = make([]uint32, 0, d.bound(counts[i]))
		for range counts[i] {
			if d.failed {
				break
			}
			b := d.bytes(3)
			g.ids = append(g.ids, uint32(b[0])|uint32(b[1])<<8|uint32(b[2])<<16)
		}
	}
	return all
}

func (d *decoder) column(all []keyed, take func(keyed)) {
	for _, g := range all {
		take(g)
	}
}

func (d *decoder) readAttacks(n int) []keyed {
	all := d.readGroups(n)
	d.column(all, func(g keyed) { g.host = of(d, d.texts) })
	d.column(all, func(g keyed) { g.rules = of(d, d.texts) })
	d.column(all, func(g keyed) { g.flags |= flags(d.get()) & (refused | likely) })
	d.column(all, func(g keyed) {
		if g.hits = make([]hit, d.bound(d.number(mostHits))); len(g.hits) == 0 {
			d.fail() // it would be no attack
		}
	})
	d.hits(all, func(h *hit) { h.at = uint32(d.number(windowTime)) })
	d.hits(all, func(h *hit) { h.id = uint32(d.number(1<<24 - 1)) })
	var bits []uint64
	d.hits(all, func(*hit) { bits = append(bits, d.get()) })
	d.hits(all, func(h *hit) {
		if bits[0]&1 != 0 {
			h.values = d.uint32()
		}
		if bits[0]&2 != 0 {
			h.trace = d.uint32()
		}
		bits = bits[1:]
	})
	return all
}

func (d *decoder) hits(all []keyed, take func(*hit)) {
	for _, g := range all {
		for i := range g.hits {
			take(&g.hits[i])
		}
	}
}

func (d *decoder) readSamples(w *window, n int) {
	for range d.bound(n) {
		k := sampleKey{of(d, d.addresses), d.number(1 << 40), d.number(1 << 16)}
		s := sample{at: uint32(d.number(windowTime))}
		for _, text := range [...]*string{&s.alert, &s.method, &s.uri, &s.message, &s.outcome} {
			*text = of(d, d.texts)
		}
		if d.failed {
			return
		}
		w.keep(k, s)
	}
}
