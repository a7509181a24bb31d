package pipeline

import (
	"strings"
	"sync"
	"unsafe"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/incident"
)

// sightings are the observations that one goroutine has made of a batch's clean records right after their evaluation, when everything that is
// needed has just been read. Correlation takes them in the order of records, and makes those that are missing itself.
type sightings struct {
	observer *observer
	all      []incident.Observation
	text     []byte // of all their texts
}

var sightingsPool = sync.Pool{New: func() any { return &sightings{} }}

// mostSighted is the size in bytes of texts from which sightings are left to the garbage collector.
const mostSighted = 256 << 10

func newSightings(o *observer) *sightings {
	if o == nil {
		return nil
	}
	n := sightingsPool.Get().(*sightings)
	n.observer = o
	return n
}

// forget gives the memory of observations back, which must not be used any more.
func (n *sightings) forget() {
	if n == nil || cap(n.text) > mostSighted {
		return
	}
	n.observer, n.all, n.text = nil, n.all[:0], n.text[:0]
	sightingsPool.Put(n)
}

// see makes an observation of a clean item that has just been read. What panics here does so again in correlation, and is counted there.
func (n *sightings) see(it *item, s *scratch) {
	defer func() {
		if recover() != nil {
			it.seen = nil
		}
	}()
	var o incident.Observation
	if !n.observer.observeRead(it, s, &o) {
		return
	}
	for _, text := range [...]*string{&o.Source, &o.Target, &o.TargetHost, &o.Method, &o.Path, &o.Agent} {
		*text = n.keep(*text)
	}
	n.all = append(n.all, o)
	it.seen = &n.all[len(n.all)-1] // stays valid when the list moves
}

// keep copies a text.
func (n *sightings) keep(text string) string {
	if text == "" {
		return ""
	}
	if len(n.text)+len(text) > cap(n.text) { // those before keep the memory that they are in
		n.text = make([]byte, 0, max(4<<10, 2*cap(n.text), len(text)))
	}
	at := len(n.text)
	n.text = append(n.text, text...)
	return unsafe.String(&n.text[at], len(text))
}

// owned gives an observation memory of its own. What its samples show is made now.
func owned(o *incident.Observation) *incident.Observation {
	c := *o
	for _, text := range []*string{&c.Source, &c.Target, &c.TargetHost, &c.Method, &c.Path, &c.Agent} {
		*text = strings.Clone(*text)
	}
	if o.Attack != nil {
		a := *o.Attack
		sample := a.Show()
		a.Show = func() incident.Sample { return sample }
		c.Attack = &a
	}
	return &c
}
