package requestlog

import (
	"bytes"
	"cmp"
	"encoding/json"
	"strconv"
	"time"
)

// Format is how lines are written.
type Format string

// The formats.
const (
	JSON     Format = "json"     // with the names of nginx's variables
	Combined Format = "combined" // as modsecurity-crs-docker has it, and behind that the decision and the id of the alert
)

// append appends a line.
func (f Format) append(dst []byte, e *Entry, clean *cleaner) []byte {
	target, referer, agent := clean.text("", e.target), clean.text("Referer", e.referer), clean.text("User-Agent", e.agent)
	if f == Combined {
		return e.appendCombined(dst, target, referer, agent)
	}
	return e.appendJSON(dst, target, referer, agent)
}

// line is an Entry in JSON.
type line struct {
	Time      string  `json:"time_iso8601"`
	Client    string  `json:"remote_addr"`
	Scheme    string  `json:"scheme"`
	Host      string  `json:"http_host"`
	Method    string  `json:"request_method"`
	Target    string  `json:"request_uri"`
	Protocol  string  `json:"server_protocol"`
	Status    int     `json:"status"`
	Bytes     int64   `json:"body_bytes_sent"`
	Seconds   float64 `json:"request_time"`
	Referer   string  `json:"http_referer"`
	Agent     string  `json:"http_user_agent"`
	Forwarded string  `json:"http_x_forwarded_for"`
	Decision  string  `json:"waf_decision"`
	Reason    string  `json:"waf_reason,omitempty"`
	Alert     string  `json:"waf_alert_id,omitempty"`
	Rules     []int   `json:"waf_rules,omitempty"`
	Score     int     `json:"waf_score,omitempty"`
}

func (e *Entry) appendJSON(dst []byte, target, referer, agent string) []byte {
	to := bytes.NewBuffer(dst)
	encoder := json.NewEncoder(to)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(&line{
		Time: e.started.Format(time.RFC3339Nano), Client: e.Client, Scheme: e.scheme, Host: e.host, Method: e.method, Target: target, Protocol: e.protocol,
		Status: e.Status, Bytes: e.bytes, Seconds: e.took.Seconds(), Referer: referer, Agent: agent, Forwarded: e.before,
		Decision: e.Decision, Reason: e.Reason, Alert: e.Alert, Rules: e.Rules, Score: e.Score,
	})
	if err != nil {
		return dst // cannot be: texts and numbers have a form in JSON
	}
	return to.Bytes()
}

const combinedTime = "02/Jan/2006:15:04:05 -0700"

func (e *Entry) appendCombined(dst []byte, target, referer, agent string) []byte {
	dst = append(append(dst, cmp.Or(e.Client, "-")...), " - - ["...)
	dst = append(e.started.AppendFormat(dst, combinedTime), `] "`...)
	dst = append(appendEscaped(append(appendEscaped(dst, e.method), ' '), target), ' ')
	dst = append(append(dst, e.protocol...), `" `...)
	dst = append(strconv.AppendInt(dst, int64(e.Status), 10), ' ')
	dst = strconv.AppendInt(dst, e.bytes, 10)
	for _, text := range []string{referer, agent, e.before, e.Decision, e.Alert} {
		dst = append(appendEscaped(append(dst, ` "`...), cmp.Or(text, "-")), '"')
	}
	return append(dst, '\n')
}

// appendEscaped appends a text as nginx does: quotes, backslashes, controls and what is not ASCII as \xHH.
func appendEscaped(dst []byte, text string) []byte {
	const digits = "0123456789ABCDEF"
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			dst = append(dst, '\\', 'x', digits[c>>4], digits[c&15])
		} else {
			dst = append(dst, c)
		}
	}
	return dst
}
