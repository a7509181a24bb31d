package digest

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/incident"
)

// Bounds of a Merger.
const (
	mostNodes  = 4096    // runs of nodes that are remembered
	mostGroups = 1 << 19 // of windows that wait
	farAhead   = 360     // windows by which one digest alone may move the time ahead
	agreeing   = 4       // digests in a row that move it further
	numbers    = 64      // of the last digests of a node that are distinguished
)

// Counts are what a Merger has done.
type Counts struct {
	Digests  uint64 `json:"digests"`
	Records  uint64 `json:"records"`  // that they sum up
	Repeated uint64 `json:"repeated"` // digests that had come before
	Late     uint64 `json:"late"`     // windows that came after others had been decided on
	Nodes    int    `json:"-"`        // runs of nodes
}

// Merger joins the digests of nodes and gives their content to a correlator. It is not safe for concurrent use.
type Merger struct {
	correlator *incident.Correlator
	salt       []byte
	wait       time.Duration

	windows map[int64]*window
	groups  int
	newest  int64 // the latest window of any digest
	done    int64 // the latest window that was given to the correlator
	ahead   int
	nodes   map[uint64]*node
	streams []*stream
	turn    uint64 // counts digests
	came    time.Time
	counts  Counts
}

// node is a run of a node.
type node struct {
	Latest uint64 // number of its latest digest
	Seen   uint64 // bits of those before, the latest in the lowest
	Turn   uint64 // of its last digest
}

// NewMerger returns a merger. wait is how long it waits for the digests of other nodes; the salt is that of incident_rules.
func NewMerger(c *incident.Correlator, salt string, wait time.Duration) *Merger {
	m := &Merger{correlator: c, salt: []byte(salt), wait: wait, windows: map[int64]*window{}, nodes: map[uint64]*node{}}
	m.restore(c.Beside)
	return m
}

// Merge takes a digest, and returns the events about incidents of what it completes.
func (m *Merger) Merge(digest []byte, now time.Time) (events []*incident.Incident, err error) {
	name, packed, err := verify(digest, m.salt)
	if err != nil {
		return nil, err
	}
	if m.isKnown(name, now) {
		m.counts.Repeated++
		return m.closeComplete(now), nil
	}
	content, err := expand(packed)
	if err != nil {
		return nil, err
	}
	windows, err := decode(content)
	if err != nil {
		return nil, err
	}
	m.note(name, now)
	m.counts.Digests++
	if len(windows) > 0 {
		m.came = now
	}
	for _, at := range slices.Sorted(maps.Keys(windows)) {
		m.counts.Records += uint64(windows[at].records())
		m.advance(at)
		m.reach(name, at, now)
		if m.done > 0 && at <= m.done || at > m.newest {
			m.counts.Late++
			events = append(events, m.observe(at, windows[at])...)
			continue
		}
		m.put(at, windows[at])
	}
	return append(events, m.closeComplete(now)...), nil
}

// reach notes that records of a window came from a partition.
func (m *Merger) reach(name head, at int64, now time.Time) {
	if s := name.span; s != nil && at <= m.newest {
		p := m.stream(s, now).Partitions[s.Partition]
		p.Newest = max(p.Newest, at)
	}
}

// closeComplete gives the windows to the correlator for which no more digests are awaited.
func (m *Merger) closeComplete(now time.Time) []*incident.Incident {
	return m.close(min(m.newest, m.watermark(now)) - int64(m.wait/(windowTime*time.Millisecond)))
}

// advance moves the time ahead. A node whose clock is far ahead of others does not.
func (m *Merger) advance(at int64) {
	switch {
	case m.newest == 0 || at > m.newest && at <= m.newest+farAhead:
		m.newest, m.ahead = at, 0
	case at <= m.newest:
		m.ahead = 0
	default:
		if m.ahead++; m.ahead >= agreeing {
			m.newest, m.ahead = at, 0
		}
	}
}

func (m *Merger) put(at int64, w *window) {
	mine := m.windows[at]
	if mine == nil {
		mine = newWindow()
		m.windows[at] = mine
	}
	m.groups -= len(mine.groups)
	mine.join(w)
	m.groups += len(mine.groups)
}

// close gives the windows up to one to the correlator, and more when too much waits.
func (m *Merger) close(until int64) (events []*incident.Incident) {
	for _, at := range slices.Sorted(maps.Keys(m.windows)) {
		if at > until && m.groups <= mostGroups {
			break
		}
		w := m.windows[at]
		delete(m.windows, at)
		m.groups -= len(w.groups)
		m.done = max(m.done, at)
		events = append(events, m.observe(at, w)...)
	}
	return events
}

func (m *Merger) observe(at int64, w *window) (events []*incident.Incident) {
	w.each(at*windowTime, func(o *incident.Observation) { events = append(events, m.correlator.Observe(o).Events...) })
	return events
}

// Due returns the events of what waits for digests that do not come: nothing came from any node for some time.
func (m *Merger) Due(now time.Time) []*incident.Incident {
	if len(m.windows) == 0 || now.Sub(m.came) < m.wait {
		return nil
	}
	return m.close(min(m.newest, m.watermark(now)))
}

// Flush decides on everything that waits: no more digests will come.
func (m *Merger) Flush() []*incident.Incident { return m.close(m.newest) }

// Correlator returns the correlator that gets what nodes have observed.
func (m *Merger) Correlator() *incident.Correlator { return m.correlator }

// Writer returns a writer whose digests the merger takes.
func (m *Merger) Writer() *Writer { return NewWriter(string(m.salt), m.wait) }

// Counts returns the counters as they stand.
func (m *Merger) Counts() Counts {
	n := m.counts
	n.Nodes = len(m.nodes)
	return n
}

// isKnown reports whether a digest came before. One that is much older than the latest of its node counts as known.
func (m *Merger) isKnown(name head, now time.Time) bool {
	if s := name.span; s != nil {
		p := m.stream(s, now).Partitions[s.Partition]
		p.came, p.Read = now, max(p.Read, s.Read)
		return s.From < s.To && p.covers(s)
	}
	n := m.nodes[name.node]
	switch {
	case n == nil || name.number > n.Latest:
		return false
	case n.Latest-name.number >= numbers:
		return true
	}
	return n.Seen>>(n.Latest-name.number)&1 == 1
}

func (m *Merger) note(name head, now time.Time) {
	if s := name.span; s != nil {
		m.stream(s, now).Partitions[s.Partition].cover(s)
		return
	}
	n := m.nodes[name.node]
	if n == nil {
		m.forget()
		n = &node{Latest: name.number}
		m.nodes[name.node] = n
	}
	if name.number > n.Latest {
		n.Seen <<= min(name.number-n.Latest, numbers)
		n.Latest = name.number
	}
	n.Seen |= 1 << (n.Latest - name.number)
	m.turn++
	n.Turn = m.turn
}

// forget makes room for another run of a node: that of the one that was silent for longest.
func (m *Merger) forget() {
	if len(m.nodes) < mostNodes {
		return
	}
	delete(m.nodes, slices.MinFunc(slices.Collect(maps.Keys(m.nodes)), func(a, b uint64) int { return cmp.Compare(m.nodes[a].Turn, m.nodes[b].Turn) }))
}
