package check

import (
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// JSONExplanation is what check --explain --output json says of one record. Texts that are not UTF-8 are mended.
type JSONExplanation struct {
	Line      int            `json:"line"`
	HTTP      bool           `json:"http"`
	Alert     bool           `json:"alert"`
	FieldMap  string         `json:"field_map,omitempty"`
	Unknown   string         `json:"unknown,omitempty"`
	Partial   []string       `json:"partial,omitempty"`
	Score     int            `json:"score"`
	Scores    map[string]int `json:"scores,omitempty"`
	Inbound   *JSONSum       `json:"inbound,omitempty"`
	Outbound  *JSONSum       `json:"outbound,omitempty"`
	Variables []jsonVariable `json:"variables,omitempty"`
	Matches   []jsonMatch    `json:"matches,omitempty"`
}

type JSONSum struct {
	Score int `json:"score"`
	Limit int `json:"limit,omitempty"`
}

type jsonVariable struct {
	Name  string `json:"name"`
	Key   string `json:"key,omitempty"`
	Value string `json:"value"`
}

type jsonMatch struct {
	ID       int         `json:"id"`
	Severity string      `json:"severity,omitempty"`
	Phase    int         `json:"phase"`
	Message  string      `json:"msg,omitempty"`
	Data     string      `json:"data,omitempty"`
	File     string      `json:"file"`
	Line     int         `json:"line"`
	Text     string      `json:"text"`
	Values   []jsonValue `json:"values"`
}

type jsonValue struct {
	Variable string     `json:"variable"`
	Value    string     `json:"value"`
	Steps    []JSONStep `json:"steps,omitempty"`
}

type JSONStep struct {
	Transformation string `json:"transformation,omitempty"`
	Value          string `json:"value"`
}

func newJSONExplanation(line int, x *filter.Explanation) *JSONExplanation {
	j := &JSONExplanation{Line: line, Alert: x.Kind == filter.Alert, FieldMap: cli.Mend(x.FieldMap)}
	if x.Transaction == nil {
		return j
	}
	j.HTTP = true
	j.Unknown = x.Transaction.Unknown.String()
	j.Partial = x.Rules.Verdict.Partial.Names()
	j.Score = x.Rules.Verdict.Score()
	j.Scores = map[string]int{}
	for _, s := range x.Rules.Verdict.Scores {
		j.Scores[s.Name] = s.Value
	}
	j.Inbound, j.Outbound = newJSONSum(x.Rules.Sums[0]), newJSONSum(x.Rules.Sums[1])
	for _, v := range x.Rules.Variables {
		j.Variables = append(j.Variables, jsonVariable{v.Name, cli.Mend(x.Text(v.Key)), cli.Mend(x.Value(v.Label(), v.Value))})
	}
	for i := range x.Rules.Verdict.Matches {
		j.Matches = append(j.Matches, newJSONMatch(x, i))
	}
	return j
}

func newJSONSum(t rules.Threshold) *JSONSum { return &JSONSum{t.Score, t.Limit} }

func newJSONMatch(x *filter.Explanation, i int) jsonMatch {
	m, r := x.Match(i), &x.Rules.Reasons[i]
	j := jsonMatch{
		ID: m.Rule.ID, Severity: cli.SeverityName(m.Rule.Severity.String()), Phase: m.Rule.Phase, Message: cli.Mend(m.Message), Data: cli.Mend(m.Data),
		File: cli.Mend(m.Rule.File), Line: m.Rule.Line, Text: cli.Mend(r.Text), Values: []jsonValue{},
	}
	for i := range r.Values {
		v := &r.Values[i]
		value := jsonValue{Variable: cli.Mend(x.Text(v.Label())), Value: cli.Mend(x.Value(v.Label(), v.Value))}
		for _, s := range x.Rules.Steps(r, v) {
			value.Steps = append(value.Steps, JSONStep{s.Transformation, cli.Mend(x.Value(v.Label(), s.Value))})
		}
		j.Values = append(j.Values, value)
	}
	return j
}
