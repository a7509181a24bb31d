package pipeline

import (
	"context"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/ruleset"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/recovery"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// Evaluation is what the rules say of a transaction that still takes place. A caller in the request path acts on it, and settles it
// once it is known how the transaction ended.
type Evaluation struct {
	Kind    Kind           // Late when time ran out, Broken when the engine failed
	Verdict *rules.Verdict // of what was inspected, nil otherwise
	Partial rules.Partial  // parts of which rules did not see everything

	source int
	way    rules.Way
}

// unhurried is a budget that no record spends: with it, evaluate leaves what needs the engine, or a long time, to its caller.
const unhurried = time.Hour

// Evaluate finds the verdict on one transaction, a msgpack event, without counting it or emitting an alert. Where the prefilter cannot rule
// an attack out, the engine has a time limit, and until the context ends; the evaluation is Late after that. Most clean requests take
// microseconds, on the caller's goroutine. The event is borrowed for the call.
func (p *Pipeline) Evaluate(ctx context.Context, event []byte, limit time.Duration) Evaluation {
	i := &p.inspector
	b := i.batches.get(event, "")
	defer i.batches.put(b)
	if len(b.items) != 1 || b.rules == nil {
		return Evaluation{Kind: Broken}
	}
	b.budget = unhurried
	h := &verdictHandler{allMatches: i.evaluator.onMatch, onAlert: deferAlert}
	b.parallel(func(it *item, s *scratch) { i.evaluator.evaluate(it, s, h) })
	it := &b.items[0]
	if it.kind == waiting {
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		*it = i.evaluator.evaluateUntil(ctx, it, b.rules, h)
	}
	return Evaluation{Kind: it.kind, Verdict: it.verdict, Partial: it.partial, source: it.source, way: it.way}
}

// evaluateUntil has the engine evaluate a waiting item on a goroutine of its own, with a copy of its event, until a context ends.
func (e *evaluator) evaluateUntil(ctx context.Context, it *item, in *ruleset.InUse, h *verdictHandler) item {
	late := item{event: it.event, kind: Late, source: it.source}
	slots := e.slots.requests
	if it.pending.bytes > rules.LargeTransaction {
		slots = e.slots.largeRequests
	}
	select {
	case slots <- struct{}{}:
	case <-ctx.Done():
		return late
	}
	in.Share() // the caller has the rules still
	j := &job{item: it.copied(), bytes: it.pending.bytes}
	done := make(chan item, 1)
	go recovery.Once(e.panics.Caught("inspection"), func() {
		defer func() {
			<-slots
			in.Done()
			done <- j.item
		}()
		e.evaluateFully(j, in.Set, h)
	})
	select {
	case evaluated := <-done:
		return evaluated
	case <-ctx.Done():
		return late
	}
}

// evaluateFully evaluates a waiting item. One at which that panics is broken.
func (e *evaluator) evaluateFully(j *job, set *rules.Set, h *verdictHandler) {
	defer e.recovered(&j.item)
	j.err = set.Compile(&j.item.pending.rules)
	for !e.evaluateCopy(j, set, h) { // the first answer about a large transaction is that the prefilter cannot tell
	}
}

// Correlates reports whether Settle needs the event of every transaction, not only of those with an alert.
func (p *Pipeline) Correlates() bool { return p.inspector.correlation != nil }

// Settle counts an evaluated transaction, and writes its alert into the outcome. The event is the transaction as it ended; it may be nil
// for one without an alert unless the pipeline correlates. The id is that of the alert, "" when there is none. Nothing of the event is
// needed after the call.
func (p *Pipeline) Settle(j *Evaluation, event []byte, tag string, out *Outcome) (id string) {
	i := &p.inspector
	out.Reset()
	out.counted = true
	b := i.batches.get(event, tag)
	defer i.batches.put(b)
	if len(b.items) == 0 {
		b.items = append(b.items, item{})
	}
	it := &b.items[0]
	it.kind, it.verdict, it.partial, it.source, it.way = j.Kind, j.Verdict, j.Partial, j.source, j.way
	write := &verdictHandler{onAlert: func(it *item, v *alert.View) {
		i.writer.writeAlert(it, v)
		id = it.alertID
	}}
	if len(event) > 0 && b.rules != nil {
		out.Emits = append(out.Emits, i.correlate(b, "", i.incidentTag, write)...)
		if it.kind == Alert && !i.namesIncidents() { // it is not written yet
			b.parallel(func(it *item, s *scratch) { i.evaluator.writeKnown(it, s, write) })
		}
	}
	i.counts.count(b)
	if i.writer.tag != nil {
		i.writer.collectEmits(b.items, tag, out)
	}
	out.Emits = p.Due(out.Emits)
	return id
}
