package alert

import (
	"strconv"
	"strings"

	"github.com/tinylib/msgp/msgp"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// ctimeLayout is how libmodsecurity writes times.
const ctimeLayout = "Mon Jan _2 15:04:05 2006"

// appendModSecurity appends an entry of libmodsecurity's audit log in JSON, with "waf" beside it for what that does not have.
func (a *Alert) appendModSecurity(dst []byte, payload bool) []byte {
	d := newDocument(dst)
	d.object("transaction", func() {
		d.always("client_ip", a.ClientIP)
		d.always("time_stamp", a.Time.UTC().Format(ctimeLayout))
		d.always("server_id", a.Sensor)
		d.number("client_port", number(a.ClientPort))
		d.always("host_ip", a.ServerIP)
		d.number("host_port", number(a.ServerPort))
		d.always("unique_id", a.UID)
		d.object("request", func() {
			d.always("method", a.Method)
			d.key("http_version")
			version, _ := strconv.ParseFloat(a.version(), 64) // 0 when the log does not say it
			d.bytes = msgp.AppendFloat64(d.bytes, version)
			d.always("uri", a.URI)
			if payload {
				d.always("body", a.RequestBody)
			}
			headerMap(d, a.RequestHeaders)
		})
		d.object("response", func() {
			if payload {
				d.always("body", a.ReplyBody)
			}
			d.number("http_code", number(a.Status))
			headerMap(d, a.ReplyHeaders)
		})
		d.object("producer", func() {
			d.always("modsecurity", product)
			d.always("connector", a.Producer.program())
			d.always("secrules_engine", a.Producer.engine())
			d.alwaysTexts("components", []string{a.RuleSet})
		})
		a.messages(d)
	})
	d.object("waf", func() {
		a.findings(d)
		a.place(d)
		d.object("network", func() { d.pairs(a.Network) })
	})
	return d.end()
}

func number(text string) int64 {
	n, _ := strconv.ParseInt(text, 10, 64) // 0 when the log does not say it
	return n
}

// headerMap writes headers by their names; those of a name that comes several times are joined, as HTTP allows.
func headerMap(d *document, all []rules.Header) {
	d.key("headers")
	d.push(len(d.bytes))
	defer d.pop()
	written := map[string]bool{}
	for i := range all {
		name := strings.ToLower(all[i].Name)
		if written[name] {
			continue
		}
		written[name] = true
		value := all[i].Value
		for _, more := range all[i+1:] {
			if strings.EqualFold(more.Name, name) {
				value += ", " + more.Value
			}
		}
		d.always(all[i].Name, value)
	}
}

// messages writes every rule that matched. Notices have a message without a rule.
func (a *Alert) messages(d *document) {
	matches := a.Matches
	if len(matches) == 0 {
		matches = []rules.Match{*a.Rule()}
	}
	d.list("messages", len(matches), func(i int) {
		m := &matches[i]
		d.always("message", m.Message)
		d.object("details", func() {
			d.always("match", m.Wording())
			d.always("reference", "")
			d.always("ruleId", strconv.Itoa(m.Rule.ID))
			d.always("file", m.Rule.File)
			d.always("lineNumber", strconv.Itoa(m.Rule.Line))
			d.always("data", m.Data)
			d.always("severity", strconv.Itoa(m.Severity()))
			d.always("ver", m.Rule.Version)
			d.always("rev", m.Rule.Revision)
			d.alwaysTexts("tags", m.Rule.Tags)
			d.always("maturity", orZero(m.Rule.Maturity))
			d.always("accuracy", orZero(m.Rule.Accuracy))
		})
	})
}

// orZero is what libmodsecurity writes for what a rule does not say.
func orZero(text string) string {
	if text == "" {
		return "0"
	}
	return text
}
