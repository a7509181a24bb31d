package incident

import "unsafe"

// Counts are what a correlator has done, and what it had no room for.
type Counts struct {
	Observed uint64 // observations
	Late     uint64 // of these, older than the time that records may be late
	Ahead    uint64 // of these, so far ahead that the clock did not follow at once
	Echoes   uint64 // attacks that were seen before on their way

	Opened, Updated, Closed uint64 // incidents
	Excluded                uint64 // findings that an exclusion kept from opening one
	Open                    int    // incidents that are open

	EvictedIncidents uint64 // closed early to make room
	EvictedSources   uint64
	EvictedActors    uint64 // actors on a route
	EvictedRoutes    uint64
	EvictedTools     uint64
	EvictedSketches  uint64 // sets of ids that are counted anew
	EvictedTargets   uint64 // targets that were attacked, for pivots
	Untracked        uint64 // observations of sources, and others, for which there was no room
}

// Counts returns the counters as they stand.
func (c *Correlator) Counts() Counts {
	n := Counts{
		Observed: c.observed, Late: c.clock.Late, Ahead: c.clock.Ahead, Echoes: c.echoed,
		Opened: c.book.Opened, Updated: c.book.Updated, Closed: c.book.Closed, Excluded: c.excluded,
		EvictedIncidents: c.book.Evicted, EvictedSources: c.known.evicted + c.newcomers.evicted, EvictedActors: c.pairs.evicted,
		EvictedRoutes: c.routes.evicted, EvictedTools: c.tools.evicted, EvictedSketches: c.sketches.Stolen, EvictedTargets: c.infected.Lost,
		Untracked: c.untracked + c.pairs.rejected + c.routes.rejected,
	}
	for _, a := range c.book.slots {
		if a != nil && a.Taken {
			n.Open++
		}
	}
	return n
}

// size returns the bytes of a table.
func (t *table[T]) size() int {
	var row T
	return len(t.rows) * (int(unsafe.Sizeof(row)) + 8 + 4)
}

// Size returns the bytes that the tables of a correlator take, without the incidents that are open.
func (c *Correlator) Size() int {
	n := c.known.size() + c.newcomers.size() + c.pairs.size() + c.bulks.size() + c.routes.size() + c.targets.size() + c.missing.size() +
		c.habits.size() + c.tools.size()
	n += 4*len(c.door) + 8*len(c.owners) + 8*2*(len(c.edges.current)+len(c.forwards.current))
	n += len(c.sketches.All)*int(unsafe.Sizeof(sketch{})) + int(unsafe.Sizeof(*c))
	return n + mostInfected*int(unsafe.Sizeof(infection{})) + mostHeld*int(unsafe.Sizeof(held{}))
}
