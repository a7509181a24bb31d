package incident

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// mostActive is how many incidents may be open at a time.
const mostActive = 256

// ref names an open incident; it is not valid any more when that has been closed.
type ref uint32

const slotBits = 10

// active is an open incident.
type active struct {
	Incident
	Generation uint32
	Taken      bool
	Changed    bool
	Told       int64 // time of the last event about it
	ToldAs     Severity
	Sources    [registers]uint8 // sketch of its sources
	Targets    [registers]uint8
	Hostile    int64 // time of the last record that keeps it open
	Entered    int   // successes of strangers while credentials are refused
	Unlisted   int   // how many sources it had before their names were listed

	Connections []connection // first ones of targets that were attacked
	Following   int          // requests over these, later
}

// book keeps the open incidents and writes the events about them.
type book struct {
	slots  []*active
	events []*Incident

	Opened, Updated, Closed, Evicted uint64
}

// at returns the incident that a ref names, nil when it is closed.
func (b *book) at(r ref) *active {
	if r == 0 {
		return nil
	}
	slot := int(r & (1<<slotBits - 1))
	if slot >= len(b.slots) {
		return nil
	}
	if a := b.slots[slot]; a != nil && a.Taken && a.Generation == uint32(r>>slotBits) {
		return a
	}
	return nil
}

func (b *book) ref(slot int) ref { return ref(slot) | ref(b.slots[slot].Generation<<slotBits) }

// open returns a new incident.
func (b *book) open(kind Kind, source, target string, now int64) (*active, ref) {
	slot := b.free()
	generation := uint32(1)
	if b.slots[slot] != nil {
		generation = (b.slots[slot].Generation + 1) & (1<<(32-slotBits) - 1)
	}
	a := &active{Generation: max(1, generation), Taken: true, Hostile: now}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%s\x00%d", kind, source, target, now))
	a.Incident = Incident{ID: hex.EncodeToString(sum[:8]), First: now, Last: now, Opened: now}
	b.slots[slot] = a
	return a, b.ref(slot)
}

// free returns a free slot. When there is none, the least severe incident that has been quiet longest is closed.
func (b *book) free() int {
	for slot, a := range b.slots {
		if a == nil || !a.Taken {
			return slot
		}
	}
	if len(b.slots) < mostActive {
		b.slots = append(b.slots, nil)
		return len(b.slots) - 1
	}
	worst := 0
	for slot, a := range b.slots {
		if w := b.slots[worst]; a.Severity < w.Severity || a.Severity == w.Severity && a.Hostile < w.Hostile {
			worst = slot
		}
	}
	b.Evicted++
	b.close(b.slots[worst])
	return worst
}

// close closes an incident, which the next one may replace.
func (b *book) close(a *active) {
	if a.Status == "" { // nobody knows of it yet
		b.settle(a, a.Last, 0)
	}
	a.Status, a.Taken = Closed, false
	b.Closed++
	b.tell(a)
}

// tell writes an event about an incident as it stands.
func (b *book) tell(a *active) {
	a.SourceSeen = max(len(a.Incident.Sources), int(estimate(&a.Sources)+0.5))
	a.TargetSeen = max(len(a.Incident.Targets), int(estimate(&a.Targets)+0.5))
	if len(a.Incident.Sources) < mostSources { // then they are all
		a.SourceSeen = max(len(a.Incident.Sources), a.Unlisted)
	}
	if len(a.Incident.Targets) < mostTargets {
		a.TargetSeen = len(a.Incident.Targets)
	}
	if a.Kinds[0] == Enumeration { // which opened it with all of its requests
		a.IDs = min(a.IDs, a.Records) // an estimate
	}
	a.Events++
	a.Summary = a.sentence()
	b.events = append(b.events, a.copied())
}

// settle writes what is to be told of an incident after a record: that it is open, that it is worse, or, at times, that it goes on.
func (b *book) settle(a *active, now, every int64) {
	switch {
	case a.Status == "":
		a.Status = Open
		b.Opened++
	case a.Severity > a.ToldAs || a.Changed && now-a.Told >= every:
		a.Status = Update
		b.Updated++
	default:
		return
	}
	a.Told, a.ToldAs, a.Changed = now, a.Severity, false
	b.tell(a)
}

// sweep closes the incidents that have been quiet for the gap, and reports those that have changed.
func (b *book) sweep(now, gap, every int64) {
	for _, a := range b.slots {
		switch {
		case a == nil || !a.Taken:
		case now-a.Hostile >= gap:
			b.close(a)
		default:
			b.settle(a, now, every)
		}
	}
}

// countSource counts a record of a source.
func (a *active) countSource(name string, key uint64) {
	count(&a.Incident.Sources, name, mostSources)
	mark(&a.Sources, key)
}

// countTarget counts a record of a target.
func (a *active) countTarget(name string, key uint64) {
	count(&a.Incident.Targets, name, mostTargets)
	mark(&a.Targets, key)
}

// mentionTarget lists a target without a record of its own.
func (a *active) mentionTarget(name string, key uint64) {
	mention(&a.Incident.Targets, name, mostTargets)
	mark(&a.Targets, key)
}

// mark adds a hash to a sketch.
func mark(all *[registers]uint8, h uint64) {
	s := sketch{Registers: *all}
	s.add(spread(h))
	*all = s.Registers
}
