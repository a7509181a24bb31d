package incident

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// A state file is the word stateMagic, the version of its layout, the length and the CRC-32C of what follows, and that compressed with
// gzip: the tables as they are in memory, in little endian, and the rest as JSON. The layout goes with the sizes of the tables and rows:
// whoever changes these raises stateVersion. A file of another version is set aside like a broken one, and detection learns anew.
const (
	stateMagic   = "WAFINC\r\n"
	stateVersion = 3
	stateHead    = len(stateMagic) + 4 + 8 + 4
	mostState    = 64 << 20 // bytes of a state that is unpacked
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// rest is the part of the state that is in no table.
type rest struct {
	Clock     clock
	Next      int64
	Slots     []*active
	Infected  []infection
	Held      []heldState
	Echoes    []echo
	EchoNext  int
	Noise     bucket
	NoiseRef  ref
	Hand      int
	Turned    [2]uint32
	Observed  uint64
	Excluded  uint64
	Echoed    uint64
	Untracked uint64
	Opened    uint64
	Updated   uint64
	Closed    uint64
	Evicted   uint64
	Evictions [6]uint64 // of the tables
	Rejected  [6]uint64
	Stolen    uint64
	Lost      uint64
	HeldCount uint64
	Beside    []byte
}

// heldState is a held attack with names that JSON keeps.
type heldState struct {
	Number uint64
	At     int64
	O      Observation
	Attack Attack
	Sample Sample
}

// tables are all parts of the state that are arrays of numbers.
func (c *Correlator) tables() []any {
	return []any{
		c.known.keys, c.known.used, c.known.rows, c.newcomers.keys, c.newcomers.used, c.newcomers.rows, c.pairs.keys, c.pairs.used, c.pairs.rows,
		c.bulks.keys, c.bulks.used, c.bulks.rows, c.routes.keys, c.routes.used, c.routes.rows, c.targets.keys, c.targets.used, c.targets.rows,
		c.missing.keys, c.missing.used, c.missing.rows, c.habits.keys, c.habits.used, c.habits.rows, c.tools.keys, c.tools.used, c.tools.rows,
		c.door, c.owners, c.edges.current, c.edges.previous, c.forwards.current, c.forwards.previous, c.sketches.All,
	}
}

// counters are kept by the tables that count what they evict and reject.
func (c *Correlator) counters() (evicted, rejected [6]*uint64) {
	return [...]*uint64{&c.known.evicted, &c.newcomers.evicted, &c.pairs.evicted, &c.routes.evicted, &c.tools.evicted, &c.bulks.evicted},
		[...]*uint64{&c.known.rejected, &c.newcomers.rejected, &c.pairs.rejected, &c.routes.rejected, &c.tools.rejected, &c.bulks.rejected}
}

// MarshalBinary returns the state.
func (c *Correlator) MarshalBinary() ([]byte, error) {
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	for _, t := range c.tables() {
		if err := binary.Write(w, binary.LittleEndian, t); err != nil {
			return nil, fmt.Errorf("incident state: %w", err)
		}
	}
	if err := json.NewEncoder(w).Encode(c.rest()); err != nil {
		return nil, fmt.Errorf("incident state: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("incident state: %w", err)
	}
	out := append(make([]byte, 0, stateHead+packed.Len()), stateMagic...)
	out = binary.LittleEndian.AppendUint32(out, stateVersion)
	out = binary.LittleEndian.AppendUint64(out, uint64(packed.Len()))
	out = binary.LittleEndian.AppendUint32(out, crc32.Checksum(packed.Bytes(), castagnoli))
	return append(out, packed.Bytes()...), nil
}

func (c *Correlator) rest() *rest {
	r := &rest{
		Clock: c.clock, Next: c.next, Slots: c.book.slots, Infected: c.infected.all, Echoes: c.echoes.ring[:], EchoNext: c.echoes.next,
		Noise: c.noise, NoiseRef: c.noiseRef, Hand: c.sketches.hand, Turned: [2]uint32{c.edges.turned, c.forwards.turned},
		Observed: c.observed, Excluded: c.excluded, Echoed: c.echoed, Untracked: c.untracked, Opened: c.book.Opened, Updated: c.book.Updated,
		Closed: c.book.Closed, Evicted: c.book.Evicted, Stolen: c.sketches.Stolen, Lost: c.infected.Lost, HeldCount: c.infected.Held,
		Beside: c.Beside,
	}
	evicted, rejected := c.counters()
	for i := range evicted {
		r.Evictions[i], r.Rejected[i] = *evicted[i], *rejected[i]
	}
	for _, h := range c.infected.held {
		r.Held = append(r.Held, heldState{h.number, h.at, h.o, h.attack, h.sample})
	}
	return r
}

// UnmarshalBinary makes a correlator go on where the one stopped that the state is of. After an error the correlator must not be used.
func (c *Correlator) UnmarshalBinary(state []byte) error {
	if len(state) < stateHead || string(state[:len(stateMagic)]) != stateMagic {
		return errors.New("incident state: not a state file")
	}
	head := state[len(stateMagic):]
	if version := binary.LittleEndian.Uint32(head); version != stateVersion {
		return fmt.Errorf("incident state: version %d (expected %d)", version, stateVersion)
	}
	packed := state[stateHead:]
	if size := binary.LittleEndian.Uint64(head[4:]); size != uint64(len(packed)) {
		return fmt.Errorf("incident state: %d bytes (expected %d)", len(packed), size)
	}
	if crc32.Checksum(packed, castagnoli) != binary.LittleEndian.Uint32(head[12:]) {
		return errors.New("incident state: wrong checksum")
	}
	unpacked, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return fmt.Errorf("incident state: %w", err)
	}
	return c.read(io.LimitReader(unpacked, mostState))
}

func (c *Correlator) read(in io.Reader) error {
	for _, t := range c.tables() {
		if err := binary.Read(in, binary.LittleEndian, t); err != nil {
			return fmt.Errorf("incident state: %w", err)
		}
	}
	var r rest
	if err := json.NewDecoder(in).Decode(&r); err != nil {
		return fmt.Errorf("incident state: %w", err)
	}
	if len(r.Slots) > mostActive || len(r.Infected) > mostInfected || len(r.Held) > mostHeld || len(r.Echoes) != mostEchoes {
		return errors.New("incident state: too large")
	}
	c.restore(&r)
	return nil
}

func (c *Correlator) restore(r *rest) {
	c.clock, c.next, c.book.slots, c.infected.all = r.Clock, r.Next, r.Slots, r.Infected
	copy(c.echoes.ring[:], r.Echoes)
	c.echoes.next, c.noise, c.noiseRef = max(0, r.EchoNext), r.Noise, r.NoiseRef
	c.sketches.hand = max(0, r.Hand) % len(c.sketches.All)
	c.edges.turned, c.forwards.turned = r.Turned[0], r.Turned[1]
	c.observed, c.excluded, c.echoed, c.untracked = r.Observed, r.Excluded, r.Echoed, r.Untracked
	c.book.Opened, c.book.Updated, c.book.Closed, c.book.Evicted = r.Opened, r.Updated, r.Closed, r.Evicted
	c.sketches.Stolen, c.infected.Lost, c.infected.Held = r.Stolen, r.Lost, r.HeldCount
	c.Beside = r.Beside
	evicted, rejected := c.counters()
	for i := range evicted {
		*evicted[i], *rejected[i] = r.Evictions[i], r.Rejected[i]
	}
	c.infected.held = nil
	for i := range r.Held {
		h := &held{number: r.Held[i].Number, at: r.Held[i].At, o: r.Held[i].O, attack: r.Held[i].Attack, sample: r.Held[i].Sample}
		h.link()
		c.infected.held = append(c.infected.held, h)
	}
	c.infected.all = withHops(c.infected.all)
	c.repair()
}

// withHops drops infections without a chain, which no correlator writes.
func withHops(all []infection) (kept []infection) {
	for _, in := range all {
		if len(in.Hops) > 0 {
			kept = append(kept, in)
		}
	}
	return kept
}

// repair bounds the counts of rows that other counts and slices are indexed by: a state that was made by someone else must not panic.
func (c *Correlator) repair() {
	for _, rows := range [][]source{c.known.rows, c.newcomers.rows} {
		for i := range rows {
			s := &rows[i]
			bound(&s.RuleCount, len(s.Rules))
			bound(&s.MixCount, len(s.Mixes))
			bound(&s.RouteCount, len(s.Routes))
			bound(&s.PrincipalCount, len(s.Principals))
		}
	}
	for i := range c.routes.rows {
		r := &c.routes.rows[i]
		bound(&r.StufferCount, len(r.Stuffers))
	}
	for i := range c.missing.rows {
		bound(&c.missing.rows[i].Count, len(missing{}.Sources))
	}
	for i := range c.habits.rows {
		bound(&c.habits.rows[i].Count, len(habit{}.Sources))
	}
	for i := range c.tools.rows {
		t := &c.tools.rows[i]
		bound(&t.SourceCount, len(t.Sources))
		bound(&t.MisserCount, len(t.Missers))
		for n := range t.Sources {
			t.Sources[n].repair()
		}
	}
	for i := range c.pairs.rows {
		p := &c.pairs.rows[i]
		p.Short.IDs.N, p.Slow.IDs.N = min(p.Short.IDs.N, exact), min(p.Slow.IDs.N, exact)
	}
}

func bound(n *uint8, most int) { *n = min(*n, uint8(most)) }

func (n *name) repair() { bound(&n.Size, len(n.Text)) }
