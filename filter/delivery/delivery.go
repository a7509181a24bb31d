// Package delivery sends alerts to where people and machines read them: syslog (RFC 5424), Graylog (GELF), the Fluent
// forward protocol, files and standard output. Help lists the forms of a destination.
//
// Every alert arrives at least once at every destination. A batch that fails at one destination is delivered again by
// calling Deliver with the same batch, and then only the destinations that have not taken all of it get the rest.
//
// What "taken" means depends on the protocol. forward: the receiver has acknowledged it. TCP and TLS: the receiver's
// kernel has acknowledged it, and the connection was still open afterwards; what a receiver had not read when it died is
// lost. UDP: it was sent, and no host has answered that nobody listens. A file: written, not synced.
package delivery

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/recovery"
)

// Message is one alert, ready for any destination. Its bytes are borrowed for the call that gets it.
type Message struct {
	Time     time.Time // of the record
	Severity int       // in syslog's numbers, 0 emergency to 7 debug
	Host     string    // where the record comes from; empty for this machine
	Tag      string    // the record's tag in Fluent Bit
	ID       string    // the same each time for the same record and rules
	Source   string    // who attacks; may be empty
	Target   string    // who is attacked; may be empty
	// Record is the alert as a msgpack map, for forward. When it is no map, forward sends the members of JSON.
	Record []byte
	// JSON is the alert as one line, normally a JSON object. Other text, such as CEF, is sent as text.
	JSON []byte
	// Digest says that the message is for an aggregator, and no alert. The destinations with the option only=digests get it, or where there
	// are none, all but syslog and Graylog.
	Digest bool
}

// Options are what destinations need to know of their surroundings. The zero value is ready for use.
type Options struct {
	Hostname string    // name of this machine; the system's when empty
	Stdout   io.Writer // where the destination stdout writes; os.Stdout when nil
	Remember int       // how many unfinished batches are remembered, the oldest forgotten first; 1,024 when 0

	// Caught gets the panics that are caught, in whose place the delivery fails; may be nil.
	Caught recovery.Caught

	dialer      net.Dialer
	verdictTime time.Duration // usualVerdictTime when 0
}

// Delivery sends messages to a fixed list of destinations. It is safe for concurrent use.
type Delivery struct {
	destinations []*destination
	progress     *progress
	seed         maphash.Seed
	life         context.Context
	end          context.CancelFunc
}

// Open reads a comma separated list of destinations. It connects to none of them: that happens when there is something to
// deliver. All problems of the list are returned together.
func Open(destinations string, opt Options) (*Delivery, error) {
	if opt.Hostname == "" {
		opt.Hostname, _ = os.Hostname()
	}
	if opt.Stdout == nil {
		opt.Stdout = os.Stdout
	}
	if opt.Caught == nil {
		opt.Caught = func(any, []byte) {}
	}
	if opt.Remember <= 0 {
		opt.Remember = 1024
	}
	list, err := parseList(destinations, &opt)
	if err != nil {
		return nil, err
	}
	d := &Delivery{destinations: list, progress: newProgress(opt.Remember, len(list)), seed: maphash.MakeSeed()}
	d.life, d.end = context.WithCancel(context.Background())
	return d, nil
}

var errClosed = errors.New("closed")

// Deliver sends the messages to all destinations at the same time, and to each in order. It returns when every destination
// has taken them or failed, at the latest after three times the longest timeout. The error tells of each that failed.
//
// batch names the content of the messages. After an error, Deliver with the same batch and messages sends to each
// destination only what it has not taken yet. Messages of the same batch that differ in number, time, severity, host or
// tag are another batch. With an empty batch nothing is remembered.
func (d *Delivery) Deliver(ctx context.Context, batch string, msgs []Message) error {
	if len(msgs) == 0 {
		return nil
	}
	if d.life.Err() != nil {
		return fmt.Errorf("deliver: %w", errClosed)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(d.life, cancel)()

	id := batchID{name: batch, shape: d.shape(msgs)}
	failures := make([]error, len(d.destinations))
	var wg sync.WaitGroup
	for i, to := range d.destinations {
		wg.Go(func() {
			failed := func(cause any, stack []byte) {
				failures[i] = fmt.Errorf("deliver to %s: panic: %s", to.name, recovery.Describe(cause))
				to.caught(cause, stack)
			}
			recovery.Once(failed, func() { failures[i] = to.deliver(ctx, to.takes.wanted(msgs), d.progress.of(id, i)) })
		})
	}
	wg.Wait()
	err := errors.Join(failures...)
	if err == nil {
		d.progress.forget(id)
	}
	return err
}

// shape tells batches of the same name apart whose alerts differ, because rules have changed between two attempts.
func (d *Delivery) shape(msgs []Message) uint64 {
	var h maphash.Hash
	h.SetSeed(d.seed)
	for i := range msgs {
		m := &msgs[i]
		maphash.WriteComparable(&h, m.Time.UnixNano())
		maphash.WriteComparable(&h, m.Severity)
		maphash.WriteComparable(&h, m.Host)
		maphash.WriteComparable(&h, m.Tag)
	}
	return h.Sum64()
}

// Stats returns the counters of every destination, in the order of the list.
func (d *Delivery) Stats() []Stats {
	all := make([]Stats, len(d.destinations))
	for i, to := range d.destinations {
		all[i] = to.stats()
	}
	return all
}

// Close ends the deliveries that are under way, which then fail, and all connections.
func (d *Delivery) Close() error {
	d.end()
	var failures []error
	for _, to := range d.destinations {
		failures = append(failures, to.close())
	}
	return errors.Join(failures...)
}
