package top

import "time"

// window is the time over which rates are taken.
const window = time.Minute

// history keeps the counts of a window, for rates.
type history struct {
	points []point
}

// point is the counts of one reading.
type point struct {
	at      time.Time
	counts  map[key]uint64
	least   map[string]uint64 // by group: a name without a count has at most this one
	started bool              // no reading, but the start of counting
}

type key struct{ group, name string }

// Groups of counts besides the lists, which are groups by their titles.
const (
	ofRecords = "records"
	ofAlerts  = "alerts"
	ofLevels  = "levels"
	ofEnds    = "ends"
	ofMissed  = "missed"
)

func (h *history) add(r *Reading) {
	p := point{at: r.At, counts: map[key]uint64{{ofAlerts, ""}: r.Alerts, {ofRecords, ""}: sum(r.Records)}, least: map[string]uint64{}}
	for group, counts := range map[string][]Count{ofRecords: r.Records, ofLevels: r.Levels, ofEnds: r.Ends, ofMissed: r.Missed} {
		for _, c := range counts {
			p.counts[key{group, c.Name}] = c.N
		}
	}
	for _, l := range r.Lists {
		p.least[l.Title] = l.Least
		for _, row := range l.Rows {
			p.counts[key{l.Title, row.Name}] = row.N
		}
	}
	if len(h.points) == 0 && !r.Since.IsZero() && r.Since.Before(r.At) {
		h.points = append(h.points, point{at: r.Since, started: true})
	}
	h.points = append(h.points, p)
	for len(h.points) > 2 && (h.points[0].started || r.At.Sub(h.points[1].at) >= window) {
		h.points = append(h.points[:0], h.points[1:]...)
	}
}

// span returns the time over which rates are taken, 0 when there are none yet.
func (h *history) span() time.Duration {
	if len(h.points) < 2 {
		return 0
	}
	return h.points[len(h.points)-1].at.Sub(h.points[0].at)
}

// rate returns a count per second.
func (h *history) rate(group, name string) float64 {
	span := h.span()
	if span <= 0 {
		return 0
	}
	first, last := &h.points[0], &h.points[len(h.points)-1]
	return float64(last.more(first, key{group, name})) / span.Seconds()
}

// more returns by how much a count has grown since an earlier point. A count that has shrunk began anew.
func (p *point) more(since *point, k key) uint64 {
	n := p.counts[k]
	before, known := since.counts[k]
	if !known {
		before = since.least[k.group]
	}
	if n < before {
		if known {
			return n
		}
		return 0
	}
	return n - before
}

// bars returns the alerts between the readings of the window.
func (h *history) bars() (bars []uint64) {
	for i := 1; i < len(h.points); i++ {
		if !h.points[i-1].started {
			bars = append(bars, h.points[i].more(&h.points[i-1], key{ofAlerts, ""}))
		}
	}
	return bars
}
