// Package outbox holds alerts for destinations until these have taken them. Each destination has a box of its own, so that one that is down
// holds up no other. Memory is bounded, and what is dropped is counted.
package outbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/kafka"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/delivery"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/recovery"
)

// deliverer is a delivery.Delivery to one destination, or what has the same contract.
type deliverer interface {
	Deliver(ctx context.Context, batch string, msgs []delivery.Message) error
	Stats() []delivery.Stats
	Close() error
}

// openDestination opens a destination of any kind.
func openDestination(destination string, c *cli.Console, caught recovery.Caught) (deliverer, error) {
	if kafka.Is(destination) {
		return kafka.OpenProducer(destination, func(line string) { c.Say("warning: " + line) })
	}
	return delivery.Open(destination, delivery.Options{Stdout: c.Out, Caught: caught})
}

// Outbox holds the alerts for one destination until it has taken them. Each destination has its own, so that one that is
// down holds up no other.
type Outbox struct {
	console     *cli.Console
	destination string // as the user wrote it, without options, which may hold keys
	takes       string // what it gets: alert or digest
	delivery    deliverer
	wanted      func([]delivery.Message) []delivery.Message
	limit       int           // bytes of alerts that may wait
	ending      chan struct{} // closed when no more records arrive
	ended       chan struct{} // closed when deliver has returned

	mu      sync.Mutex
	changed sync.Cond // on every change of the fields below
	waiting []delivery.Message
	bytes   int // of alerts that wait or are being delivered
	failing bool
	closed  bool   // no more alerts come
	stopped bool   // no more alerts are delivered
	offered uint64 // all alerts
	queued  uint64 // those that were not given up for lack of room
	settled uint64 // the first of these, which the destination has taken
	told    cli.Limiter

	number int // of the batch that is being delivered; for the goroutine that does
}

// Open opens one outbox for each destination, or returns all problems.
func Open(destinations []string, c *cli.Console, limit int64, caught recovery.Caught) ([]*Outbox, error) {
	var all []*Outbox
	var problems []error
	noDigests := slices.ContainsFunc(destinations, delivery.OnlyDigests)
	for _, destination := range destinations {
		d, err := openDestination(destination, c, caught)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		name, _, _ := strings.Cut(destination, "?")
		o := &Outbox{
			console: c, destination: name, takes: "alert", delivery: d, wanted: delivery.Wanted(destination, noDigests), limit: int(limit), ending: make(chan struct{}),
			ended: make(chan struct{}), told: cli.Limiter{Every: 10 * time.Second},
		}
		if delivery.OnlyDigests(destination) {
			o.takes = "digest"
		}
		o.changed.L = &o.mu
		all = append(all, o)
	}
	return all, errors.Join(problems...)
}

// Put adds alerts, whose memory must not change any more. While the outbox is full it waits for a destination that is slow, and drops
// alerts for one that is down; the patient wait for that as well, until the end. It returns how many alerts are settled when these are,
// and whether none was dropped.
func (o *Outbox) Put(alerts []delivery.Message, patient bool) (settledAt uint64, complete bool) {
	return o.put(alerts, func() bool { return !o.failing || patient && !o.isEnding() })
}

// Offer is Put for callers that cannot wait: alerts for which there is no room are dropped.
func (o *Outbox) Offer(alerts []delivery.Message) { o.put(alerts, func() bool { return false }) }

func (o *Outbox) put(alerts []delivery.Message, waits func() bool) (settledAt uint64, complete bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	complete = true
	alerts = o.wanted(alerts)
	for i := range alerts {
		o.offered++
		n := size(&alerts[i])
		for o.full(n) && !o.stopped && waits() {
			o.changed.Wait()
		}
		if o.full(n) {
			o.tell("error: alerts for " + o.destination + " are dropped: it is down or too slow, and emit_limit is reached")
			complete = false
			continue
		}
		o.bytes += n
		o.queued++
		o.waiting = append(o.waiting, alerts[i])
		o.changed.Broadcast()
	}
	return o.queued, complete
}

func (o *Outbox) isEnding() bool {
	select {
	case <-o.ending:
		return true
	default:
		return false
	}
}

// HasSettled reports whether the destination has taken so many alerts.
func (o *Outbox) HasSettled(alerts uint64) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.settled >= alerts
}

// IsBusy reports whether alerts are not settled.
func (o *Outbox) IsBusy() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.settled < o.queued
}

// HasStopped reports whether nothing is delivered any more.
func (o *Outbox) HasStopped() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.stopped
}

