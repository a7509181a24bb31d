package inline

import (
	"context"
	"sync"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/evaluation"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// Decision is what is to be done about a request or its response, and why.
type Decision struct {
	Block  bool
	Status int    // of the answer to a blocked request; 0 unless Block
	Reason Reason // of the decision

	// Alert is the id of the alert, the same that destinations get, "" when there is none. The answer to a blocked request should carry it. It
	// is known once the transaction is settled.
	Alert string

	Rules     []int    // ids of the rules that matched, in order; none unless Reason is Attack
	Score     int      // anomaly score
	Inspected []string // parts that the rules have seen: uri, headers, body, response; none when they have not
	Partial   []string // parts of which they have not seen everything
}

// Reason is why a decision was made.
type Reason string

// The reasons.
const (
	Clean    Reason = "clean"    // no alert
	Attack   Reason = "attack"   // the rules alert; it passes unless the engine is on
	TimedOut Reason = "timeout"  // inspection took longer than it may
	Failed   Reason = "error"    // the engine has failed
	Disabled Reason = "disabled" // the engine is off
)

// Transaction is a request on its way, and what is known of it. Its methods are for one goroutine.
type Transaction struct {
	Decision

	engine     *Engine
	request    *Request
	evaluation filter.Evaluation
	ending     ending
	settled    bool
}

// Outcome is what became of a transaction, as metrics and logs name it.
type Outcome string

// The outcomes.
const (
	Passed             Outcome = "passed"
	Alerted            Outcome = "alerted" // passed with an alert
	Blocked            Outcome = "blocked"
	BlockedResponse    Outcome = "blocked_response"
	BlockedUninspected Outcome = "blocked_uninspected"
	NotInspected       Outcome = "disabled"
)

// Outcome returns what became of the transaction, or will once it is settled.
func (t *Transaction) Outcome() Outcome {
	switch {
	case t.Reason == Disabled:
		return NotInspected
	case t.Block && t.Reason != Attack:
		return BlockedUninspected
	case t.Block && t.ending.response != nil:
		return BlockedResponse
	case t.Block:
		return Blocked
	case t.Reason == Attack:
		return Alerted
	}
	return Passed
}

// Evaluate decides about a request of which no response will be seen, and delivers its alert.
func (e *Engine) Evaluate(ctx context.Context, r *Request) Decision {
	t := e.Begin(ctx, r)
	t.End(0)
	return t.Decision
}

// Begin decides about a request. One that is blocked is settled, and its alert on its way; any other is to be ended with End, once its
// response is known. The request must stay unchanged until then.
func (e *Engine) Begin(ctx context.Context, r *Request) *Transaction {
	t := &Transaction{engine: e, request: r}
	if e.Mode == Off {
		t.Reason, t.settled = Disabled, true
		e.counts.of(t)
		return t
	}
	if r.Time.IsZero() {
		r.Time = time.Now()
	}
	t.evaluate(ctx)
	t.Inspected = t.seen(nil)
	t.decide()
	return t
}

// Respond decides about the response of a transaction, with the request that belongs to it, before anything of it is sent. Where the
// decision is to block, the transaction is settled.
func (t *Transaction) Respond(ctx context.Context, r *Response) {
	if t.settled {
		return
	}
	before := t.evaluation
	t.ending.status, t.ending.response = r.Status, r
	t.evaluate(ctx)
	switch {
	case t.evaluation.Kind != filter.Alert && before.Kind == filter.Alert:
		t.evaluation = before // found in the request, which has passed
	case t.evaluation.Kind == filter.Clean || t.evaluation.Kind == filter.Alert:
		t.Inspected = t.seen(r)
	}
	t.decide()
}

// End settles a transaction: it is counted, and its alert goes out. A response that was not given to Respond may say its status, 0 for none.
func (t *Transaction) End(status int) {
	if t.settled {
		return
	}
	if t.ending.status == 0 {
		t.ending.status = status
	}
	t.settle()
}

// events keeps the memory of records.
var events = sync.Pool{New: func() any { return new([]byte) }}

// largeEvent is the size in bytes from which a record's memory is left to the garbage collector.
const largeEvent = 64 << 10

// record calls use with the record of the transaction as it stands, which is valid for the call.
func (t *Transaction) record(use func(event []byte)) {
	memory := events.Get().(*[]byte)
	event := appendEvent((*memory)[:0], t.request, &t.ending)
	use(event)
	if *memory = event; cap(event) <= largeEvent {
		events.Put(memory)
	}
}

func (t *Transaction) evaluate(ctx context.Context) {
	t.record(func(event []byte) { t.evaluation = t.engine.filter.Evaluate(ctx, event, t.engine.Timeout) })
	if t.request.Cut {
		cutBody(&t.evaluation)
	}
}

// cutBody notes that the body goes on behind what was inspected: in a record that could be the doing of a log. Verdicts are shared.
func cutBody(j *filter.Evaluation) {
	j.Partial |= rules.PartialBody
	if j.Verdict != nil {
		v := *j.Verdict
		v.Partial |= rules.PartialBody
		j.Verdict = &v
	}
}

// seen returns the parts that rules have seen.
func (t *Transaction) seen(r *Response) []string {
	if t.evaluation.Kind != filter.Clean && t.evaluation.Kind != filter.Alert {
		return nil
	}
	switch {
	case r != nil && t.request.Unseen:
		return withoutBodyWithResponse
	case r != nil:
		return everything
	case t.request.Unseen:
		return withoutBody
	}
	return wholeRequest
}

var (
	withoutBody             = []string{"uri", "headers"}
	wholeRequest            = []string{"uri", "headers", "body"}
	withoutBodyWithResponse = []string{"uri", "headers", "response"}
	everything              = []string{"uri", "headers", "body", "response"}
)

// decide draws the consequence of the evaluation. Rules that alert without reaching a threshold, as alert_on match has them, block nothing.
func (t *Transaction) decide() {
	e, j := t.engine, &t.evaluation
	t.Partial = j.Partial.Names()
	switch j.Kind {
	case filter.Late:
		t.Reason, t.Block = TimedOut, e.Mode == On && e.BlockOnError
		e.counts.timeouts.Add(1)
	case filter.Clean:
		t.Reason = Clean
	case filter.Alert:
		t.Reason, t.Block = Attack, e.Mode == On && j.Verdict.Blocked
		t.Rules, t.Score = evaluation.MatchedIDs(j.Verdict), j.Verdict.Score()
	default:
		t.Reason, t.Block = Failed, e.Mode == On && e.BlockOnError
		e.counts.failures.Add(1)
	}
	if !t.Block {
		return
	}
	t.Status = e.DenyStatus
	if t.Reason != Attack {
		t.Status = 503
	}
	t.ending.status, t.ending.action = t.Status, blockedAction
	t.settle()
}

// settle counts the transaction and sends its alert. Most transactions are clean, and need no record for that.
func (t *Transaction) settle() {
	t.settled = true
	e := t.engine
	e.counts.of(t)
	var out filter.Outcome
	if t.evaluation.Kind != filter.Alert && !e.filter.Correlates() {
		e.filter.Settle(&t.evaluation, nil, e.Tag, &out)
	} else {
		t.record(func(event []byte) {
			t.Alert = e.filter.Settle(&t.evaluation, event, e.Tag, &out)
		})
	}
	e.send(out.Emits)
}
