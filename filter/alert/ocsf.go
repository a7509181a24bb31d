package alert

import (
	"strconv"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// ocsfVersion is that of the Open Cybersecurity Schema Framework. An alert is a Detection Finding of it, with the profile for
// what controls security.
const ocsfVersion = "1.5.0"

// appendOCSF appends a Detection Finding. What that has no attribute for is in "unmapped".
func (a *Alert) appendOCSF(dst []byte, payload bool) []byte {
	d := newDocument(dst)
	d.number("class_uid", 2004)
	d.always("class_name", "Detection Finding")
	d.number("category_uid", 2)
	d.always("category_name", "Findings")
	d.number("activity_id", 1)
	d.always("activity_name", "Create")
	d.number("type_uid", 200401)
	d.always("type_name", "Detection Finding: Create")
	d.number("time", a.Time.UnixMilli())
	a.ocsfState(d)
	d.object("metadata", func() {
		d.always("version", ocsfVersion)
		d.always("uid", a.UID)
		d.alwaysTexts("profiles", []string{"security_control"})
		d.object("product", func() {
			d.always("name", product)
			d.always("vendor_name", vendor)
			d.object("feature", func() { d.always("name", Engine) })
		})
	})
	d.object("finding_info", func() { a.ocsfFinding(d) })
	a.ocsfAttacks(d)
	if a.HTTP {
		d.list("evidences", 1, func(int) { a.ocsfEvidence(d, payload) })
	}
	a.ocsfResource(d)
	d.object("unmapped", func() {
		a.findings(d)
		d.texts("tags", a.tags())
		if payload {
			d.text("req_body", a.RequestBody)
			d.text("rsp_body", a.ReplyBody)
		}
		d.text("sensor", a.Sensor)
		d.object("network", func() { d.pairs(a.Network) })
	})
	return d.end()
}

// ocsfSeverities are OCSF's severities by syslog's numbers.
var ocsfSeverities = [...]struct {
	id   int64
	name string
}{
	{6, "Fatal"}, {6, "Fatal"}, {5, "Critical"}, {4, "High"}, {3, "Medium"}, {2, "Low"}, {1, "Informational"}, {1, "Informational"},
}

// ocsfOutcomes are what was done about an attack, and with what result.
var ocsfOutcomes = map[Outcome]struct {
	action, disposition         int64
	actionName, dispositionName string
}{
	Blocked: {2, 2, "Denied", "Blocked"}, Attempted: {3, 15, "Observed", "Detected"}, LikelySucceeded: {1, 1, "Allowed", "Allowed"},
	"": {0, 0, "Unknown", "Unknown"},
}

// ocsfState writes how bad it is and how it went.
func (a *Alert) ocsfState(d *document) {
	severity, outcome := ocsfSeverities[max(0, min(a.Severity, len(ocsfSeverities)-1))], ocsfOutcomes[a.Outcome]
	d.number("severity_id", severity.id)
	d.always("severity", severity.name)
	d.number("status_id", 1)
	d.always("status", "New")
	d.text("status_detail", a.Reason)
	d.number("action_id", outcome.action)
	d.always("action", outcome.actionName)
	d.number("disposition_id", outcome.disposition)
	d.always("disposition", outcome.dispositionName)
	d.number("risk_score", int64(a.Score))
	d.flag("is_alert", true)
	d.always("message", a.Rule().Message)
	if r := a.Repeats; r != nil {
		d.number("count", int64(r.Count))
		d.number("start_time", r.First.UnixMilli())
		d.number("end_time", r.Last.UnixMilli())
	}
}

func (a *Alert) ocsfFinding(d *document) {
	m := a.Rule()
	d.always("uid", a.UID)
	d.always("title", m.Message)
	d.text("desc", m.Wording())
	d.texts("types", a.Categories())
	d.object("analytic", func() { a.ocsfAnalytic(d, m) })
	related := a.others(m)
	d.list("related_analytics", len(related), func(i int) { a.ocsfAnalytic(d, related[i]) })
	a.ocsfAttacks(d)
	first, last := a.Time, a.Time
	if a.Repeats != nil {
		first, last = a.Repeats.First, a.Repeats.Last
	}
	times(d, first, last)
}

// others returns all matches but one.
func (a *Alert) others(but *rules.Match) (all []*rules.Match) {
	for i := range a.Matches {
		if m := &a.Matches[i]; m != but {
			all = append(all, m)
		}
	}
	return all
}

func times(d *document, first, last time.Time) {
	d.number("first_seen_time", first.UnixMilli())
	d.number("last_seen_time", last.UnixMilli())
}

func (a *Alert) ocsfAnalytic(d *document, m *rules.Match) {
	d.number("type_id", 1)
	d.always("type", "Rule")
	d.always("uid", strconv.Itoa(m.Rule.ID))
	d.always("name", m.Message)
	d.text("category", m.Rule.Category())
	d.text("version", m.Rule.Version)
	d.text("desc", m.Data)
}

func (a *Alert) ocsfAttacks(d *document) {
	ids := a.techniques()
	d.list("attacks", len(ids), func(i int) { d.object("technique", func() { d.always("uid", ids[i]) }) })
}

// ocsfEvidence writes the transaction.
func (a *Alert) ocsfEvidence(d *document, payload bool) {
	end := func(ip, port, host string) func() {
		return func() {
			if isAddress(ip) {
				d.always("ip", ip)
				d.numeral("port", port)
			}
			d.text("hostname", host)
		}
	}
	path, query := splitTarget(a.URI)
	d.object("src_endpoint", end(a.ClientIP, a.ClientPort, ""))
	d.object("dst_endpoint", end(a.ServerIP, a.ServerPort, a.ServerName))
	d.object("url", func() {
		d.always("url_string", a.URI)
		d.text("hostname", a.ServerName)
		d.text("path", path)
		d.text("query_string", query)
	})
	d.object("http_request", func() {
		d.text("http_method", a.Method)
		d.text("version", a.version())
		d.text("user_agent", a.UserAgent)
		d.text("referrer", a.Referer)
		d.texts("x_forwarded_for", a.Forwarded)
		if payload {
			headers(d, a.RequestHeaders)
		}
	})
	if _, err := strconv.Atoi(a.Status); err != nil {
		return
	}
	d.object("http_response", func() {
		d.numeral("code", a.Status)
		if payload {
			headers(d, a.ReplyHeaders)
		}
	})
}

func headers(d *document, all []rules.Header) {
	d.list("http_headers", len(all), func(i int) {
		d.always("name", all[i].Name)
		d.always("value", all[i].Value)
	})
}

// ocsfResource writes the workload.
func (a *Alert) ocsfResource(d *document) {
	p := &a.Place
	if p.Pod == "" {
		return
	}
	d.list("resources", 1, func(int) {
		d.always("type", "pod")
		d.always("name", p.Pod)
		d.text("uid", p.PodID)
		d.text("namespace", p.Namespace)
		d.text("hostname", p.Node)
		d.texts("labels", p.labels())
	})
}
