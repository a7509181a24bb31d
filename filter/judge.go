package filter

import (
	"context"
	"runtime"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/recovery"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// Judgement is what the rules say of a transaction that still takes place. A caller in the request path acts on it, and settles it
// once it is known how the transaction ended.
type Judgement struct {
	Kind    Kind           // Late when time ran out, Broken when the engine failed
	Verdict *rules.Verdict // of what was inspected, nil otherwise
	Partial rules.Partial  // parts of which rules did not see everything

	source int
	way    rules.Way
}

// engines bounds how many engine runs Judge has under way. A run cannot be interrupted: one that outlives its call keeps its place,
// so that requests that take forever use up places and not the machine.
var engines = make(chan struct{}, 4*runtime.GOMAXPROCS(0))

// unhurried is a budget that no record spends: with it, evaluate leaves what needs the engine, or a long time, to its caller.
const unhurried = time.Hour

// Judge finds the verdict on one transaction, a msgpack event, without counting it or emitting an alert. Where the prefilter cannot rule
// an attack out, the engine has a time limit, and until the context ends; the judgement is Late after that. Most clean requests take
// microseconds, on the caller's goroutine. The event is borrowed for the call.
func (f *Filter) Judge(ctx context.Context, event []byte, limit time.Duration) Judgement {
	b := f.getBatch(event, "")
	defer f.putBatch(b)
	if len(b.items) != 1 || b.rules == nil {
		return Judgement{Kind: Broken}
	}
	b.budget = unhurried
	d := &demand{matches: f.config.onMatch, write: leaveAlert}
	b.spread(func(it *item, s *scratch) { f.evaluate(it, s, d) })
	it := &b.items[0]
	if it.kind == waiting {
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		*it = f.judgeUntil(ctx, it, b.rules, d)
	}
	return Judgement{Kind: it.kind, Verdict: it.verdict, Partial: it.partial, source: it.source, way: it.way}
}

// judgeUntil has the engine judge a waiting item on a goroutine of its own, with a copy of its event, until a context ends.
func (f *Filter) judgeUntil(ctx context.Context, it *item, l *loaded, d *demand) item {
	late := item{event: it.event, kind: Late, source: it.source}
	select {
	case engines <- struct{}{}:
	case <-ctx.Done():
		return late
	}
	l.users.Add(1) // the caller has the rules still
	j := &job{item: it.copied(), bytes: it.pending.bytes}
	done := make(chan item, 1)
	go recovery.Once(f.Caught("inspection"), func() {
		defer func() {
			<-engines
			l.done()
			done <- j.item
		}()
		f.judgeFully(j, l.set, d)
	})
	select {
	case judged := <-done:
		return judged
	case <-ctx.Done():
		return late
	}
}

// judgeFully evaluates a waiting item. One at which that panics is broken.
func (f *Filter) judgeFully(j *job, set *rules.Set, d *demand) {
	defer f.recovered(&j.item)
	j.err = set.Compile(&j.item.pending.rules)
	for !f.judgeAlone(j, set, d) { // the first answer about a large transaction is that the prefilter cannot tell
	}
}

// Correlates reports whether Settle needs the event of every transaction, not only of those with an alert.
func (f *Filter) Correlates() bool { return f.correlation != nil }

// Settle counts a judged transaction, and writes its alert into the outcome. The event is the transaction as it ended; it may be nil
// for one without an alert unless the filter correlates. The id is that of the alert, "" when there is none. Nothing of the event is
// needed after the call.
func (f *Filter) Settle(j *Judgement, event []byte, tag string, out *Outcome) (id string) {
	out.Reset()
	out.counted = true
	b := f.getBatch(event, tag)
	defer f.putBatch(b)
	if len(b.items) == 0 {
		b.items = append(b.items, item{})
	}
	it := &b.items[0]
	it.kind, it.verdict, it.partial, it.source, it.way = j.Kind, j.Verdict, j.Partial, j.source, j.way
	note := func(it *item, v *alert.View) {
		f.writeAlert(it, v)
		id = it.alertID
	}
	switch {
	case len(event) == 0 || b.rules == nil:
	case f.correlation != nil:
		out.Emits = append(out.Emits, f.correlate(b, "", f.config.incidentTag, &demand{write: note})...)
	case it.kind == Alert:
		b.spread(func(it *item, s *scratch) { f.writeKnown(it, s, &demand{write: note}) })
	}
	f.count(b)
	if f.config.emitTag != nil {
		f.collectEmits(b.items, tag, out)
	}
	out.Emits = f.Due(out.Emits)
	return id
}

// RuleSetID identifies the content of the rules in use.
func (f *Filter) RuleSetID() string { return f.set().ID() }
