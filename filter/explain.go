package filter

import (
	"fmt"
	"runtime/debug"
	"slices"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/fieldmap"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/pipeline"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/redact"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// Explanation is what the filter makes of one record, and why.
type Explanation struct {
	Kind        Kind
	FieldMap    string             // that has read the record, "" when none fits
	Transaction *rules.Transaction // a view of the event, nil when it holds none
	Rules       *rules.Explanation // of HTTP transactions, nil otherwise
	Parts       []*Explanation     // of an event that holds several records, these; the rest is empty then

	secrets *redact.Pass
}

// Match returns one of the matches of the verdict without secrets, unless redact is off.
func (x *Explanation) Match(i int) rules.Match {
	return alert.CleanMatch(&x.Rules.Verdict.Matches[i], x.secrets)
}

// Text returns a text of the explanation without secrets, unless redact is off.
func (x *Explanation) Text(text string) string { return x.secrets.Quoted(text) }

// Value returns the value of a variable without secrets, unless redact is off.
func (x *Explanation) Value(variable, value string) string {
	return alert.CleanValue(variable, value, x.secrets)
}

// Explain evaluates one event and keeps what can be known of it. The explanation is a view of the event: it must stay as it is.
// Nothing is counted.
func (f *Filter) Explain(event []byte) (x *Explanation, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			x, err = nil, fmt.Errorf("explain: panic: %v\n%s", cause, debug.Stack())
		}
	}()
	e, _, err := record.Next(event)
	if err != nil {
		return nil, fmt.Errorf("explain: %w", err)
	}
	return f.explain(&e, true)
}

// explain explains an event, or those in it when it may hold several.
func (f *Filter) explain(e *record.Event, list bool) (x *Explanation, err error) {
	var s struct {
		values      fieldmap.Values
		transaction rules.Transaction
	}
	x = &Explanation{Kind: NotHTTP}
	i := f.maps.Read(e.Meta, e.Body, &s.values)
	if i == fieldmap.Several && list {
		return x, f.explainParts(e, x, &s.values)
	}
	if i < 0 {
		return x, nil
	}
	x.FieldMap = f.maps.Names()[i]
	if !s.values.Transaction(&s.transaction) {
		return x, nil
	}
	x.Transaction = &s.transaction
	x.secrets = pipeline.Secrets(f.redactor, &s.values, &s.transaction)
	if x.Rules, err = f.rules.Set().Explain(x.Transaction); err != nil {
		return nil, err
	}
	x.Rules.Verdict.Partial |= x.Transaction.Partial
	if x.Kind = Clean; f.pipeline.IsAlert(x.Rules.Verdict) {
		x.Kind = Alert
	}
	return x, nil
}

func (f *Filter) explainParts(e *record.Event, x *Explanation, values *fieldmap.Values) error {
	bodies, _ := values.Requests()
	for _, body := range bodies {
		part := *e
		part.Body = slices.Clone(body)
		explained, err := f.explain(&part, false)
		if err != nil {
			return err
		}
		if x.Parts = append(x.Parts, explained); explained.Kind == Alert {
			x.Kind = Alert
		}
	}
	return nil
}
