// Package alert writes verdicts in the formats that receivers read. An alert is built as a msgpack map; JSON is made from it.
package alert

import (
	"strconv"
	"strings"

	"github.com/tinylib/msgp/msgp"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/fieldmap"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// Engine names what gives the verdicts.
const Engine = "coraza"

// Alert is one transaction with a verdict, and the record that it came from. It is a view, valid as long as its record.
type Alert struct {
	Event       *record.Event
	Values      *fieldmap.Values
	Transaction *rules.Transaction
	Verdict     *rules.Verdict
	RuleSet     string // name and version of the rules
}

// Rule returns the match that names the alert: that of the last detection rule, as ModSecurity for Anylog does. A verdict
// that blocks without a detection rule has an empty one.
func (a *Alert) Rule() *rules.Match {
	if n := len(a.Verdict.Matches); n > 0 {
		return &a.Verdict.Matches[n-1]
	}
	return &unnamed
}

var unnamed = rules.Match{Rule: &rules.RuleInfo{Severity: 2}, Message: "Blocked without a detection rule"}

// Severity returns the severity of the alert in syslog's and ModSecurity's numbers: that of its most severe match.
func (a *Alert) Severity() int {
	most := a.Rule().Severity()
	for i := range a.Verdict.Matches {
		most = min(most, a.Verdict.Matches[i].Severity())
	}
	return most
}

// Inspected lists the parts of the transaction that the rules saw; of a record that is none of HTTP those are its fields.
func (a *Alert) Inspected() string {
	t := a.Transaction
	if t.Unknown&rules.PartRequest != 0 {
		return "fields"
	}
	parts := make([]string, 1, 4)
	parts[0] = "uri"
	if len(t.RequestHeaders) > 0 {
		parts = append(parts, "headers")
	}
	if t.RequestBody != "" || a.Values.Get(fieldmap.RequestBody) != "" { // a body of unknown type is an argument
		parts = append(parts, "body")
	}
	if t.HasResponse {
		parts = append(parts, "response")
	}
	return strings.Join(parts, ",")
}

// AppendMap appends the map that the filter adds to a record.
func (a *Alert) AppendMap(dst []byte) []byte {
	m := a.Rule()
	dst = msgp.AppendMapHeader(dst, 16)
	dst = msgp.AppendBool(msgp.AppendString(dst, "alert"), true)
	dst = appendPair(dst, "rule_id", strconv.Itoa(m.Rule.ID))
	dst = a.appendIDs(msgp.AppendString(dst, "rule_ids"))
	dst = appendPair(dst, "msg", m.Message)
	dst = appendPair(dst, "severity", m.Rule.Severity.String())
	dst = msgp.AppendInt(msgp.AppendString(dst, "severity_number"), m.Severity())
	dst = msgp.AppendInt(msgp.AppendString(dst, "score"), a.Verdict.Score())
	dst = a.appendScores(msgp.AppendString(dst, "scores"))
	dst = appendPair(dst, "matched", m.Wording())
	dst = appendPair(dst, "data", m.Data)
	dst = msgp.AppendString(dst, "tags")
	dst = msgp.AppendArrayHeader(dst, uint32(len(m.Rule.Tags)))
	for _, tag := range m.Rule.Tags {
		dst = msgp.AppendString(dst, tag)
	}
	dst = msgp.AppendInt(msgp.AppendString(dst, "phase"), m.Rule.Phase)
	dst = appendPair(dst, "inspected", a.Inspected())
	dst = msgp.AppendBool(msgp.AppendString(dst, "truncated"), a.Transaction.Truncated())
	return appendPair(appendPair(dst, "engine", Engine), "rule_set", a.RuleSet)
}

func (a *Alert) appendIDs(dst []byte) []byte {
	dst = msgp.AppendArrayHeader(dst, uint32(len(a.Verdict.Matches)))
	for i := range a.Verdict.Matches {
		dst = msgp.AppendString(dst, strconv.Itoa(a.Verdict.Matches[i].Rule.ID))
	}
	return dst
}

func (a *Alert) appendScores(dst []byte) []byte {
	dst = msgp.AppendMapHeader(dst, uint32(len(a.Verdict.Scores)))
	for _, s := range a.Verdict.Scores {
		dst = msgp.AppendInt(msgp.AppendString(dst, s.Name), s.Value)
	}
	return dst
}

func appendPair(dst []byte, key, value string) []byte {
	return msgp.AppendString(msgp.AppendString(dst, key), value)
}
