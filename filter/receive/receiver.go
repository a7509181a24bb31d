// Package receive is the intake for what probes send: UDP and TCP sockets. Datagrams and lines are decoded into
// msgpack events and wait in a queue of bounded size. Nothing is lost without being counted, in the kernel's buffers
// either.
package receive

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/intake"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/recovery"
)

// Receiver is an open intake. Its queue is to be emptied by its owner.
type Receiver struct {
	Queue *Queue

	settings Settings
	counters counters
	chunks   intake.Chunks
	rates    *rates
	tell     *teller

	sockets   []*socket
	listeners []net.Listener
	group     sync.WaitGroup // of all goroutines that read
	watching  sync.WaitGroup
	end       chan struct{}
	tables    socketTables
	wake      int // descriptor that is readable from the end on

	ending   atomic.Bool
	deadline time.Time     // set before ending
	over     chan struct{} // closed when the end begins

	connections *connections
	readers     chan *reader // of lines; their number bounds what is decoded at a time
	large       sync.Mutex   // held while a large block is decoded
}

// maxReaders is how many decode lines at a time, where there are so many cores.
const maxReaders = 4

// Open opens all places and starts to receive, or returns all problems with the places. What the operator should know while it
// runs goes to warn, at a limited rate, which may be called by several goroutines.
func Open(s Settings, warn func(line string)) (*Receiver, error) {
	if s.Batch == 0 {
		s.Batch = DefaultBatch
	}
	r := &Receiver{
		settings: s,
		rates:    newRates(s.SourceRate),
		tell:     &teller{warn: warn},
		end:      make(chan struct{}),
		over:     make(chan struct{}),
		readers:  make(chan *reader, max(2, min(maxReaders, runtime.GOMAXPROCS(0)))),
	}
	limit := s.QueueLimit
	if slices.ContainsFunc(s.Places, func(p Place) bool { return p.Network == "tcp" }) {
		limit -= s.QueueLimit / connectionShare
	}
	r.Queue = NewQueue(limit, s.Batch, s.DropOldest)
	r.connections = newConnections(&s, &r.counters)
	for range cap(r.readers) {
		r.readers <- r.newReader(true)
	}
	var err error
	if r.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC); err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	r.chunks.Gone = func(n int) { r.counters.chunksGone.Add(uint64(n)) }
	var problems []error
	for _, place := range s.Places {
		problems = append(problems, r.open(place))
	}
	if err := errors.Join(problems...); err != nil {
		r.closeAll()
		return nil, err
	}
	if len(r.sockets) > 0 {
		if r.tables, err = openSocketTables(); err != nil {
			r.tellUncounted(err)
		}
	}
	for _, s := range r.sockets {
		r.receiveFrom(s)
	}
	for _, l := range r.listeners {
		r.acceptFrom(l)
	}
	r.watching.Go(r.watch)
	return r, nil
}

func (r *Receiver) receiveFrom(s *socket) {
	r.group.Go(func() { recovery.Loop(r.over, r.Caught("receive on a socket"), func() { r.readPackets(s) }) })
}

func (r *Receiver) acceptFrom(l net.Listener) {
	r.group.Go(func() { recovery.Loop(r.over, r.Caught("accept on a listener"), func() { r.accept(l) }) })
}

func (r *Receiver) open(place Place) error {
	if place.Network == "tcp" {
		listener, err := net.Listen("tcp", place.Address)
		if err == nil {
			r.listeners = append(r.listeners, listener)
		}
		return err
	}
	sockets, err := openSockets(place, r.settings.Sockets, r.settings.ReceiveBuffer, r.tell.warn)
	r.sockets = append(r.sockets, sockets...)
	return err
}

// Places says where records are awaited, with the ports that the system has chosen.
func (r *Receiver) Places() (all []Place) {
	for _, s := range r.sockets {
		place := Place{"udp", s.LocalAddr().String()}
		if len(all) == 0 || all[len(all)-1] != place {
			all = append(all, place)
		}
	}
	for _, l := range r.listeners {
		all = append(all, Place{"tcp", l.Addr().String()})
	}
	return all
}

// Holds reports whether one of the places is one that this intake was opened for.
func (r *Receiver) Holds(places []Place) bool {
	return slices.ContainsFunc(r.settings.Places, func(p Place) bool { return slices.Contains(places, p) })
}

// Close ends the intake: no connection is accepted any more, and for the time of patience what the kernel has is still read.
// Then everything that was received is in the queue, which is not closed, and counts are final.
func (r *Receiver) Close(patience time.Duration) {
	for _, l := range r.listeners {
		l.Close()
	}
	r.deadline = time.Now().Add(patience)
	r.ending.Store(true)
	unix.Write(r.wake, binary.NativeEndian.AppendUint64(nil, 1)) //nolint:errcheck // it has room for far more
	close(r.over)
	r.connections.finish(r.deadline)
	r.group.Wait()
	close(r.end)
	r.watching.Wait()
	r.closeAll()
}

// late reports whether it is long after the deadline: senders do not stop.
func (r *Receiver) late() bool { return r.ending.Load() && time.Since(r.deadline) > overtime }

func (r *Receiver) closeAll() {
	closeSockets(r.sockets)
	r.tables.close()
	unix.Close(r.wake) //nolint:errcheck // nothing is lost
	for _, l := range r.listeners {
		l.Close()
	}
}
