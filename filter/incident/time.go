package incident

import (
	"math"
	"time"
)

// How far records may be from each other in time.
const (
	disorder = 60_000         // milliseconds that a record may be late
	patience = 20_000         // milliseconds that an attack waits for the record of which it may be an echo
	leap     = 3_600_000      // milliseconds by which one record alone may move the clock ahead
	absurd   = 7 * 86_400_000 // milliseconds from which one record alone counts as of now
	agreeing = 4              // records in a row, of several targets, that move it further
	alone    = 24             // such records when all are of one target, which may be all there is
	backward = 64             // records in a row that move it back
	longAgo  = math.MaxUint32 // seconds since what was never, or is in a future that did not come
)

// clock follows the time of events: it runs ahead with them, and neither back nor far ahead because of single ones.
type clock struct {
	Start int64 // time of the first record
	Now   int64 // the latest time that is believed

	Candidate int64  // time of a record that is far from Now
	Agree     int    // records in a row that confirm it
	Target    uint64 // of the last of these
	Several   bool   // those records are of several targets: a host with a wrong clock logs its own

	Late, Ahead uint64
}

// at returns the time at which a record about a target counts: its own, unless it is late.
func (c *clock) at(t int64, target string) int64 {
	switch {
	case c.Now == 0:
		c.Start, c.Now = t, t
	case t > c.Now+leap:
		c.Ahead++
		if c.confirmed(t, target, alone) {
			c.Now = t
		} else if t > c.Now+absurd { // a wrong clock, or a time that could not be read
			return c.Now
		}
	case t >= c.Now:
		c.Now, c.Agree = t, 0
	case t >= c.Now-disorder:
		c.Agree = 0
	default:
		c.Late++
		if c.confirmed(t, "", backward) {
			c.Start, c.Now = min(c.Start, t), t
		}
		return max(t, c.Now-disorder)
	}
	return t
}

// confirmed reports whether enough records in a row are about as far from the clock as this one: agreeing of several targets, or so many.
func (c *clock) confirmed(t int64, target string, many int) bool {
	if c.Agree > 0 && (t < c.Candidate-disorder || t < c.Now != (c.Candidate < c.Now)) {
		c.Agree = 0
	}
	key := hash(target)
	c.Several = c.Agree > 0 && (c.Several || key != c.Target)
	c.Candidate, c.Target = t, key
	if c.Agree++; c.Agree < agreeing || !c.Several && c.Agree < many {
		return false
	}
	c.Agree = 0
	return true
}

// learning reports whether baselines are too young to be relied on.
func (c *clock) learning(period time.Duration) bool { return c.Now-c.Start < period.Milliseconds() }

// passed returns the seconds from then to now: none when then is a little later, for records are not in order, and longAgo when it is
// later by more than that can explain.
func passed(now, then uint32) uint32 {
	switch {
	case then == 0:
		return longAgo
	case now >= then:
		return now - then
	case then-now > leap/1000:
		return longAgo
	}
	return 0
}

func seconds(d time.Duration) uint32 { return uint32(d / time.Second) }
