package main

import (
	"bufio"
	"strconv"

	jsoniter "github.com/json-iterator/go"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
)

// jsonLines writes one JSON object a record.
type jsonLines struct {
	to       *bufio.Writer
	encoder  *jsoniter.Encoder
	withFile bool
}

// jsonRecord is what --output json says of one record.
type jsonRecord struct {
	File    string   `json:"file,omitempty"` // when there are several
	Line    int      `json:"line"`
	HTTP    bool     `json:"http"`
	Alert   bool     `json:"alert"`
	RuleIDs []string `json:"rule_ids"`
	Score   int      `json:"score"`
	Message string   `json:"msg"`
	Partial []string `json:"partial,omitempty"` // parts of which rules did not see everything
	Error   string   `json:"error,omitempty"`
}

func newJSONLines(c *console, withFile bool) *jsonLines {
	to := lineWriter(c)
	return &jsonLines{to: to, encoder: jsoniter.NewEncoder(to), withFile: withFile}
}

func (j *jsonLines) record(file string, r *checked) error {
	line := jsonRecord{Line: r.line, RuleIDs: []string{}, Partial: r.Partial.Names()}
	if j.withFile {
		line.File = mend(file)
	}
	switch {
	case r.err != nil:
		line.Error = r.err.Error()
	case r.Kind == filter.Broken:
		line.Error = "could not be inspected"
	case r.Verdict != nil:
		line.HTTP = true
		line.Alert = r.Kind == filter.Alert
		line.Score = r.Verdict.Score()
		for _, m := range r.Verdict.Matches {
			line.RuleIDs = append(line.RuleIDs, strconv.Itoa(m.Rule.ID))
		}
		line.Message = mend(r.Message)
	}
	return j.encoder.Encode(&line)
}

func (j *jsonLines) end(filter.Counts) error { return j.to.Flush() }
