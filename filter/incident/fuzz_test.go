package incident

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

// observations reads what a fuzzer makes up: few sources and targets, which are each other, and times that jump.
type observations struct {
	data []byte
	at   int64
}

func (o *observations) byte() byte {
	if len(o.data) == 0 {
		return 0
	}
	b := o.data[0]
	o.data = o.data[1:]
	return b
}

func (o *observations) next() *Observation {
	switch jump := o.byte(); {
	case jump < 200:
		o.at += int64(jump) * int64(jump)
	case jump < 230:
		o.at -= int64(jump) * 300
	case jump < 240:
		o.at += int64(jump) * oneDay
	case jump < 250:
		o.at -= int64(jump) * oneDay
	case jump == 250:
		o.at = -o.at
	case jump == 251:
		o.at = 1<<62 - 1
	default:
		o.at = epoch
	}
	names := []string{"10.0.0.1", "10.0.0.2", "10.0.0.3", "ns/a", "ns/b", "192.0.2.1", "192.0.2.2", ""}
	paths := []string{"/", "/a/%d", "/x%dy", "/login", "//", "", "/?id=%d", "http://h/%d", "/\xff%d"}
	flags, who, what := o.byte(), o.byte(), o.byte()
	v := &Observation{Time: o.at, Source: names[who&7], Target: names[who>>3&7], TargetHost: names[what&7], Method: []string{"GET", "POST"}[who>>6&1]}
	v.Internal, v.Principal, v.User = flags&1 == 1, uint64(flags>>1&3), uint64(flags>>3&1)
	v.Path = paths[int(what>>3)%len(paths)]
	if bytes.Contains([]byte(v.Path), []byte("%d")) {
		v.Path = fmt.Sprintf(v.Path, int(o.byte())<<8|int(o.byte()))
	}
	v.Status = []int{0, 200, 200, 301, 401, 403, 404, 500}[flags>>4&7]
	v.Bytes, v.Items = int64(o.byte())<<20, int(o.byte())
	if kind := o.byte(); kind&3 == 0 {
		v.Attack = alarm(942100+int(kind), uint64(o.byte()))
		v.Attack.Likely, v.Attack.Refused = kind&4 != 0, kind&8 != 0
	}
	return v
}

// checker demands of the events about an incident what receivers rely on.
type checker struct {
	t    *testing.T
	seen map[string]Status
}

func (c *checker) take(events []*Incident) {
	for _, e := range events {
		before, known := c.seen[e.ID]
		require.Equal(c.t, e.Status == Open, !known, "every incident is opened once")
		require.NotEqual(c.t, Closed, before, "nothing follows the end")
		c.seen[e.ID] = e.Status
		require.LessOrEqual(c.t, e.First, e.Last)
		require.NotEmpty(c.t, e.Kinds)
		require.NotEmpty(c.t, e.Findings)
		require.NotEmpty(c.t, e.Reason)
		require.NotEmpty(c.t, e.Summary)
		require.LessOrEqual(c.t, len(e.Hops), 8)
		require.LessOrEqual(c.t, len(e.Sources), mostSources)
		if e.Has(Pivot) {
			require.GreaterOrEqual(c.t, len(e.Hops), 2)
		}
	}
}

func FuzzCorrelator(f *testing.F) {
	f.Add([]byte("some observations of no particular kind, one after the other, and then some more of them"))
	f.Add(bytes.Repeat([]byte{10, 0x21, 0x0b, 0x13, 0, 1, 2, 0, 7}, 200))
	f.Add(bytes.Repeat([]byte{30, 0x10, 0x02, 0x0d, 0, 1, 2, 0, 9, 30, 0x11, 0x1a, 0x0c, 0, 1, 4, 0}, 100))
	f.Add(bytes.Repeat([]byte{251, 0x21, 0x0b, 0x13, 0, 1, 2, 0, 7, 252, 0x21, 0x0b, 0x13, 0, 1, 2, 0, 7}, 50))
	shared := New(Options{})
	f.Fuzz(func(t *testing.T, data []byte) {
		shared.reset()
		check := checker{t, map[string]Status{}}
		for o := (observations{data: data, at: epoch}); len(o.data) > 0; {
			check.take(shared.Observe(o.next()).Events)
		}
		check.take(shared.Flush())
		for id, status := range check.seen {
			require.Equal(t, Closed, status, id)
		}
	})
}

// reset makes a correlator forget what the few observations of a fuzzer leave in it, which is quicker than a new one.
func (c *Correlator) reset() {
	forget(c.known)
	forget(c.newcomers)
	forget(c.pairs)
	forget(c.bulks)
	forget(c.routes)
	forget(c.targets)
	forget(c.missing)
	forget(c.habits)
	forget(c.tools)
	clear(c.door)
	clear(c.sketches.All)
	clear(c.owners)
	for _, m := range []memory{c.edges, c.forwards} {
		clear(m.current)
		clear(m.previous)
	}
	c.edges.turned, c.forwards.turned = 0, 0
	*c = Correlator{
		rules: c.rules, paths: c.paths, known: c.known, newcomers: c.newcomers, pairs: c.pairs, bulks: c.bulks, routes: c.routes, targets: c.targets,
		missing: c.missing, habits: c.habits, tools: c.tools, door: c.door, owners: c.owners, sketches: sketches{All: c.sketches.All}, edges: c.edges,
		forwards: c.forwards,
	}
}

func forget[T any](t *table[T]) {
	var empty T
	for i, key := range t.keys {
		if key != 0 {
			t.keys[i], t.used[i], t.rows[i] = 0, 0, empty
		}
	}
}

// A state that someone has made up, with a right checksum, may give wrong incidents, but no panic.
func FuzzState(f *testing.F) {
	w, c := newWeek(1, 1, 1), New(Options{})
	n := 0
	w.each(func(o *Observation, _ int) {
		if n++; n < 20_000 {
			c.Observe(o)
		}
	})
	var raw bytes.Buffer
	for _, t := range c.tables() {
		require.NoError(f, binary.Write(&raw, binary.LittleEndian, t))
	}
	tables := raw.Len()
	_, err := raw.Write([]byte("{}"))
	require.NoError(f, err)
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, []byte(`{"Clock":{"Now":1760000000000,"Start":1},"Slots":[null],"Infected":[{"Key":3}],"Held":[{}]}`))
	f.Add([]byte{}, []byte(`{"Slots":[{"Taken":true,"Generation":1}],"EchoNext":-5,"Hand":-1}`))
	f.Fuzz(func(t *testing.T, changes, rest []byte) {
		state := bytes.Clone(raw.Bytes()[:tables])
		for ; len(changes) > 5; changes = changes[6:] {
			at := int(binary.LittleEndian.Uint32(changes)) % tables
			for i := range 64 { // a few in a row hit counts of many rows
				state[(at+i)%tables] = changes[4] ^ byte(i)*changes[5]
			}
		}
		c := New(Options{})
		if err := c.read(io.MultiReader(bytes.NewReader(state), bytes.NewReader(rest))); err != nil {
			return
		}
		o := observations{data: bytes.Repeat([]byte{10, 0x21, 0x0b, 0x13, 0, 1, 2, 0, 7, 30, 0x10, 0x02, 0x0d, 0, 1, 2, 0, 9, 30, 0x11}, 20), at: epoch}
		for len(o.data) > 0 {
			c.Observe(o.next())
		}
		_, err := c.MarshalBinary()
		require.NoError(t, err)
		c.Flush()
	})
}
