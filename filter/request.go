package filter

import (
	"context"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/pipeline"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// Evaluation is what the rules say of a transaction that still takes place.
type Evaluation = pipeline.Evaluation

// Evaluate finds the verdict on one transaction, a msgpack event, for a caller in the request path: nothing is counted or emitted until Settle.
// Where the prefilter cannot rule an attack out, the engine has a time limit, and until the context ends; the evaluation is Late after that.
func (f *Filter) Evaluate(ctx context.Context, event []byte, limit time.Duration) Evaluation {
	return f.pipeline.Evaluate(ctx, event, limit)
}

// WithoutSecrets returns the value of a request header, or with the name "" a request target, as alerts would have it.
func (f *Filter) WithoutSecrets(header, text string) string {
	switch {
	case f.redactor == nil:
		return text
	case header == "":
		return f.redactor.Start(&rules.Transaction{URI: text}).Text(text)
	}
	return f.redactor.Start(&rules.Transaction{}, text).Header(header, text)
}

// Correlates reports whether Settle needs the event of every transaction, not only of those with an alert.
func (f *Filter) Correlates() bool { return f.pipeline.Correlates() }

// Settle counts an evaluated transaction, and writes its alert into the outcome. The event is the transaction as it ended; it may be nil
// for one without an alert unless the filter correlates. The id is that of the alert, "" when there is none.
func (f *Filter) Settle(j *Evaluation, event []byte, tag string, out *Outcome) (id string) {
	return f.pipeline.Settle(j, event, tag, out)
}

// RuleSetID identifies the content of the rules in use.
func (f *Filter) RuleSetID() string { return f.rules.Set().ID() }

// LookForChanges has changed rule files read now instead of with the next look after them. It does nothing where none are looked after.
func (f *Filter) LookForChanges() { f.rules.LookForChanges() }
