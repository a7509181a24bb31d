package filter

import (
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/accesslog"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/fieldmap"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
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

	waiting   // to be judged by the engine
	unwritten // an alert of a sender that is behind
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

	incident string  // id of the one that it belongs to
	alertID  string  // of its alert, once that is written
	pending  pending // of a waiting item

	columns   *accesslog.Columns // of its line, nil when they are not known
	announced *accesslog.Columns // of the lines behind it
	isLine    bool               // the record holds a plain line, read or not
	inner     bool               // it is a record inside the event of an item before it
	parts     []item             // until the batch is settled: the records inside it
}

// pending is what is known of a transaction that waits for the engine.
type pending struct {
	key    rules.Key
	rules  rules.Case
	bytes  int  // of what rules look at
	behind bool // its sender is
}

// batch holds the events of one chunk, or of some, while they are evaluated.
type batch struct {
	items  []item
	broken []byte // bytes at the end of the last chunk that are no event
	unread uint64 // chunks that end so
	rules  *loaded
	pace   *pace // of the filter

	columns *columnsByTag // of the filter

	budget  time.Duration // for inspection, 0 when there is none
	longest atomic.Int64  // of the budget, what the goroutine has spent that has spent most
	defers  bool          // what keeps the engine busy waits
}

// scratch is the memory that one goroutine needs for evaluating records one after the other.
type scratch struct {
	values      fieldmap.Values
	transaction rules.Transaction
	identity    []byte // of the transaction, for the verdict cache
	spending    spending
	defers      bool // of the batch
	rules       *rules.Set
	turn        uint          // counts records, for sampling
	busy        time.Duration // of work on the batch whose outcome was not remembered
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
	b.budget, b.defers = 0, false
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

func (f *Filter) getBatch(chunk []byte, tag string) *batch {
	b := f.batches.Get().(*batch)
	b.split(chunk, tag)
	b.rules, b.pace, b.columns = f.use(), &f.pace, &f.columns
	return b
}

func (f *Filter) putBatch(b *batch) {
	clear(b.items)      // views of the chunk must not outlive the call
	if b.rules != nil { // it is nil while the filter is closed
		b.rules.done()
		b.rules = nil
	}
	f.batches.Put(b)
}

func (s *scratch) putBack() {
	s.rules = nil
	if s.size() < largeScratch {
		scratches.Put(s)
	}
}

// demand says how much a verdict has to tell, and what becomes of an alert.
type demand struct {
	matches bool // all rules that match, even when the transaction is not blocked
	// write is called with an alert while its views are valid.
	write func(*item, *alert.View)
	// note, unless nil, is called with what does not alert and matched rules, likewise.
	note func(*item, *alert.View)
}

// evaluate finds out what an event is. A panic anywhere in it lets the record pass as it came.
func (f *Filter) evaluate(it *item, s *scratch, d *demand) {
	defer f.recovered(it)
	if it.event.Time.Group || f.config.trusted != "" && record.Has(it.event.Body, f.config.trusted) {
		it.kind = Skipped
		return
	}
	read := f.read(it, &s.values)
	it.marked = f.config.alertKey != "" && s.values.HasKey(f.config.alertKey)
	if inside := s.values.Inside(); inside.IsLine {
		it.isLine, it.announced = true, inside.Columns
	}
	switch {
	case read == fieldmap.Several && !it.inner:
		f.evaluateRequests(it, s, d)
		return
	case read < 0:
		it.kind = NotHTTP
		return
	}
	if it.source = 1 + read; s.values.IsOther() {
		it.kind = NotHTTP
		return
	}
	verdict, key := f.recallTimed(s, d)
	clean := verdict != nil && !f.alerts(verdict)
	if !clean || s.defers {
		it.sender = senderOf(s.values.ClientAddress(), it.input)
	}
	if clean {
		f.pass(it, s, d, verdict)
		return
	}
	start, made := time.Now(), rules.MakingTime()
	f.examine(it, s, d, verdict, key)
	took := time.Since(start)
	s.busy += took
	if !it.pending.behind {
		s.spending.add(it.sender, took-(rules.MakingTime()-made)) // what rules need for their first values is nobody's fault
	}
}

// examine does what is left to do for a record that is not known to be clean.
func (f *Filter) examine(it *item, s *scratch, d *demand, verdict *rules.Verdict, key rules.Key) {
	if !s.values.Transaction(&s.transaction) {
		it.kind, it.partial = NotHTTP, s.transaction.Partial
		return
	}
	switch {
	case verdict == nil:
		if verdict = f.inspect(it, s, d, key); verdict == nil {
			return
		}
	case s.spending.isBehind(it.sender):
		it.kind, it.verdict, it.pending.behind = unwritten, verdict, true
		return
	}
	f.decide(it, s, d, verdict)
}

// writeKnown writes the alert of an item whose verdict is known.
func (f *Filter) writeKnown(it *item, s *scratch, d *demand) {
	defer f.recovered(it)
	start, verdict := time.Now(), it.verdict
	it.verdict = nil
	f.read(it, &s.values)
	f.examine(it, s, d, verdict, rules.Key{})
	s.busy += time.Since(start)
}

// pass lets a record go on as clean.
func (f *Filter) pass(it *item, s *scratch, d *demand, verdict *rules.Verdict) {
	it.kind, it.verdict, it.partial = Clean, verdict, verdict.Partial
	if d.note != nil && len(verdict.Matches) > 0 && s.values.Transaction(&s.transaction) {
		d.note(it, f.view(it, s, verdict))
	}
}

// view returns a view of the item's transaction, which is valid as long as the scratch is not used again.
func (f *Filter) view(it *item, s *scratch, verdict *rules.Verdict) *alert.View {
	return &alert.View{
		Event: &it.event, Values: &s.values, Transaction: &s.transaction, Verdict: verdict, RuleSet: s.rules.Name(), Naming: f.config.alertName,
	}
}

// decide takes a verdict on the transaction, and has an alert written.
func (f *Filter) decide(it *item, s *scratch, d *demand, verdict *rules.Verdict) {
	if !f.alerts(verdict) {
		f.pass(it, s, d, verdict)
		return
	}
	it.kind, it.verdict, it.partial = Alert, verdict, verdict.Partial
	view := f.view(it, s, verdict)
	it.outcome, _ = view.Outcome()
	d.write(it, view)
}

// recovered, deferred, makes an item whose evaluation panics one that passes without a verdict.
func (f *Filter) recovered(it *item) {
	cause := recover()
	if cause == nil {
		return
	}
	*it = item{event: it.event, kind: Broken, marked: it.marked, inner: it.inner}
	if f.counts.panics.Add(1) == 1 {
		line := fmt.Sprintf("panic while evaluating a record, which passes unchanged: %v\n%s", cause, debug.Stack())
		f.logSafely(LevelError, f.config.redactor.Line(line))
	}
}

// recall returns the verdict that is remembered for the values, nil when there is none, and the key with which to remember one.
func (f *Filter) recall(s *scratch, d *demand) (*rules.Verdict, rules.Key) {
	reads := s.rules.Reads()
	if reads == nil {
		return nil, rules.Key{}
	}
	s.identity = s.values.AppendIdentity(s.identity[:0], reads)
	return s.rules.Recall(s.identity, s.values.ClientAddress(), d.matches)
}

// inspect finds the verdict on the transaction, and remembers it. It returns nil and says in the item why there is none: the
// engine failed, the budget is spent, or there is one and the transaction has to wait for the engine, or for the prefilter behind others.
func (f *Filter) inspect(it *item, s *scratch, d *demand, key rules.Key) *rules.Verdict {
	unhurried := !s.spending.isBounded()
	if s.spending.isOver() {
		it.kind = Late
		return nil
	}
	p := pending{key: key, rules: s.rules.Case(&s.transaction, d.matches), bytes: size(&s.transaction)}
	p.behind = s.spending.isBehind(it.sender) && !runs.isStuck() // nobody would get to it
	if unhurried {
		if err := s.rules.Compile(&p.rules); err != nil {
			return f.failed(it, err)
		}
	}
	if !p.behind && p.rules.Compiled() && (p.bytes <= largeTransaction || unhurried && !(s.defers && p.bytes > hugeTransaction)) {
		if verdict := f.gate(it, s, &p); verdict != nil {
			return verdict
		}
	}
	if unhurried && !s.defers {
		return f.judge(it, s, &p)
	}
	if unhurried && !runs.takesLong(p.bytes, it.sender, f.config.queueSkips) {
		var verdict *rules.Verdict
		runs.timed(it.sender, p.bytes, func() { verdict = f.judge(it, s, &p) })
		return verdict
	}
	it.kind, it.pending = waiting, p
	return nil
}

// gate returns the verdict that the prefilter is certain of, nil when the engine has to judge.
func (f *Filter) gate(it *item, s *scratch, p *pending) *rules.Verdict {
	start := time.Now()
	verdict := s.rules.Gate(&p.rules, &s.transaction)
	if verdict == nil {
		return nil
	}
	it.way = rules.Gated
	f.meter.time(rules.Gated, start)
	s.remember(p.key, verdict)
	return verdict
}

// judge has the engine find the verdict on the transaction, and remembers it. It returns nil when the engine fails.
func (f *Filter) judge(it *item, s *scratch, p *pending) *rules.Verdict {
	start := time.Now()
	verdict, err := s.rules.Judge(&p.rules, &s.transaction)
	if err != nil {
		return f.failed(it, err)
	}
	it.way = p.rules.Way()
	f.meter.time(it.way, start)
	f.meter.candidates.Add(uint64(p.rules.Ran()))
	s.remember(p.key, verdict)
	return verdict
}

// failed makes an item that the engine could not judge one that passes as it came.
func (f *Filter) failed(it *item, err error) *rules.Verdict {
	it.kind = Broken
	if f.counts.panics.Add(1) == 1 {
		f.logSafely(LevelError, f.config.redactor.Line(fmt.Sprintf("a record could not be inspected and passes unchanged: %v", err)))
	}
	return nil
}

func (s *scratch) remember(key rules.Key, v *rules.Verdict) {
	if s.rules.Reads() != nil {
		s.rules.Remember(key, s.values.ClientAddress(), v)
	}
}

func (f *Filter) alerts(v *rules.Verdict) bool {
	return v.Blocked || f.config.onMatch && len(v.Matches) > 0
}

// count adds what became of a batch to the counters.
func (f *Filter) count(b *batch) {
	f.countKinds(b)
	f.countSources(b)
}

// countLost counts what a panic has left behind in a batch whose records are counted: those that wait, and alerts that were not collected.
func (f *Filter) countLost(b *batch, out *Outcome) {
	if !out.counted {
		return
	}
	var left []item
	for i := range b.items {
		switch it := &b.items[i]; {
		case it.kind == waiting:
			left = append(left, item{kind: Broken})
		case it.emit != nil:
			f.counts.failed.Add(1)
		}
	}
	f.countKinds(&batch{items: left})
}

// countKinds adds the kinds of a batch to the counters, but for items that wait still.
func (f *Filter) countKinds(b *batch) {
	var kinds [several + 1]uint64
	var ways [rules.Judged + 1]uint64
	for i := range b.items {
		it := &b.items[i]
		kinds[it.kind]++
		if it.verdict != nil {
			ways[it.way]++
		}
		if it.partial != 0 {
			f.counts.partial.Add(1)
		}
		if it.kind == Alert {
			f.meter.alert(it.verdict, it.outcome)
		}
	}
	f.meter.addWays(&ways)
	c := &f.counts
	kinds[Broken] += b.unread
	if late := kinds[Late]; late > 0 {
		kinds[Skipped] += late
		f.tellLate(late)
	}
	for i, counter := range [...]*atomic.Uint64{NotHTTP: &c.notHTTP, Clean: &c.clean, Alert: &c.alerts, Broken: &c.broken, Skipped: &c.skipped} {
		if kinds[i] > 0 {
			counter.Add(kinds[i])
		}
	}
}
