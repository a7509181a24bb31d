package alert

import (
	"slices"
	"strconv"
)

// Format is a way to write alerts.
type Format string

// The formats. Record is the record itself with the map of AppendMap in it; the others are alerts of their own.
const (
	MSA         Format = "msa"
	Record      Format = "record"
	ECS         Format = "ecs"
	OCSF        Format = "ocsf"
	ModSecurity Format = "modsecurity"
	CEF         Format = "cef"
	GELF        Format = "gelf"
)

// Formats returns the names of all formats.
func Formats() []string {
	names := []Format{MSA, Record, ECS, OCSF, ModSecurity, CEF, GELF}
	all := make([]string, len(names))
	for i, n := range names {
		all[i] = string(n)
	}
	return all
}

// HasPayload reports whether alerts of the format have a place for heads and bodies. A copy of a record has them anyway.
func (f Format) HasPayload() bool { return f != CEF && f != Record }

// Append appends the alert as a msgpack map. Of Record, which needs the record, it appends the map alone. That of CEF has the
// line as its member "message". Without payload heads and bodies are skipped, where the format has a place for them.
func (a *Alert) Append(dst []byte, f Format, payload bool) []byte {
	switch f {
	case ECS:
		return a.appendECS(dst, payload)
	case OCSF:
		return a.appendOCSF(dst, payload)
	case ModSecurity:
		return a.appendModSecurity(dst, payload)
	case CEF:
		d := newDocument(dst)
		d.always("message", a.Line())
		return d.end()
	case GELF:
		return a.appendGELF(dst, payload)
	case Record:
		return a.AppendMap(dst)
	default:
		return a.appendMSA(dst, payload)
	}
}

// findings writes what formats have no place of their own for.
func (a *Alert) findings(d *document) {
	d.text("outcome", string(a.Outcome))
	d.text("reason", a.Reason)
	d.texts("categories", a.Categories())
	d.always("rule_id", strconv.Itoa(a.Rule().Rule.ID))
	d.texts("rule_ids", a.ruleIDs())
	d.number("score", int64(a.Score))
	a.scores(d)
	d.texts("inspected", a.Inspected)
	d.flag("truncated", a.Truncated)
	d.texts("partial", a.Partial)
	d.texts("redacted", a.Redacted)
	a.repeats(d)
	d.object("incident", func() { d.text("id", a.Incident) })
	d.text("engine", Engine)
	d.text("rule_set", a.RuleSet)
	d.text("label", a.Message)
	d.text("source", a.Source)
	d.text("geoip", a.Geo)
}

// place writes the workload in the words of Fluent Bit's filter kubernetes.
func (a *Alert) place(d *document) {
	p := &a.Place
	d.object("kubernetes", func() {
		d.text("namespace_name", p.Namespace)
		d.text("pod_name", p.Pod)
		d.text("pod_id", p.PodID)
		d.text("pod_ip", p.PodIP)
		d.text("host", p.Node)
		d.text("container_name", p.Container)
		d.text("container_id", p.ContainerID)
		d.text("container_image", p.Image)
		d.object("labels", func() { d.pairs(p.Labels) })
	})
}

// techniques returns the techniques of MITRE ATT&CK that the rules name, or that go with the kinds of attacks.
func (a *Alert) techniques() []string {
	return a.each(techniquesOf)
}

// addresses returns the addresses that the alert is about, each once.
func (a *Alert) addresses() (all []string) {
	for _, ip := range append([]string{a.ClientIP, a.ServerIP, a.Forward}, a.Forwarded...) {
		if isAddress(ip) && !slices.Contains(all, ip) {
			all = append(all, ip)
		}
	}
	return all
}
