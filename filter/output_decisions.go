package filter

import (
	"container/list"
	"sync"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/delivery"
)

// mostDecisions bounds the chunks whose decisions are remembered, as many as delivery remembers.
const mostDecisions = 1024

// decisions remember which alerts of a chunk flood control has let out, for as long as their delivery fails: the chunk comes
// again, and its own alerts must not count as repeats then. The zero value is ready for use.
type decisions struct {
	mu    sync.Mutex
	known map[string]*list.Element
	order list.List // of *decision, the one that was used last in front
}

type decision struct {
	name string
	sent []bool
}

// of returns the alerts of a chunk that go out. Decisions on other alerts than these, because rules have changed, do not count.
func (d *decisions) of(name string, emits []*Emit, offer func(*Emit) bool) (sent []delivery.Message) {
	d.mu.Lock()
	defer d.mu.Unlock()
	made := d.find(name)
	if made == nil || len(made.sent) != len(emits) {
		made = &decision{name: name, sent: make([]bool, len(emits))}
		for i, e := range emits {
			made.sent[i] = offer(e)
		}
		d.remember(made)
	}
	for i, e := range emits {
		if made.sent[i] {
			sent = append(sent, e.Message())
		}
	}
	return sent
}

func (d *decisions) find(name string) *decision {
	element, found := d.known[name]
	if !found {
		return nil
	}
	d.order.MoveToFront(element)
	return element.Value.(*decision)
}

func (d *decisions) remember(made *decision) {
	if d.known == nil {
		d.known = map[string]*list.Element{}
	}
	d.drop(made.name)
	d.known[made.name] = d.order.PushFront(made)
	if len(d.known) > mostDecisions {
		d.drop(d.order.Back().Value.(*decision).name)
	}
}

func (d *decisions) drop(name string) {
	if element, found := d.known[name]; found {
		delete(d.known, name)
		d.order.Remove(element)
	}
}

// forget drops the decisions on a chunk that every destination has taken.
func (d *decisions) forget(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.drop(name)
}

// left returns how many alerts of how many chunks some destination has not taken, of those that are remembered.
func (d *decisions) left() (alerts, chunks int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for element := d.order.Front(); element != nil; element = element.Next() {
		for _, sent := range element.Value.(*decision).sent {
			if sent {
				alerts++
			}
		}
	}
	return alerts, d.order.Len()
}