func (o *Outbox) full(more int) bool { return o.bytes > 0 && o.bytes+more > o.limit }

func size(m *delivery.Message) int { return len(m.JSON) + len(m.Record) }

func (o *Outbox) tell(line string) {
	if _, may := o.told.May(time.Now()); may {
		o.console.Say(line)
	}
}

// Destination is where alerts go, without options, which may hold keys.
func (o *Outbox) Destination() string { return o.destination }

// Count writes a number of what the destination gets.
func (o *Outbox) Count(n uint64) string { return cli.Count(n, o.takes) }

// Run delivers alerts until the outbox is closed and empty, or the destination is given up. It is a goroutine of its own.
func (o *Outbox) Run(caught recovery.Caught) {
	defer o.end()
	recovery.Loop(nil, caught, o.deliver)
}

// Last says that no more records arrive: a destination that fails from now on is given up after a while.
func (o *Outbox) Last() { o.change(func() { close(o.ending) }) }

// Discard closes an outbox that was never run.
func (o *Outbox) Discard() {
	o.delivery.Close() //nolint:errcheck // nothing was sent
}

// deliver sends alerts until the outbox is closed and empty, or the destination is given up.
func (o *Outbox) deliver() {
	for {
		batch := o.take()
		if len(batch) == 0 || !o.handle(batch) {
			return
		}
	}
}

// handle sends one batch. Alerts at which that panics are given up.
func (o *Outbox) handle(batch []delivery.Message) bool {
	returned := false
	defer func() {
		if !returned {
			o.change(func() {
				o.bytes = sizes(o.waiting)
				o.settled += uint64(len(batch)) // they must not hold up others for ever
			})
		}
	}()
	o.number++
	sent := o.send(fmt.Sprint(o.number), batch)
	returned = true
	return sent
}

// end notes that nothing is delivered any more.
func (o *Outbox) end() {
	o.change(func() { o.stopped = true })
	close(o.ended)
}

func sizes(all []delivery.Message) (sum int) {
	for i := range all {
		sum += size(&all[i])
	}
	return sum
}

// change changes fields that others may wait for.
func (o *Outbox) change(f func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f()
	o.changed.Broadcast()
}

// take waits for alerts and returns all that are there, none when no more come.
func (o *Outbox) take() []delivery.Message {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.waiting) == 0 && !o.closed {
		o.changed.Wait()
	}
	batch := o.waiting
	o.waiting = nil
	return batch
}

const (
	firstRetry = 100 * time.Millisecond // between attempts to deliver the same alerts
	lastRetry  = 5 * time.Second
	// How long a destination may fail once no more records arrive, before it is given up.
	lastPatience = 5 * time.Second
)

// send delivers one batch, however many attempts that takes. It reports false when the destination is given up.
func (o *Outbox) send(name string, batch []delivery.Message) bool {
	var failing time.Time // since when, once no more records arrive
	for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
		before := o.delivery.Stats()[0].Delivered
		err := o.delivery.Deliver(context.Background(), name, batch)
		o.settle(batch, err)
		if err == nil {
			return true
		}
		if o.delivery.Stats()[0].Delivered > before {
			wait, failing = firstRetry, time.Time{}
		}
		select {
		case <-o.ending:
			if failing.IsZero() {
				failing = time.Now()
			}
			if time.Since(failing) >= lastPatience {
				return false
			}
			time.Sleep(wait)
		default:
			select {
			case <-o.ending:
			case <-time.After(wait):
			}
		}
	}
}

// settle notes what an attempt has come to.
func (o *Outbox) settle(batch []delivery.Message, err error) {
	o.change(func() {
		if o.failing = err != nil; o.failing {
			o.tell("warning: " + err.Error() + "; retrying")
			return
		}
		o.settled += uint64(len(batch))
		for i := range batch {
			o.bytes -= size(&batch[i])
		}
	})
}

// Stats returns the counters of the destination. What waits in the outbox is on its way.
func (o *Outbox) Stats() delivery.Stats {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.delivery.Stats()[0]
	s.Waiting += int64(len(o.waiting))
	return s
}

// Close waits until what is there has been delivered, or the destination has been given up. It returns how many alerts the
// destination has taken, and how many it has not.
func (o *Outbox) Close() (taken, lost uint64) {
	o.change(func() { o.closed = true })
	<-o.ended
	taken = uint64(o.delivery.Stats()[0].Delivered)
	if err := o.delivery.Close(); err != nil {
		o.console.Say("warning: " + err.Error())
	}
	return taken, o.offered - taken
}
