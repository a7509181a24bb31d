package receive

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/intake"
)

// connections are the open TCP connections of a receiver. They share the memory for lines that are not complete, so that senders
// cannot claim it by sending lines without an end.
//
// Each has a first buffer for itself. What longer lines need comes from a common part, and where that is in use, one connection at a
// time may finish its line with a reserve, in which the longest fits: so lines that are sent go on, one after the other, and first
// those of addresses that hold little. Who keeps others waiting pays: of the connections that have been sending a line for longer than
// grace, or of all once no long line has been completed for so long, one of the address that holds the most is closed. When places
// run out, it is the longest silent one of the address with the most connections. Those whose lines are complete are never closed:
// they wait for the pipeline, and others for them.
type connections struct {
	counters     *counters
	most         int   // connections
	mostOfSource int   // of one address
	common       int64 // bytes beyond first buffers
	reserve      int64 // more of them for one connection
	idle         time.Duration
	grace        time.Duration

	mu       sync.Mutex
	changed  sync.Cond // memory has been given back, or somebody is to look again
	open     map[*connection]struct{}
	bySource map[netip.Addr]*source
	held     int64       // bytes of all buffers
	beyond   int64       // the part of them that is beyond first buffers
	whole    int64       // the part of these that is for complete lines
	leaving  int64       // the part of these that connections have which were closed, and give back at once
	favored  *connection // has the reserve; nil while that is not in use
	moved    time.Time   // when a long line was last completed
	looked   time.Time   // for a connection to close, in vain
	waiting  map[*connection]struct{}
	over     bool // the end has come
}

// source is what one address has.
type source struct {
	connections int
	beyond      int64 // bytes beyond first buffers
}

// connection is one TCP connection. Its goroutine reads, and others may end it.
type connection struct {
	net.Conn
	from   netip.Addr
	group  *connections
	lines  *intake.Lines
	source *source

	// What follows is guarded by the group's mutex.
	held       int64     // bytes of the buffer
	unfinished bool      // there is a part of a line in it
	whole      bool      // complete lines are being decoded, or wait for room in the queue
	since      time.Time // when the last line was complete, or when it connected
	grown      time.Time // when the line outgrew the first buffer
	deadline   time.Time // for reading
	ended      bool      // closed before its sender did
	gone       bool      // it is not among the open ones any more
}

const (
	// connectionShare is the part of the queue's limit that is for connections.
	connectionShare = 4
	// extraShare is the part of the common memory up to which buffers may be larger than lines need, for fewer reads.
	extraShare = 4
	// grace is how long a line may keep others from memory.
	grace = time.Second
	// settled is how long a connection is silent at least before it makes place for a new one of an address that has as many.
	settled = time.Minute
)

// connectionMemory is what connections may hold together: a quarter of the queue's limit, and at least a first buffer for each, the
// longest line, and a little for others.
func connectionMemory(s *Settings) (all, common, reserve int64) {
	first, longest := int64(s.Connections)*intake.FirstBuffer, int64(intake.MostMemory(s.MaxMessage))
	all = max(s.QueueLimit/connectionShare, first+longest+16*intake.SharedRead)
	return all, all - first - longest, longest
}

func newConnections(s *Settings, c *counters) *connections {
	_, common, reserve := connectionMemory(s)
	g := &connections{
		counters: c, most: s.Connections, mostOfSource: s.SourceConnections, common: common, reserve: reserve, idle: s.IdleTimeout,
		grace: grace, open: map[*connection]struct{}{}, bySource: map[netip.Addr]*source{},
		waiting: map[*connection]struct{}{},
	}
	g.changed.L = &g.mu
	return g
}

// refusal is why a connection is not admitted.
type refusal string

const (
	refusedSource refusal = "its address has source_connections open"
	refusedFull   refusal = "max_connections are open, and none can be closed"
	refusedEnd    refusal = "shutting down"
)

