package receive

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/ipv4"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/recovery"
)

// backlog keeps the datagrams of one socket that come faster than they are decoded: copying them takes a fraction of the time, so
// that a burst ends here and not in the kernel's buffer, which may be small. Their memory is part of the queue's limit.
type backlog struct {
	slabs   chan *slab
	waiting atomic.Int64 // slabs that are not decoded yet
	spare   sync.Pool
}

// slab is what was read from a socket at once.
type slab struct {
	data      []byte
	datagrams []datagram
	drops     uint32 // the kernel's counter, when it was told
	told      bool
	at        time.Time
	next      int // datagram that is decoded next
	start     int // of its data
}

type datagram struct {
	end  int // in the data of the slab; it starts where the one before ends
	from netip.Addr
}

// maxSlabs is how many slabs may wait; the queue's limit comes first unless datagrams are tiny.
const maxSlabs = 16_384

// largeSlab is the size in bytes from which the memory of a slab is left to the garbage collector.
const largeSlab = 512 << 10

func newBacklog() *backlog {
	return &backlog{slabs: make(chan *slab, maxSlabs), spare: sync.Pool{New: func() any { return new(slab) }}}
}

// keep takes a copy of messages, unless the queue has no memory for them or too much waits already.
func (b *backlog) keep(messages []ipv4.Message, q *Queue, now time.Time) bool {
	size := 0
	for i := range messages {
		size += messages[i].N
	}
	if len(b.slabs) == maxSlabs || !q.reserve(size) {
		return false
	}
	s := b.spare.Get().(*slab)
	s.data, s.datagrams, s.at, s.next, s.start = s.data[:0], s.datagrams[:0], now, 0, 0
	for i := range messages {
		m := &messages[i]
		s.data = append(s.data, m.Buffers[0][:m.N]...)
		s.datagrams = append(s.datagrams, datagram{len(s.data), sender(m.Addr)})
	}
	last := &messages[len(messages)-1]
	s.drops, s.told = toldDrops(last.OOB[:last.NN])
	b.waiting.Add(1)
	b.slabs <- s
	return true
}

// decode decodes what is kept until the backlog is closed.
func (b *backlog) decode(in *reader, socket *socket) {
	for s := range b.slabs {
		for s.next < len(s.datagrams) {
			recovery.Once(in.Caught("backlog"), func() { in.slab(s) })
		}
		if s.told {
			in.counters.kernelDrops.Add(socket.drops.advance(s.drops))
		}
		in.Queue.release(len(s.data))
		recovery.Once(in.Caught("backlog"), in.flush)
		if cap(s.data) <= largeSlab {
			b.spare.Put(s)
		}
		b.waiting.Add(-1)
	}
}

// slab decodes the datagrams of a slab that are left.
func (in *reader) slab(s *slab) {
	for s.next < len(s.datagrams) {
		start, d := s.start, s.datagrams[s.next]
		s.start, s.next = d.end, s.next+1
		in.datagram(s.data[start:d.end], d.from, s.at)
		if len(in.events) >= in.enough {
			in.flush()
		}
	}
}
