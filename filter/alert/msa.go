package alert

import (
	"strconv"
	"strings"
)

// msaEngine is what ModSecurity for Anylog writes as alert_engine; receivers select its alerts by it.
const msaEngine = "modsecurity"

// appendMSA appends the flat alert of ModSecurity for Anylog: all values are texts, the order is fixed, and the four payload
// fields come when they are asked for. What it does not know comes last, where there is something to say.
func (a *Alert) appendMSA(dst []byte, payload bool) []byte {
	m := a.ruleIn(MSA)
	d := newDocument(dst)
	d.always("rule_id", strconv.Itoa(m.Rule.ID))
	d.always("alert_engine", msaEngine)
	d.always("time", a.beginText())
	d.always("message", a.Message)
	d.always("forward", a.Forward)
	d.always("retcode", a.Status)
	d.always("source", a.Source)
	d.always("src_ip", a.ClientIP)
	d.always("dst_ip", a.ServerIP)
	d.always("geoip", a.Geo)
	d.always("src_port", a.ClientPort)
	d.always("dst_port", a.ServerPort)
	d.always("host", a.Sensor)
	d.always("domain", a.Domain)
	d.always("url", a.URI)
	d.always("method", a.Method)
	d.always("msg", m.Message)
	d.always("matched", m.Wording())
	d.always("severity", strconv.Itoa(a.Severity))
	if payload {
		d.always("req_header", a.RequestHead)
		d.always("req_body", a.RequestBody)
		d.always("rsp_header", a.ReplyHead)
		d.always("rsp_body", a.ReplyBody)
	}
	d.text("redacted", strings.Join(a.Redacted, ","))
	d.text("incident_id", a.Incident)
	if a.Repeats != nil {
		d.always("count", strconv.Itoa(a.Repeats.Count))
		d.always("first_seen", timestamp(a.Repeats.First))
		d.always("last_seen", timestamp(a.Repeats.Last))
	}
	return d.end()
}

const secondsLayout = "2006-01-02 15:04:05"

// beginText returns the begin of the transaction without fractions; a record without one has the event's time in UTC.
func (a *Alert) beginText() string {
	if len(a.Begin) > len(secondsLayout) && a.Begin[len(secondsLayout)] == '.' {
		return a.Begin[:len(secondsLayout)]
	}
	if a.Begin != "" {
		return a.Begin
	}
	return a.Time.UTC().Format(secondsLayout)
}
