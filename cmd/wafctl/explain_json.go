package main

import (
	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// jsonExplanation is what check --explain --output json says of one record. Texts that are not UTF-8 are mended.
type jsonExplanation struct {
	Line      int            `json:"line"`
	HTTP      bool           `json:"http"`
	Alert     bool           `json:"alert"`
	FieldMap  string         `json:"field_map,omitempty"`
	Unknown   string         `json:"unknown,omitempty"`
	Partial   []string       `json:"partial,omitempty"`
	Score     int            `json:"score"`
	Scores    map[string]int `json:"scores,omitempty"`
	Inbound   *jsonSum       `json:"inbound,omitempty"`
	Outbound  *jsonSum       `json:"outbound,omitempty"`
	Variables []jsonVariable `json:"variables,omitempty"`
	Matches   []jsonMatch    `json:"matches,omitempty"`
}

type jsonSum struct {
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
	Steps    []jsonStep `json:"steps,omitempty"`
}

type jsonStep struct {
	Transformation string `json:"transformation,omitempty"`
	Value          string `json:"value"`
}

func newJSONExplanation(line int, x *filter.Explanation) *jsonExplanation {
	j := &jsonExplanation{Line: line, Alert: x.Kind == filter.Alert, FieldMap: mend(x.FieldMap)}
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
		j.Variables = append(j.Variables, jsonVariable{v.Name, mend(x.Text(v.Key)), mend(x.Value(v.Label(), v.Value))})
	}
	for i := range x.Rules.Verdict.Matches {
		j.Matches = append(j.Matches, newJSONMatch(x, i))
	}
	return j
}

func newJSONSum(t rules.Threshold) *jsonSum { return &jsonSum{t.Score, t.Limit} }

func newJSONMatch(x *filter.Explanation, i int) jsonMatch {
	m, r := x.Match(i), &x.Rules.Reasons[i]
	j := jsonMatch{
		ID: m.Rule.ID, Severity: severityName(m.Rule.Severity.String()), Phase: m.Rule.Phase, Message: mend(m.Message), Data: mend(m.Data),
		File: mend(m.Rule.File), Line: m.Rule.Line, Text: mend(r.Text), Values: []jsonValue{},
	}
	for i := range r.Values {
		v := &r.Values[i]
		value := jsonValue{Variable: mend(x.Text(v.Label())), Value: mend(x.Value(v.Label(), v.Value))}
		for _, s := range x.Rules.Steps(r, v) {
			value.Steps = append(value.Steps, jsonStep{s.Transformation, mend(x.Value(v.Label(), s.Value))})
		}
		j.Values = append(j.Values, value)
	}
	return j
}
