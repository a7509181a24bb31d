package check

import (
	"bufio"
	"encoding/json"
	"strconv"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/evaluation"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/logtime"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// jsonLines writes one JSON object a record.
type jsonLines struct {
	to       *bufio.Writer
	encoder  *json.Encoder
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

func newJSONLines(c *cli.Console, withFile bool) *jsonLines {
	to := cli.LineWriter(c)
	return &jsonLines{to: to, encoder: json.NewEncoder(to), withFile: withFile}
}

func (j *jsonLines) record(file string, r *evaluation.Checked) error {
	line := jsonRecord{Line: r.Line, RuleIDs: []string{}, Partial: r.Partial.Names()}
	if j.withFile {
		line.File = cli.Mend(file)
	}
	switch {
	case r.Err != nil:
		line.Error = r.Err.Error()
	case r.Kind == filter.Broken:
		line.Error = "could not be inspected"
	case r.Verdict != nil:
		line.HTTP = true
		line.Alert = r.Kind == filter.Alert
		line.Score = r.Verdict.Score()
		for _, m := range r.Verdict.Matches {
			line.RuleIDs = append(line.RuleIDs, strconv.Itoa(m.Rule.ID))
		}
		line.Message = cli.Mend(r.Message)
	}
	if r.Err == nil && r.Kind == filter.Alert {
		line.Severity = rules.SeverityName(r.Alert.Details.Severity)
		if at, known := logtime.Parse(r.Alert.Details.Begin, nil); known {
			line.Time = at.Format(time.RFC3339Nano)
		}
	}
	return j.encoder.Encode(&line)
}

func (j *jsonLines) End(filter.Counts, int) error { return j.to.Flush() }
