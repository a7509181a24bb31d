package alert

import (
	"cmp"
	"os"
	"strconv"
	"strings"
	"sync"
)

// machine is the name of this one, for records that do not say where they come from.
var machine = sync.OnceValue(func() string {
	name, _ := os.Hostname()
	return cmp.Or(name, "unknown")
})

// appendGELF appends a document of the Graylog Extended Log Format 1.1, which has texts and numbers only.
func (a *Alert) appendGELF(dst []byte, payload bool) []byte {
	m := a.Rule()
	d := newDocument(dst)
	d.always("version", "1.1")
	d.always("host", cmp.Or(a.Sensor, a.Place.Node, machine()))
	d.always("short_message", cmp.Or(m.Message, "web attack"))
	d.text("full_message", a.list())
	d.key("timestamp")
	d.float(float64(a.Time.UnixMilli()) / 1000)
	d.number("level", int64(max(0, min(a.Severity, 7))))
	d.always("_alert_id", a.UID)
	d.always("_rule_id", strconv.Itoa(m.Rule.ID))
	d.text("_rule_ids", strings.Join(a.ruleIDs(), ","))
	d.text("_rule_category", m.Rule.Category())
	d.text("_categories", strings.Join(a.Categories(), ","))
	d.text("_tags", strings.Join(a.tags(), ","))
	d.text("_techniques", strings.Join(a.techniques(), ","))
	d.text("_matched", m.Wording())
	d.text("_outcome", string(a.Outcome))
	d.text("_reason", a.Reason)
	d.text("_incident_id", a.Incident)
	d.number("_score", int64(a.Score))
	for _, s := range a.Scores {
		d.number("_score_"+s.Name, int64(s.Value))
	}
	a.gelfTransaction(d)
	a.gelfOrigin(d)
	if payload {
		d.text("_req_header", a.RequestHead)
		d.text("_req_body", a.RequestBody)
		d.text("_rsp_header", a.ReplyHead)
		d.text("_rsp_body", a.ReplyBody)
	}
	return d.end()
}

// list is one line for each rule that matched.
func (a *Alert) list() string {
	var lines []string
	for i := range a.Matches {
		m := &a.Matches[i]
		lines = append(lines, strings.TrimSpace(strconv.Itoa(m.Rule.ID)+" "+m.Rule.Severity.String()+": "+m.Message+". "+m.Data))
	}
	return strings.Join(lines, "\n")
}

func (a *Alert) gelfTransaction(d *document) {
	d.text("_src_ip", a.ClientIP)
	d.numeral("_src_port", a.ClientPort)
	d.text("_dst_ip", a.ServerIP)
	d.numeral("_dst_port", a.ServerPort)
	if isAddress(a.Forward) {
		d.always("_forward", a.Forward)
	}
	d.text("_method", a.Method)
	d.text("_url", a.URI)
	d.text("_domain", a.Domain)
	d.text("_user_agent", a.UserAgent)
	d.text("_referer", a.Referer)
	d.numeral("_retcode", a.Status)
	d.text("_inspected", strings.Join(a.Inspected, ","))
	d.always("_truncated", strconv.FormatBool(a.Truncated))
	d.text("_partial", strings.Join(a.Partial, ","))
	d.text("_redacted", strings.Join(a.Redacted, ","))
	if r := a.Repeats; r != nil {
		d.number("_count", int64(r.Count))
		d.always("_first_seen", timestamp(r.First))
		d.always("_last_seen", timestamp(r.Last))
	}
}

func (a *Alert) gelfOrigin(d *document) {
	p := &a.Place
	d.text("_rule_set", a.RuleSet)
	d.text("_label", a.Message)
	d.text("_source_label", a.Source)
	d.text("_geoip", a.Geo)
	d.text("_namespace", p.Namespace)
	d.text("_pod", p.Pod)
	d.text("_container", p.Container)
	d.text("_node", p.Node)
	d.text("_labels", strings.Join(p.labels(), ","))
	for _, n := range a.Network {
		d.always("_network_"+n.Name, n.Value)
	}
}
