package delivery

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/recovery"
)

// sink speaks the protocol of one destination. Its methods are called by one goroutine at a time.
type sink interface {
	// send returns how many of the messages were taken, counted from the first. It connects when there is no connection,
	// and returns soon after ctx ends. It keeps nothing of the messages.
	send(ctx context.Context, msgs []Message) (taken int, err error)
	// close ends the connection; a later send makes another.
	close() error
}

// What a failed attempt costs others is bounded: after it, the destination is left alone for so many times the time that
// the attempt took, but not longer than maxPause. A refused connection costs next to nothing and is tried again at once.
const (
	pauseFactor = 4
	maxPause    = 30 * time.Second
)

// attemptFactor times the timeout is the longest that one batch may take: connecting, writing and the acknowledgment each
// have the timeout.
const attemptFactor = 3

// destination is a sink with its turn, its pauses and its counters.
type destination struct {
	name    string // without options: these may hold keys
	timeout time.Duration
	takes   takes
	turn    chan struct{} // holds a token while the sink is in use, which also guards the fields below
	sink    sink

	closed      bool
	pausedUntil time.Time
	pausedBy    error

	counters *counters
	caught   recovery.Caught
}

// counters are what a destination and its sink count.
type counters struct {
	delivered, failures, shortened, waiting atomic.Int64
}

// Stats are counters of one destination since it was opened.
type Stats struct {
	Destination string // without options
	Delivered   int64  // messages taken
	Failures    int64  // attempts to deliver that failed
	Shortened   int64  // messages shortened to the destination's bound
	Waiting     int64  // messages on their way that it has not taken yet
}

func (d *destination) stats() Stats {
	c := d.counters
	return Stats{Destination: d.name, Delivered: c.delivered.Load(), Failures: c.failures.Load(), Shortened: c.shortened.Load(), Waiting: c.waiting.Load()}
}

// takes says which messages are for a destination.
type takes uint8

const (
	takesAll takes = iota
	takesAlerts
	takesDigests
)

// Wanted returns a function that picks the messages that are for a destination. noDigests says that another one gets the digests.
func Wanted(destination string, noDigests bool) func([]Message) []Message {
	return takesOf(destination, noDigests).wanted
}

// takesOf reads what a destination takes. People who read syslog or Graylog have no use for digests.
func takesOf(text string, noDigests bool) takes {
	switch {
	case OnlyDigests(text):
		return takesDigests
	case noDigests, strings.HasPrefix(strings.ToLower(text), "syslog"), strings.HasPrefix(strings.ToLower(text), "gelf"):
		return takesAlerts
	}
	return takesAll
}

// CheckDigests returns an error when digests and destinations do not fit: one is for digests alone, and none are sent, or digests are sent, and
// none takes them.
func CheckDigests(destinations []string, sent bool) error {
	takers := false
	for _, text := range destinations {
		text = strings.TrimSpace(text)
		if !sent && OnlyDigests(text) {
			return fmt.Errorf("destination %q: nothing sends digests for only=digests (want incident_digest_tag)", nameOf(text))
		}
		takers = takers || takesOf(text, false) != takesAlerts
	}
	if sent && !takers {
		return errors.New("no destination takes the digests of incident_digest_tag: syslog and GELF get alerts only " +
			"(want another, such as forward://AGGREGATOR?tag=digest&only=digests)")
	}
	return nil
}

// OnlyDigests reports whether a destination gets digests, and nothing else.
func OnlyDigests(text string) bool {
	_, query, _ := strings.Cut(text, "?")
	options, _ := url.ParseQuery(query) // what is malformed is reported elsewhere
	return options.Get("only") == "digests"
}

// wanted returns the messages that are taken.
func (t takes) wanted(msgs []Message) []Message {
	unwanted := func(m Message) bool { return t != takesAll && m.Digest == (t == takesAlerts) }
	if !slices.ContainsFunc(msgs, unwanted) {
		return msgs
	}
	return slices.DeleteFunc(slices.Clone(msgs), unwanted)
}

// deliver sends what done does not count yet.
func (d *destination) deliver(ctx context.Context, msgs []Message, done share) (err error) {
	d.counters.waiting.Add(int64(len(msgs)))
	defer d.counters.waiting.Add(-int64(len(msgs)))
	attempt, cancel := context.WithTimeout(ctx, attemptFactor*d.timeout)
	defer cancel()
	defer func() {
		if err != nil {
			d.counters.failures.Add(1)
			err = fmt.Errorf("deliver to %s: %w", d.name, err)
		}
	}()
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
	case <-attempt.Done():
		return fmt.Errorf("wait for an earlier delivery: %w", attempt.Err())
	}
	defer func() {
		if p := recover(); p != nil {
			d.caught(p, debug.Stack())
			err = fmt.Errorf("panic: %s", recovery.Describe(p))
			d.sink.close() //nolint:errcheck // whatever state the panic has left
		}
	}()

	if d.closed {
		return errClosed
	}
	taken := done.taken()
	if taken >= len(msgs) {
		return nil
	}
	n, err := d.attempt(attempt, msgs[taken:])
	done.set(taken + n)
	d.counters.delivered.Add(int64(n))
	if ctx.Err() != nil {
		d.pausedUntil = time.Time{} // the caller gave up, which is not the destination's fault
	}
	return err
}

// attempt sends once, unless the destination is to be left alone.
func (d *destination) attempt(ctx context.Context, msgs []Message) (taken int, err error) {
	start := time.Now()
	if pause := d.pausedUntil.Sub(start); pause > 0 {
		return 0, fmt.Errorf("not tried for another %s: %w", pause.Round(time.Millisecond), d.pausedBy)
	}
	taken, err = d.sink.send(ctx, msgs)
	if err != nil && taken == 0 {
		d.pausedUntil = time.Now().Add(min(maxPause, pauseFactor*time.Since(start)))
		d.pausedBy = err
	}
	return taken, err
}

// close waits for the delivery that is under way; Delivery.Close has told it to end.
func (d *destination) close() error {
	d.turn <- struct{}{}
	defer func() { <-d.turn }()
	d.closed = true
	if err := d.sink.close(); err != nil {
		return fmt.Errorf("close %s: %w", d.name, err)
	}
	return nil
}
