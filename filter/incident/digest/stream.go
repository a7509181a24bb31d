package digest

import (
	"math"
	"slices"
	"time"
)

const (
	// patience is how long a partition may be silent before windows are decided on without it. It outlasts what a consumer group takes to
	// notice that a member is gone and to hand its partitions over, twice.
	patience = 5 * time.Minute

	mostStreams = 64 // that are remembered
	mostCovered = 64 // parts of a partition, with gaps between them
)

// stream is what a merger knows of a stream with partitions.
type stream struct {
	ID         uint64       `json:"id"`
	Partitions []*partition `json:"partitions"`
	came       time.Time    // its last digest
}

// partition is how far digests have come.
type partition struct {
	Covered []covered `json:"covered,omitempty"` // in order, with gaps between them
	Newest  int64     `json:"newest,omitempty"`  // the latest window of its records
	Read    int64     `json:"read,omitempty"`    // the latest time at which its end was reached, in milliseconds
	came    time.Time // its last digest
}

// covered are positions of a partition whose digests came.
type covered struct{ From, To uint64 }

// stream returns what is known of a stream, with as many partitions as it has.
func (m *Merger) stream(s *Span, now time.Time) *stream {
	i := slices.IndexFunc(m.streams, func(known *stream) bool { return known.ID == s.Stream })
	if i < 0 {
		if len(m.streams) == mostStreams {
			silent := slices.MinFunc(m.streams, func(a, b *stream) int { return a.came.Compare(b.came) })
			m.streams = slices.DeleteFunc(m.streams, func(known *stream) bool { return known == silent })
		}
		i = len(m.streams)
		m.streams = append(m.streams, &stream{ID: s.Stream})
	}
	known := m.streams[i]
	known.came = now
	for len(known.Partitions) < int(s.Partitions) {
		known.Partitions = append(known.Partitions, &partition{came: now})
	}
	return known
}

// covers reports whether all records of a span came before.
func (p *partition) covers(s *Span) bool {
	return slices.ContainsFunc(p.Covered, func(c covered) bool { return c.From <= s.From && s.To <= c.To })
}

// cover notes that the records of a span came.
func (p *partition) cover(s *Span) {
	if s.From == s.To {
		return
	}
	added := covered{s.From, s.To}
	p.Covered = slices.DeleteFunc(p.Covered, func(c covered) bool {
		if c.To < added.From || added.To < c.From {
			return false
		}
		added = covered{min(added.From, c.From), max(added.To, c.To)}
		return true
	})
	at, _ := slices.BinarySearchFunc(p.Covered, added.From, func(c covered, from uint64) int {
		if c.From < from {
			return -1
		}
		return 1
	})
	p.Covered = slices.Insert(p.Covered, at, added)
	if len(p.Covered) > mostCovered { // the oldest gap will not be filled any more
		p.Covered[1].From = p.Covered[0].From
		p.Covered = slices.Delete(p.Covered, 0, 1)
	}
}

// watermark returns the latest window up to which all partitions were read. Those that are silent for long do not count.
func (m *Merger) watermark(now time.Time) int64 {
	least := int64(math.MaxInt64)
	for _, s := range m.streams {
		for _, p := range s.Partitions {
			if now.Sub(p.came) < patience {
				least = min(least, max(p.Newest, p.Read/windowTime))
			}
		}
	}
	return least
}
