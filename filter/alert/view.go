// Package alert writes verdicts in the formats that receivers read. An alert is made once, without secrets, and has
// memory of its own. Each format is a msgpack map, and JSON or a line is made from it.
package alert

import (
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/fieldmap"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// Engine names what gives the verdicts.
const Engine = "coraza"

// View is one transaction with a verdict, and the record that it came from, secrets and all. It is valid as long as its record.
type View struct {
	Event       *record.Event
	Values      *fieldmap.Values
	Transaction *rules.Transaction
	Verdict     *rules.Verdict
	RuleSet     string // name and version of the rules
	Naming      Naming
	Producer    Producer

	outcome Outcome // "" until it was asked for
	reason  string
}

// Rule returns the match that names the alert. A verdict that blocks without a detection rule has an empty one.
func (v *View) Rule() *rules.Match {
	return v.Naming.of(v.Verdict.Matches, worst(v.Verdict))
}

// Severity returns the severity of the most severe match in syslog's and ModSecurity's numbers.
func (v *View) Severity() int { return severityOf(v.Verdict) }

// Outcome returns what has become of the attack, and why it is thought so.
func (v *View) Outcome() (outcome Outcome, reason string) {
	if v.outcome == "" {
		v.outcome, v.reason = outcomeOf(v)
	}
	return v.outcome, v.reason
}

// inspected lists the parts of the transaction that the rules saw; of a record that is none of HTTP those are its fields. The status of a
// refused request alone is no response that anything was found in.
func (v *View) inspected() []string {
	t := v.Transaction
	if t.Unknown&rules.PartRequest != 0 {
		return []string{"fields"}
	}
	parts := make([]string, 1, 4)
	parts[0] = "uri"
	if len(t.RequestHeaders) > 0 {
		parts = append(parts, "headers")
	}
	if t.RequestBody != "" || v.Values.Get(fieldmap.RequestBody) != "" { // a body of unknown type is an argument
		parts = append(parts, "body")
	}
	if t.HasResponse && (len(t.ResponseHeaders) > 0 || t.ResponseBody != "" || !isRefusal(v.Values.Get(fieldmap.Action))) {
		parts = append(parts, "response")
	}
	return parts
}

// header returns the value of a request header, "" when there is none.
func (v *View) header(name string, parsed fieldmap.Field) string {
	if value, found := v.Transaction.Header(name); found {
		return value
	}
	return v.Values.Get(parsed)
}

// domain returns the host that the client asked for.
func (v *View) domain() string {
	if given := v.Values.Get(fieldmap.Host); given != "" {
		return given
	}
	return v.Transaction.ServerName
}

// clones gives strings memory of their own.
func clones(texts ...*string) {
	for _, text := range texts {
		*text = strings.Clone(*text)
	}
}
