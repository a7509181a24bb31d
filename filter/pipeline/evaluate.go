package pipeline

import (
	"fmt"
	"runtime/debug"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/fieldmap"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/telemetry"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// evaluator finds out what records are. It has no state but the columns of lines; its methods may be called from any goroutine.
type evaluator struct {
	maps     *fieldmap.Choice
	columns  columnsByTag
	onMatch  bool         // any detection rule alerts, not only a reached threshold
	alertKey string       // key of the map added to a matching record, "" adds nothing
	trusted  string       // records with this key have a verdict already; "" when none is believed
	naming   alert.Naming // of alerts
	producer alert.Producer
	strict   bool // a sender that has used its fair share of the engine waits behind others
	slots    *EngineSlots
	meter    *telemetry.Meter
	panics   *telemetry.Panics
}

// verdictHandler is what happens with verdicts, and how complete they are.
type verdictHandler struct {
	allMatches bool // all rules that match, even when the transaction is not blocked
	// onAlert is called with an alert while its views are valid.
	onAlert func(*item, *alert.View)
	// onCleanMatch, unless nil, is called with what does not alert and matched rules, likewise.
	onCleanMatch func(*item, *alert.View)
}

// evaluate finds out what an event is. A panic anywhere in it lets the record pass as it came.
func (e *evaluator) evaluate(it *item, s *scratch, h *verdictHandler) {
	defer e.recovered(it)
	if it.event.Time.Group || e.trusted != "" && record.Has(it.event.Body, e.trusted) {
		it.kind = Skipped
		return
	}
	read := e.read(it, &s.values)
	it.marked = e.alertKey != "" && s.values.HasKey(e.alertKey)
	if inside := s.values.Inside(); inside.IsLine {
		it.isLine, it.announced = true, inside.Columns
	}
	switch {
	case read == fieldmap.Several && !it.inner:
		e.evaluateRequests(it, s, h)
		return
	case read < 0:
		it.kind = NotHTTP
		return
	}
	if it.source = 1 + read; s.values.IsOther() {
		it.kind = NotHTTP
		return
	}
	s.whole = false
	verdict, key := e.lookupTimed(s, h)
	clean := verdict != nil && !e.alerts(verdict)
	if !clean || s.defers {
		it.sender = senderOf(s.values.ClientAddress(), it.input)
	}
	if clean {
		e.pass(it, s, h, verdict)
		return
	}
	start, made := time.Now(), s.rules.MakingTime()
	e.examine(it, s, h, verdict, key)
	took := time.Since(start)
	s.busy += took
	if !it.pending.overBudget {
		s.budget.add(it.sender, took-(s.rules.MakingTime()-made)) // what rules need for their first values is nobody's fault
	}
}

// read reads the item's record, and returns as fieldmap does with which map.
func (e *evaluator) read(it *item, values *fieldmap.Values) int {
	if it.columns == nil {
		it.columns = e.columns.of(it.input)
	}
	values.SetColumns(it.columns)
	return e.maps.Read(it.event.Meta, it.event.Body, values)
}

// examine does what is left to do for a record that is not known to be clean.
func (e *evaluator) examine(it *item, s *scratch, h *verdictHandler, verdict *rules.Verdict, key rules.Key) {
	if s.whole = s.values.Transaction(&s.transaction); !s.whole {
		it.kind, it.partial = NotHTTP, s.transaction.Partial
		return
	}
	switch {
	case verdict == nil:
		if verdict = e.inspect(it, s, h, key); verdict == nil {
			return
		}
	case s.budget.isSenderOver(it.sender):
		it.kind, it.verdict, it.pending.overBudget = unwritten, verdict, true
		return
	}
	e.decide(it, s, h, verdict)
}

// writeKnown writes the alert of an item whose verdict is known.
func (e *evaluator) writeKnown(it *item, s *scratch, h *verdictHandler) {
	defer e.recovered(it)
	start, verdict := time.Now(), it.verdict
	it.verdict = nil
	e.read(it, &s.values)
	e.examine(it, s, h, verdict, rules.Key{})
	s.busy += time.Since(start)
}

// pass lets a record go on as clean.
func (e *evaluator) pass(it *item, s *scratch, h *verdictHandler, verdict *rules.Verdict) {
	it.kind, it.verdict, it.partial = Clean, verdict, verdict.Partial
	if s.sightings != nil {
		s.sightings.see(it, s)
	}
	if h.onCleanMatch != nil && len(verdict.Matches) > 0 && s.values.Transaction(&s.transaction) {
		h.onCleanMatch(it, e.view(it, s, verdict))
	}
}

// view returns a view of the item's transaction, which is valid as long as the scratch is not used again.
func (e *evaluator) view(it *item, s *scratch, verdict *rules.Verdict) *alert.View {
	return &alert.View{
		Event: &it.event, Values: &s.values, Transaction: &s.transaction, Verdict: verdict, RuleSet: s.rules.Name(), Naming: e.naming, Producer: e.producer,
	}
}

// decide takes a verdict on the transaction, and has an alert written.
func (e *evaluator) decide(it *item, s *scratch, h *verdictHandler, verdict *rules.Verdict) {
	if !e.alerts(verdict) {
		e.pass(it, s, h, verdict)
		return
	}
	it.kind, it.verdict, it.partial = Alert, verdict, verdict.Partial
	view := e.view(it, s, verdict)
	it.outcome, _ = view.Outcome()
	h.onAlert(it, view)
}

// recovered, deferred, makes an item whose evaluation panics one that passes without a verdict.
func (e *evaluator) recovered(it *item) {
	cause := recover()
	if cause == nil {
		return
	}
	*it = item{event: it.event, kind: Broken, marked: it.marked, inner: it.inner}
	e.panics.Add(func() string {
		return fmt.Sprintf("panic while evaluating a record, which passes unchanged: %v\n%s", cause, debug.Stack())
	})
}

// lookupTimed is lookup with the clock, for some of the records.
func (e *evaluator) lookupTimed(s *scratch, h *verdictHandler) (*rules.Verdict, rules.Key) {
	if !s.sampled() {
		return e.lookup(s, h)
	}
	start := time.Now()
	verdict, key := e.lookup(s, h)
	if verdict != nil {
		e.meter.Time(rules.Cached, start)
	}
	return verdict, key
}

// lookup returns the cached verdict for the values, nil when there is none, and the key for caching one.
func (e *evaluator) lookup(s *scratch, h *verdictHandler) (*rules.Verdict, rules.Key) {
	reads := s.rules.Reads()
	if reads == nil {
		return nil, rules.Key{}
	}
	s.identity = s.values.AppendIdentity(s.identity[:0], reads)
	return s.rules.Recall(s.identity, s.values.ClientAddress(), h.allMatches)
}

// inspect finds the verdict on the transaction, and caches it. It returns nil and says in the item why there is none: the
// engine failed, the budget is spent, or there is one and the transaction has to wait for the engine, or for the prefilter behind others.
func (e *evaluator) inspect(it *item, s *scratch, h *verdictHandler, key rules.Key) *rules.Verdict {
	unlimited := !s.budget.isLimited()
	if s.budget.isSpent() {
		it.kind = Late
		return nil
	}
	p := pending{key: key, rules: s.rules.Case(&s.transaction, h.allMatches), bytes: s.transaction.Size()}
	p.overBudget = s.budget.isSenderOver(it.sender) && !e.slots.areExhausted() // nobody would get to it
	if unlimited {
		if err := s.rules.Compile(&p.rules); err != nil {
			return e.failed(it, err)
		}
	}
	if !p.overBudget && p.rules.Compiled() && (p.bytes <= rules.LargeTransaction || unlimited && !(s.defers && p.bytes > hugeTransaction)) {
		if verdict := e.prefilter(it, s, &p); verdict != nil {
			return verdict
		}
	}
	if unlimited && !s.defers {
		return e.runRules(it, s, &p)
	}
	if unlimited && !e.slots.mustQueue(p.bytes, it.sender, e.strict) {
		var verdict *rules.Verdict
		e.slots.measure(it.sender, p.bytes, s.rules, func() { verdict = e.runRules(it, s, &p) })
		return verdict
	}
	it.kind, it.pending = waiting, p
	return nil
}

// prefilter returns the verdict that the prefilter is certain of, nil when the engine has to find it.
func (e *evaluator) prefilter(it *item, s *scratch, p *pending) *rules.Verdict {
	start := time.Now()
	verdict := s.rules.Prefilter(&p.rules, &s.transaction)
	if verdict == nil {
		return nil
	}
	it.way = rules.Prefiltered
	e.meter.Time(rules.Prefiltered, start)
	s.cache(p.key, verdict)
	return verdict
}

// runRules has the engine find the verdict on the transaction, and caches it. It returns nil when the engine fails.
func (e *evaluator) runRules(it *item, s *scratch, p *pending) *rules.Verdict {
	start := time.Now()
	verdict, err := s.rules.Evaluate(&p.rules, &s.transaction)
	if err != nil {
		return e.failed(it, err)
	}
	it.way = p.rules.Way()
	e.meter.Time(it.way, start)
	e.meter.Candidates.Add(uint64(p.rules.Ran()))
	s.cache(p.key, verdict)
	return verdict
}

// failed makes an item that the engine could not evaluate one that passes as it came.
func (e *evaluator) failed(it *item, err error) *rules.Verdict {
	it.kind = Broken
	e.panics.Add(func() string { return fmt.Sprintf("a record could not be inspected and passes unchanged: %v", err) })
	return nil
}

// evaluateCopy evaluates an item whose event is its own, and reports whether it is done. Of a large transaction it first asks the prefilter
// alone, which takes far less time than the engine.
func (e *evaluator) evaluateCopy(j *job, set *rules.Set, h *verdictHandler) (done bool) {
	it := &j.item
	defer func() { done = done || it.kind != waiting }()
	defer e.recovered(it)
	if j.err != nil {
		e.failed(it, j.err)
		return true
	}
	s := scratches.Get().(*scratch)
	defer s.putBack()
	s.rules = set
	e.read(it, &s.values)
	s.values.Transaction(&s.transaction)
	p := &it.pending
	if !p.rules.Asked() && j.bytes > rules.LargeTransaction {
		verdict := e.prefilter(it, s, p)
		if verdict == nil {
			return false
		}
		e.decide(it, s, h, verdict)
		return true
	}
	if verdict := e.runRules(it, s, p); verdict != nil {
		e.decide(it, s, h, verdict)
	}
	return true
}

func (s *scratch) cache(key rules.Key, v *rules.Verdict) {
	if s.rules.Reads() != nil {
		s.rules.Remember(key, s.values.ClientAddress(), v)
	}
}

func (e *evaluator) alerts(v *rules.Verdict) bool {
	return v.Blocked || e.onMatch && len(v.Matches) > 0
}