// admit takes a connection in, or tells why it does not.
func (g *connections) admit(conn net.Conn, from netip.Addr, maxLine int) (*connection, refusal) {
	g.mu.Lock()
	defer g.mu.Unlock()
	of := g.bySource[from]
	if of == nil {
		of = &source{}
	}
	switch {
	case g.over:
		return nil, refusedEnd
	case of.connections >= g.mostOfSource:
		return nil, refusedSource
	case len(g.open) >= g.most && !g.makePlace(of.connections):
		return nil, refusedFull
	}
	c := &connection{Conn: conn, from: from, source: of, group: g, since: time.Now()}
	c.lines = intake.NewBoundedLines(c, maxLine, c)
	g.open[c] = struct{}{}
	g.bySource[from] = of
	of.connections++
	g.counters.connections.Add(1)
	return c, ""
}

// makePlace ends a connection so that an address gets one more than it has, or reports that none has to.
func (g *connections) makePlace(has int) bool {
	most := 0
	for _, s := range g.bySource {
		most = max(most, s.connections)
	}
	var victim *connection
	for c := range g.open {
		eligible := c.source.connections == most
		if most <= has+1 {
			eligible = time.Since(c.since) >= settled
		}
		if eligible && !c.whole && !c.ended && (victim == nil || c.since.Before(victim.since)) {
			victim = c
		}
	}
	if victim == nil {
		return false
	}
	g.counters.displaced.Add(1)
	victim.end()
	g.forget(victim)
	return true
}

// end closes a connection whose sender has not; its goroutine gives its memory back. The caller holds the mutex.
func (c *connection) end() {
	c.group.leaving += c.beyond()
	c.ended = true
	if c.unfinished {
		c.group.counters.cut.Add(1)
	}
	c.Close()
	c.group.changed.Broadcast()
}

// beyond returns how much of the memory is more than a first buffer.
func (c *connection) beyond() int64 { return max(0, c.held-intake.FirstBuffer) }

// add changes how much memory the connection has.
func (c *connection) add(bytes int64) {
	g := c.group
	before := c.beyond()
	c.held += bytes
	more := c.beyond() - before
	g.held += bytes
	g.beyond += more
	c.source.beyond += more
	if before == 0 && more > 0 {
		c.grown = time.Now()
	}
	if c.ended {
		g.leaving += more
	}
	if bytes < 0 {
		if g.beyond <= g.common {
			g.favored = nil
		}
		g.changed.Broadcast()
	}
}

func (g *connections) forget(c *connection) {
	if c.gone {
		return
	}
	c.gone = true
	delete(g.open, c)
	if c.source.connections--; c.source.connections == 0 && g.bySource[c.from] == c.source {
		delete(g.bySource, c.from)
	}
	g.counters.connections.Add(-1)
}

// leave is the end of a connection's goroutine.
func (c *connection) leave() {
	g := c.group
	g.mu.Lock()
	defer g.mu.Unlock()
	c.Close()
	g.forget(c)
	c.add(-c.held)
}

// Read implements io.Reader with the idle timeout. It is called without a complete line.
func (c *connection) Read(b []byte) (int, error) {
	c.await()
	return c.Conn.Read(b)
}

// await notes that the sender is waited for, and until when.
func (c *connection) await() {
	g := c.group
	g.mu.Lock()
	defer g.mu.Unlock()
	c.unfinished = c.lines.Unfinished() > 0
	if g.over || g.idle == 0 {
		return // the end has set a deadline of its own
	}
	// A deadline that is a little early saves setting it for each line.
	if late := c.since.Add(g.idle); late.Sub(c.deadline) > g.idle/16 {
		c.deadline = late
		c.SetReadDeadline(late) //nolint:errcheck // reading tells what is wrong
	}
}

// begin notes that there are complete lines. It reports false when others have ended the connection.
func (c *connection) begin() bool {
	g := c.group
	g.mu.Lock()
	defer g.mu.Unlock()
	if c.ended {
		return false
	}
	c.whole = true
	c.since = time.Now()
	if c.beyond() > 0 {
		g.whole += c.beyond()
		g.moved = c.since
	}
	return true
}

// done notes that complete lines are done with.
func (c *connection) done() {
	g := c.group
	g.mu.Lock()
	defer g.mu.Unlock()
	c.whole = false
	c.since = time.Now()
	g.whole -= c.beyond()
	c.grown = c.since
	g.changed.Broadcast()
}

