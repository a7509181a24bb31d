package ftw_test

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/tinylib/msgp/msgp"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/ftw"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// The connection of all exchanges.
const (
	clientIP   = "192.0.2.10"
	clientPort = 40123
	serverIP   = "198.51.100.20"
	serverPort = 80
)

// partRecord is a record of an exchange as a Nano probe sends it, without the raw heads.
func partRecord(s *ftw.Stage) []byte { return event(parts(s)) }

// headRecord is a record of an exchange as a Nano probe sends it.
func headRecord(s *ftw.Stage) []byte {
	return event(append(parts(s), "REQ_HEADER", s.Request.Head(), "RSP_HEADER", s.Response.Head()))
}

func parts(s *ftw.Stage) []string {
	r := &s.Request
	fields := []string{
		"BEGIN_TIME", "2024-05-30 07:16:48.917", "host", "10.64.1.254", "SRC_IP", clientIP, "SRC_PORT", strconv.Itoa(clientPort),
		"DST_IP", serverIP, "DST_PORT", strconv.Itoa(serverPort), "FORWARD", "0.0.0.0", "RETCODE", strconv.Itoa(s.Response.Status),
		"METHOD", r.Method, "URL", r.URI, "DOMAIN", r.Header("Host"), "AGENT", r.Header("User-Agent"),
		"REQ_BODY", r.Body, "RSP_BODY", s.Response.Body, "L7_PROTOCOL", "http",
	}
	for _, optional := range [...]struct{ key, header string }{{"REFERER", "Referer"}, {"COOKIE", "Cookie"}} {
		if value := r.Header(optional.header); value != "" {
			fields = append(fields, optional.key, value)
		}
	}
	return fields
}

// event writes keys and values as the body of an event of Fluent Bit: [[timestamp, {}], body].
func event(fields []string) []byte {
	b := msgp.AppendMapHeader([]byte{0x92, 0x92, 0xd7, 0x00, 0x66, 0x58, 0, 0, 0, 0, 0, 1, 0x80}, uint32(len(fields)/2))
	for _, field := range fields {
		b = msgp.AppendString(b, field)
	}
	return b
}

// inspectRecord sends one record through a filter.
func inspectRecord(f *filter.Filter, record []byte) (ruling, error) {
	found := f.Check(record)
	if len(found) != 1 || found[0].Verdict == nil {
		return ruling{}, fmt.Errorf("record without a verdict: %+v", found)
	}
	if alerts := found[0].Kind == filter.Alert; alerts != found[0].Verdict.Blocked {
		return ruling{}, fmt.Errorf("alert %v, and blocked %v", alerts, found[0].Verdict.Blocked)
	}
	return rulingOfVerdict(found[0].Verdict), nil
}

// rulingOfVerdict puts a verdict into the suite's words: rules that sum up are no matches of a verdict, but its scores and
// whether it blocks say the same.
func rulingOfVerdict(v *rules.Verdict) ruling {
	r := ruling{inbound: v.Inbound, outbound: v.Outbound}
	var text strings.Builder
	for _, m := range v.Matches {
		r.ids = append(r.ids, m.Rule.ID)
		writeMatch(&text, m.Rule.ID, m.Message, m.Data)
	}
	evaluate := func(id int, holds bool, message string) {
		if holds {
			r.evaluations = append(r.evaluations, id)
			writeMatch(&text, id, message, "")
		}
	}
	const inboundThreshold, outboundThreshold = 5, 4
	evaluate(949110, v.Blocked && v.Inbound >= inboundThreshold, fmt.Sprintf("Inbound Anomaly Score Exceeded (Total Score: %d)", v.Inbound))
	evaluate(959100, v.Blocked && v.Outbound >= outboundThreshold, fmt.Sprintf("Outbound Anomaly Score Exceeded (Total Score: %d)", v.Outbound))
	evaluate(980170, v.Score() > 0, "Anomaly Scores")
	r.text = text.String()
	return r
}

// writeMatch writes a line as error logs have it, line breaks escaped.
func writeMatch(text *strings.Builder, id int, message, data string) {
	fmt.Fprintf(text, "[id \"%d\"] [msg \"%s\"] [data \"%s\"]\n", id, message, lineBreaks.Replace(data))
}

var lineBreaks = strings.NewReplacer("\r", `\r`, "\n", `\n`)
