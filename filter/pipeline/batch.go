package pipeline

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/accesslog"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/fieldmap"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/incident"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/ruleset"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// Kind is what became of one record.
type Kind uint8

// The kinds of records; every record is of exactly one.
const (
	NotHTTP Kind = iota // no HTTP transaction
	Clean               // an HTTP transaction without an alert
	Alert               // an HTTP transaction with an alert
	Broken              // could not be read or inspected
	Skipped             // not to be evaluated
	Late                // an HTTP transaction that was not inspected, for lack of time or of room in the queue

	waiting   // to be evaluated by the engine
	unwritten // an alert of a sender over its budget
	deferred  // is in the slow queue
	several   // an event whose records are the items behind it; it is in no counter itself
)

// item is one event of a chunk and what was found.
type item struct {
	event   record.Event
	input   sender // its tag
	sender  sender // by its tag, until the record has been read
	kind    Kind
	source  int            // 1 + the place of its field map in the filter's choice, 0 when none was used
	verdict *rules.Verdict // of HTTP transactions, nil when not inspected
	way     rules.Way      // to the verdict
	body    []byte         // replaces the event's body, nil keeps it
	partial rules.Partial  // parts that rules did not see everything of, also where there is no verdict
	marked  bool           // came with the key of alerts
	emit    *Emit          // alert for the emit tag
	outcome alert.Outcome  // of an alert
	summary *Summary       // of an alert, for Check
	message string         // of the last rule that matched in what does not alert, for Check

	seen     *incident.Observation // of a clean one, nil when there is none yet
	incident string                // id of the one that it belongs to
	alertID  string                // of its alert, once that is written
	pending  pending               // of a waiting item

	columns   *accesslog.Columns // of its line, nil when they are not known
	announced *accesslog.Columns // of the lines behind it
	isLine    bool               // the record holds a plain line, read or not
	inner     bool               // it is a record inside the event of an item before it
	parts     []item             // until the batch is settled: the records inside it
}

// pending is what is known of a transaction that waits for the engine.
type pending struct {
	key        rules.Key
	rules      rules.Case
	bytes      int  // of what rules look at
	overBudget bool // its sender is
}

// batch holds the events of one chunk, or of some, while they are evaluated.
type batch struct {
	items    []item
	broken   []byte // bytes at the end of the last chunk that are no event
	unread   uint64 // chunks that end so
	rules    *ruleset.InUse
	lastTime *batchTime // of the filter

	usage    *senderUsage  // of all filters that share the engine
	columns  *columnsByTag // of the filter
	observer *observer     // of the filter, nil unless records are correlated
	section  *Section      // that digests its records, nil for that of the filter

	mu   sync.Mutex
	seen []*sightings // of goroutines that are done

	budget  time.Duration // for inspection, 0 when there is none
	longest atomic.Int64  // of the budget, what the goroutine has spent that has spent most
	defers  bool          // what keeps the engine busy waits
}

// scratch is the memory that one goroutine needs for evaluating records one after the other.
type scratch struct {
	values      fieldmap.Values
	transaction rules.Transaction
	whole       bool       // the transaction is that of the values, with everything
	sightings   *sightings // nil unless records are correlated
	identity    []byte     // of the transaction, for the verdict cache
	target      []byte     // name of the server, for an observation
	budget      chunkBudget
	defers      bool // of the batch
	rules       *rules.Set
	turn        uint          // counts records, for sampling
	busy        time.Duration // of work on the batch whose verdict was not cached
}

// size returns the bytes of memory that a scratch holds on to.
func (s *scratch) size() int { return s.values.Size() + cap(s.identity) }

var scratches = sync.Pool{New: func() any { return &scratch{} }}

// largeScratch is the size in bytes from which a scratch is left to the garbage collector: one odd record must not be kept.
const largeScratch = 64 << 10

// split reads the events of a chunk that came under a tag.
func (b *batch) split(chunk []byte, tag string) {
	b.items = b.items[:0]
	b.broken, b.unread = nil, 0
	b.budget, b.defers, b.section = 0, false, nil
	b.longest.Store(0)
	b.add(chunk, tag)
}

// add reads the events of one more chunk, and returns how many it has.
func (b *batch) add(chunk []byte, tag string) (events int) {
	from := tagSender(tag)
	for ; len(chunk) > 0; events++ {
		event, rest, err := record.Next(chunk)
		if err != nil {
			b.broken = chunk
			b.unread++
			return events
		}
		b.items = append(b.items, item{event: event, input: from, sender: from})
		chunk = rest
	}
	return events
}

// batches hands out the batches of one filter.
type batches struct {
	pool     sync.Pool // of *batch
	rules    *ruleset.Current
	columns  *columnsByTag
	usage    *senderUsage
	observer *observer
	lastTime batchTime
}

// get returns a batch with the events of a chunk, which is to be given back with put.
func (p *batches) get(chunk []byte, tag string) *batch {
	b, _ := p.pool.Get().(*batch)
	if b == nil {
		b = &batch{}
	}
	b.split(chunk, tag)
	b.rules, b.lastTime, b.columns, b.usage, b.observer = p.rules.Use(), &p.lastTime, p.columns, p.usage, p.observer
	return b
}

func (p *batches) put(b *batch) {
	clear(b.items) // views of the chunk must not outlive the call
	for _, n := range b.seen {
		n.forget()
	}
	b.seen = b.seen[:0]
	if b.rules != nil { // it is nil while the filter is closed
		b.rules.Done()
		b.rules = nil
	}
	p.pool.Put(b)
}

// one returns a batch of an item that has been evaluated with rules that are in use for it.
func (p *batches) one(it *item, in *ruleset.InUse) *batch {
	return &batch{items: []item{*it}, rules: in, lastTime: &p.lastTime, columns: p.columns, usage: p.usage}
}

func (s *scratch) putBack() {
	s.sightings.forget()
	s.rules, s.sightings = nil, nil
	if s.size() < largeScratch {
		scratches.Put(s)
	}
}

// sampling says of how many cached verdicts one is timed: reading the clock twice costs a tenth of what they take.
const sampling = 64

// sampled reports whether the next cached verdict is to be timed.
func (s *scratch) sampled() bool {
	s.turn++
	return s.turn%sampling == 0
}
