package alert

import (
	"strconv"
	"strings"
)

// ecsVersion is that of the Elastic Common Schema.
const ecsVersion = "8.17.0"

// What alerts call the product where a format asks for it.
const (
	vendor  = "fluent-bit-waf"
	product = "fluent-bit-waf"
)

// appendECS appends an alert of the Elastic Common Schema. What that has no field for is in the set "waf".
func (a *Alert) appendECS(dst []byte, payload bool) []byte {
	d := newDocument(dst)
	d.always("@timestamp", timestamp(a.Time))
	d.object("ecs", func() { d.always("version", ecsVersion) })
	d.always("message", a.Rule().Message)
	d.texts("tags", append([]string{"fluent-bit-waf"}, a.Categories()...))
	d.object("event", func() { a.ecsEvent(d) })
	d.object("rule", func() { a.ecsRule(d) })
	a.ecsNetwork(d)
	a.ecsHTTP(d, payload)
	a.ecsOrigin(d)
	d.object("waf", func() {
		a.findings(d)
		d.texts("tags", a.tags())
		d.list("rules", len(a.Matches), func(i int) { a.rule(d, i) })
		if payload {
			d.text("req_header", a.RequestHead)
			d.text("rsp_header", a.ReplyHead)
		}
		d.object("network", func() { d.pairs(a.Network) })
	})
	return d.end()
}

// ecsOutcomes say how the attack went from the point of view of who made it.
var ecsOutcomes = map[Outcome][2]string{ // event.outcome and event.type
	Blocked: {"failure", "denied"}, Attempted: {"unknown", "info"}, LikelySucceeded: {"success", "allowed"}, "": {"unknown", "info"},
}

func (a *Alert) ecsEvent(d *document) {
	outcome := ecsOutcomes[a.Outcome]
	d.always("kind", "alert")
	d.alwaysTexts("category", []string{"web", "intrusion_detection"})
	d.alwaysTexts("type", []string{outcome[1]})
	d.always("outcome", outcome[0])
	d.text("reason", a.Reason)
	d.always("action", a.ecsAction())
	d.always("id", a.UID)
	d.always("module", "waf")
	d.always("dataset", "waf.alert")
	d.always("provider", Engine)
	d.number("severity", int64(a.Severity))
	d.number("risk_score", int64(a.Score))
	if a.Repeats != nil {
		d.always("start", timestamp(a.Repeats.First))
		d.always("end", timestamp(a.Repeats.Last))
	}
}

// ecsAction is what the program that made the alert has done. Where it reads logs, somebody else has blocked a request.
func (a *Alert) ecsAction() string {
	if a.Producer.Inline && a.Outcome == Blocked {
		return "web-attack-blocked"
	}
	return "web-attack-detected"
}

func (a *Alert) ecsRule(d *document) {
	m := a.Rule()
	d.always("id", strconv.Itoa(m.Rule.ID))
	d.always("name", m.Message)
	d.text("category", m.Rule.Category())
	d.text("version", m.Rule.Version)
	d.text("ruleset", a.RuleSet)
}

// rule writes one of the rules that matched.
func (a *Alert) rule(d *document, i int) {
	m := &a.Matches[i]
	d.always("id", strconv.Itoa(m.Rule.ID))
	d.always("msg", m.Message)
	d.always("severity", m.Rule.Severity.String())
	d.text("category", m.Rule.Category())
	if level := m.Rule.Paranoia(); level > 0 {
		d.number("paranoia", int64(level))
	}
	d.text("matched", m.Wording())
	d.text("data", m.Data)
}

func (a *Alert) ecsNetwork(d *document) {
	end := func(ip, port, domain string) func() {
		return func() {
			d.text("address", ip)
			if isAddress(ip) {
				d.always("ip", ip)
			}
			d.numeral("port", port)
			d.text("domain", domain)
		}
	}
	d.object("source", end(a.ClientIP, a.ClientPort, ""))
	d.object("destination", end(a.ServerIP, a.ServerPort, a.ServerName))
	d.object("network", func() {
		if a.HTTP {
			d.always("protocol", "http")
		}
		d.text("transport", strings.ToLower(a.network("l4_protocol")))
		d.numeral("bytes", a.network("bytes"))
		if isAddress(a.Forward) {
			d.always("forwarded_ip", a.Forward)
		}
	})
	d.object("related", func() {
		d.texts("ip", a.addresses())
		if a.ServerName != "" {
			d.alwaysTexts("hosts", []string{a.ServerName})
		}
	})
}

func (a *Alert) ecsHTTP(d *document, payload bool) {
	path, query := splitTarget(a.URI)
	d.object("url", func() {
		d.text("original", a.URI)
		d.text("domain", bracketed(a.ServerName))
		d.text("path", path)
		d.text("query", query)
	})
	d.object("http", func() {
		d.text("version", a.version())
		d.object("request", func() {
			d.text("method", a.Method)
			d.text("referrer", a.Referer)
			if payload {
				d.object("body", func() { d.text("content", a.RequestBody) })
			}
		})
		d.object("response", func() {
			d.numeral("status_code", a.Status)
			if payload {
				d.object("body", func() { d.text("content", a.ReplyBody) })
			}
		})
	})
	d.object("user_agent", func() { d.text("original", a.UserAgent) })
	d.object("threat", func() {
		if ids := a.techniques(); len(ids) > 0 {
			d.always("framework", "MITRE ATT&CK")
			d.object("technique", func() { d.texts("id", ids) })
		}
	})
}

// ecsOrigin writes who has seen the transaction, and in which workload.
func (a *Alert) ecsOrigin(d *document) {
	p := &a.Place
	d.object("observer", func() {
		d.always("vendor", vendor)
		d.always("product", product)
		d.always("type", "waf")
		d.text("hostname", a.Sensor)
		d.object("ingress", func() { d.object("interface", func() { d.text("name", a.network("card")) }) })
	})
	d.object("host", func() { d.text("name", p.Node) })
	d.object("container", func() {
		d.text("id", p.ContainerID)
		d.text("name", p.Container)
		d.object("image", func() { d.text("name", p.Image) })
	})
	if p.Pod == "" {
		return
	}
	d.object("orchestrator", func() {
		d.always("type", "kubernetes")
		d.text("namespace", p.Namespace)
		d.object("resource", func() {
			d.always("type", "pod")
			d.always("name", p.Pod)
			d.text("id", p.PodID)
			if isAddress(p.PodIP) {
				d.alwaysTexts("ip", []string{p.PodIP})
			}
			d.texts("label", p.labels())
		})
	})
}
