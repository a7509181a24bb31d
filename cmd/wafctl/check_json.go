package main

import (
	"bufio"
	"strconv"
	"time"

	jsoniter "github.com/json-iterator/go"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/logtime"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
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

	Severity string `json:"severity,omitempty"` // of an alert, as the next one
	Time     string `json:"time,omitempty"`     // RFC 3339, where the record says it

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
	if r.err == nil && r.Kind == filter.Alert {
		line.Severity = rules.SeverityName(r.Alert.Told.Severity)
		if at, known := logtime.Parse(r.Alert.Told.Begin, nil); known {
			line.Time = at.Format(time.RFC3339Nano)
		}
	}
	return j.encoder.Encode(&line)
}

func (j *jsonLines) end(filter.Counts) error { return j.to.Flush() }
