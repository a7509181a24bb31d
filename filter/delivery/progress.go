package delivery

import (
	"container/list"
	"sync"
)

// batchID names a batch of messages.
type batchID struct {
	name  string
	shape uint64
}

// progress remembers of unfinished batches how many messages each destination has taken. It holds a bounded number of
// batches; a forgotten one is delivered as if it were new.
type progress struct {
	limit, destinations int

	mu      sync.Mutex
	batches map[batchID]*list.Element
	order   list.List // of *unfinished, the one that was used last in front
}

type unfinished struct {
	id    batchID
	taken []int // by destination
}

func newProgress(limit, destinations int) *progress {
	return &progress{limit: limit, destinations: destinations, batches: make(map[batchID]*list.Element)}
}

// share is the progress of one destination with one batch.
type share struct {
	of          *progress
	id          batchID
	destination int
}

func (p *progress) of(id batchID, destination int) share {
	return share{of: p, id: id, destination: destination}
}

// taken returns how many messages of the batch the destination has.
func (s share) taken() int {
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	if e, ok := s.of.batches[s.id]; ok {
		s.of.order.MoveToFront(e)
		return e.Value.(*unfinished).taken[s.destination]
	}
	return 0
}

// set records how many messages of the batch the destination has.
func (s share) set(taken int) {
	if s.id.name == "" || taken == 0 {
		return
	}
	p := s.of
	p.mu.Lock()
	defer p.mu.Unlock()
	e, ok := p.batches[s.id]
	if !ok {
		e = p.order.PushFront(&unfinished{id: s.id, taken: make([]int, p.destinations)})
		p.batches[s.id] = e
		p.bound()
	}
	e.Value.(*unfinished).taken[s.destination] = taken
}

// bound forgets the batches beyond the limit that were used longest ago.
func (p *progress) bound() {
	for len(p.batches) > p.limit {
		oldest := p.order.Back()
		delete(p.batches, oldest.Value.(*unfinished).id)
		p.order.Remove(oldest)
	}
}

// forget drops a batch that every destination has taken.
func (p *progress) forget(id batchID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e, ok := p.batches[id]; ok {
		delete(p.batches, id)
		p.order.Remove(e)
	}
}