// outcome returns why the connection was closed before its sender did, "" when it was not. It counts those that time out.
func (c *connection) outcome(err error) string {
	g := c.group
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case c.ended:
		return "to make room for others"
	case errors.Is(err, os.ErrDeadlineExceeded) && !g.over:
		g.counters.idle.Add(1)
		return fmt.Sprintf("no complete line for %s (idle_timeout)", g.idle)
	}
	return ""
}

// Reserve implements intake.Memory.
func (c *connection) Reserve(bytes int, needed bool) bool {
	g := c.group
	g.mu.Lock()
	defer g.mu.Unlock()
	more := max(0, c.held+int64(bytes)-intake.FirstBuffer) - c.beyond()
	if !needed {
		if g.beyond+more > g.common/extraShare {
			return false
		}
	} else if more > 0 && !c.waitFor(more) {
		return false
	}
	c.add(int64(bytes))
	return !c.ended
}

// waitFor waits until there is memory that the connection needs. It reports false when the connection has been ended meanwhile.
func (c *connection) waitFor(more int64) bool {
	g := c.group
	c.unfinished = c.lines.Unfinished() > 0
	if g.beyond+more <= g.common {
		return true
	}
	g.waiting[c] = struct{}{}
	began := time.Now()
	for from := began; !c.ended && !c.fits(more); {
		short, now := g.beyond+more-g.common, time.Now()
		if g.whole > 0 {
			from = now // the pipeline may be what everyone waits for
		}
		stuck := now.Sub(from) >= g.grace && now.Sub(g.moved) >= g.grace
		if short > g.whole+g.leaving && g.closeOne(stuck, now) {
			continue
		}
		look := time.AfterFunc(g.grace, g.changed.Broadcast)
		g.changed.Wait()
		look.Stop()
	}
	delete(g.waiting, c)
	waited := time.Since(began) // the sender need not answer for that
	c.since, c.grown = c.since.Add(waited), c.grown.Add(waited)
	return !c.ended
}

// fits reports whether a connection that waits may have more memory now: of the common part, or of the reserve, which it then has until
// that is not in use any more.
func (c *connection) fits(more int64) bool {
	g := c.group
	if g.beyond+more <= g.common {
		return true
	}
	if g.favored == nil {
		g.favored = c
		for other := range g.waiting {
			if !other.ended && other.holdsLess(g.favored) {
				g.favored = other
			}
		}
		if g.favored != c {
			g.changed.Broadcast()
		}
	}
	return g.favored == c && g.beyond+more <= g.common+g.reserve
}

// closeOne closes the largest connection of those that have been sending a line for longer than grace or, where lines are
// stuck, of all. It reports whether there was one, and looks only every so often when there is none.
func (g *connections) closeOne(stuck bool, now time.Time) bool {
	if !stuck && now.Sub(g.looked) < g.grace/8 {
		return false
	}
	victim := g.largest(func(c *connection) bool {
		_, waiting := g.waiting[c]
		return stuck || !waiting && now.Sub(c.grown) >= g.grace
	})
	if victim == nil {
		g.looked = now
		return false
	}
	g.counters.crowded.Add(1)
	victim.end()
	return true
}

// largest returns the connection that comes last by holdsLess of those with a part of a long line, nil when there is none.
func (g *connections) largest(eligible func(*connection) bool) (largest *connection) {
	for c := range g.open {
		if !c.unfinished || c.whole || c.ended || c.beyond() == 0 || !eligible(c) {
			continue
		}
		if largest == nil || largest.holdsLess(c) {
			largest = c
		}
	}
	return largest
}

// holdsLess orders connections by what their addresses hold, then by what they do themselves, then by how long their lines have taken.
func (c *connection) holdsLess(other *connection) bool {
	return cmp.Or(cmp.Compare(c.source.beyond, other.source.beyond), cmp.Compare(c.held, other.held), other.since.Compare(c.since)) < 0
}

// Release implements intake.Memory.
func (c *connection) Release(bytes int) {
	g := c.group
	g.mu.Lock()
	defer g.mu.Unlock()
	c.add(int64(-bytes))
}

// finish has all connections end at a deadline, and admits no more.
func (g *connections) finish(deadline time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for c := range g.open {
		c.SetReadDeadline(deadline) //nolint:errcheck // it has ended then
	}
	g.over = true
}

// bytes returns the memory that connections hold.
func (g *connections) bytes() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.held
}
