package alert

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/visible"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// cefSeverities are those of the Common Event Format, 0 to 10, by syslog's numbers.
var cefSeverities = [...]int{10, 10, 9, 7, 5, 3, 2, 1}

// Line returns the alert as one line of the Common Event Format (version 0). Heads and bodies have no place in it. The short
// and telling fields come first, so that a line that is cut at its end keeps them.
func (a *Alert) Line() string {
	m := a.Rule()
	line := newCEFLine(a.RuleSet, strconv.Itoa(m.Rule.ID), m.Message, a.Severity)
	a.cefEnds(line)
	a.cefVerdict(line, m)
	a.cefOrigin(line)
	a.cefRequest(line, m)
	return line.text.String()
}

func (a *Alert) cefEnds(line *cefLine) {
	line.add("rt", strconv.FormatInt(a.Time.UnixMilli(), 10), 0)
	line.address(a.ClientIP, "src", "c6a2", "Source IPv6 Address")
	line.port("spt", a.ClientPort)
	line.address(a.ServerIP, "dst", "c6a3", "Destination IPv6 Address")
	line.port("dpt", a.ServerPort)
	line.add("dhost", a.ServerName, 1023)
	line.add("externalId", a.UID, 40)
	line.add(cefIncident, a.Incident, 40)
}

func (a *Alert) cefVerdict(line *cefLine, m *rules.Match) {
	line.add("act", string(a.Outcome), 63)
	line.add("cat", m.Rule.Category(), 1023)
	if a.HTTP {
		line.add("app", "HTTP", 31)
	}
	line.add("proto", strings.ToUpper(a.network("l4_protocol")), 31)
	line.labeled("cn1", strconv.Itoa(a.Score), "Anomaly Score")
	if _, err := strconv.Atoi(a.Status); err == nil {
		line.labeled("cn2", a.Status, "HTTP Status")
	}
	if r := a.Repeats; r != nil {
		line.add("cnt", strconv.Itoa(r.Count), 0)
		line.add("start", strconv.FormatInt(r.First.UnixMilli(), 10), 0)
		line.add("end", strconv.FormatInt(r.Last.UnixMilli(), 10), 0)
	}
	line.add("reason", a.Reason, 1023)
	line.labeled("cs1", strings.Join(a.ruleIDs(), ","), "Rules")
	var scores []string
	for _, s := range a.Scores {
		scores = append(scores, s.Name+" "+strconv.Itoa(s.Value))
	}
	line.labeled("cs2", strings.Join(scores, ", "), "Scores")
	line.labeled("cs3", strings.Join(a.Inspected, ","), "Inspected")
	line.labeled("cs4", strings.Join(a.Redacted, ","), "Redacted")
}

// cefOrigin writes who has seen the transaction, and in which workload.
func (a *Alert) cefOrigin(line *cefLine) {
	p := &a.Place
	line.add("dvchost", a.Sensor, 100)
	line.add("deviceInboundInterface", a.network("card"), 128)
	if p.Pod != "" {
		line.labeled("cs5", strings.Join([]string{p.Namespace, p.Pod, p.Container, p.Node}, "/"), "Kubernetes")
	}
	if isAddress(a.Forward) {
		line.labeled("flexString1", a.Forward, "Forwarded For")
	}
}

// cefRequest writes the long fields.
func (a *Alert) cefRequest(line *cefLine, m *rules.Match) {
	line.add("requestMethod", a.Method, 1023)
	line.add("request", a.URI, 1023)
	line.add("msg", m.Wording(), 1023)
	line.labeled("cs6", m.Data, "Matched Data")
	line.labeled("flexString2", strings.Join(a.tags(), ","), "Tags")
	line.add("requestClientApplication", a.UserAgent, 1023)
	line.add("requestContext", a.Referer, 2048)
}

// cefIncident is a key of our own, as the format wants one: with the name of the product before it. No other has a place left for it.
const cefIncident = "fluentBitWafIncident"

// longestCustom is how many bytes of cs1 to cs6 and the flex strings receivers take.
const longestCustom = 1023

var (
	cefHeader = strings.NewReplacer(`\`, `\\`, "|", `\|`, "\r", " ", "\n", " ")
	cefValue  = strings.NewReplacer(`\`, `\\`, "=", `\=`, "\r", `\r`, "\n", `\n`)
)

// withoutControls puts spaces in the place of characters that terminals obey or receivers take for the end of a line.
func withoutControls(text string) string {
	return strings.Map(func(r rune) rune {
		if visible.IsControl(r) {
			return ' '
		}
		return r
	}, text)
}

// newCEFLine returns a line with its head: a version, which is that of what has found something, a class, a name, and a severity in
// syslog's numbers.
func newCEFLine(version, class, name string, severity int) *cefLine {
	line := &cefLine{}
	line.text.WriteString("CEF:0")
	for _, field := range []string{
		vendor, product, version, class, name, strconv.Itoa(cefSeverities[max(0, min(severity, len(cefSeverities)-1))]),
	} {
		line.text.WriteByte('|')
		line.text.WriteString(withoutControls(cefHeader.Replace(strings.ToValidUTF8(field, replacement))))
	}
	line.text.WriteByte('|')
	return line
}

// cefLine writes the fields behind the head of a line.
type cefLine struct {
	text    strings.Builder
	members int
}

// add writes a field that is not empty, with at most limit bytes of its value; 0 sets no limit.
func (l *cefLine) add(key, value string, limit int) {
	if value == "" {
		return
	}
	if limit > 0 && len(value) > limit {
		for limit > 0 && !utf8.RuneStart(value[limit]) {
			limit--
		}
		value = value[:limit]
	}
	if l.members++; l.members > 1 {
		l.text.WriteByte(' ')
	}
	l.text.WriteString(key)
	l.text.WriteByte('=')
	l.text.WriteString(withoutControls(cefValue.Replace(strings.ToValidUTF8(strings.TrimSpace(value), replacement))))
}

// labeled writes a custom field and what it is.
func (l *cefLine) labeled(key, value, label string) {
	if value != "" {
		l.add(key+"Label", label, 0)
		l.add(key, value, longestCustom)
	}
}

// address writes an address under the key for its version.
func (l *cefLine) address(ip, key, key6, label6 string) {
	switch {
	case !isAddress(ip):
	case isIPv6(ip):
		l.labeled(key6, ip, label6)
	default:
		l.add(key, ip, 0)
	}
}

func (l *cefLine) port(key, port string) {
	if n, err := strconv.ParseUint(port, 10, 16); err == nil {
		l.add(key, strconv.FormatUint(n, 10), 0)
	}
}
