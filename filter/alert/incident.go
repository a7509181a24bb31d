package alert

import (
	"strconv"
	"strings"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/incident"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// syslogSeverities are the severities of incidents in syslog's numbers.
var syslogSeverities = [...]int{incident.Info: 6, incident.Low: 5, incident.Medium: 4, incident.High: 3, incident.Critical: 2}

// IncidentSeverity returns the severity of an incident in syslog's numbers.
func IncidentSeverity(i *incident.Incident) int {
	return syslogSeverities[min(int(i.Severity), len(syslogSeverities)-1)]
}

// IncidentTime returns the time of an event about an incident: of the last record that belongs to it.
func IncidentTime(i *incident.Incident) time.Time { return time.UnixMilli(i.Last) }

// AppendIncident appends an event about an incident as a msgpack map. Formats that have no place for incidents, which are those about one
// transaction, get a flat map of texts.
func AppendIncident(dst []byte, i *incident.Incident, f Format) []byte {
	switch f {
	case ECS:
		return ecsIncident(dst, i)
	case OCSF:
		return ocsfIncident(dst, i)
	case CEF:
		d := newDocument(dst)
		d.always("message", IncidentLine(i))
		return d.end()
	case GELF:
		return gelfIncident(dst, i)
	default:
		return flatIncident(dst, i)
	}
}

// flatIncident has texts only, as the flat alert has, and none of its keys with another meaning.
func flatIncident(dst []byte, i *incident.Incident) []byte {
	d := newDocument(dst)
	d.always("alert_engine", msaEngine)
	d.always("event_id", i.EventID())
	d.always("incident_id", i.ID)
	d.always("incident_status", string(i.Status))
	d.always("incident_kinds", strings.Join(i.KindNames(), ","))
	d.always("msg", i.Summary)
	d.always("severity", strconv.Itoa(IncidentSeverity(i)))
	d.always("severity_name", i.Severity.String())
	d.always("reason", i.Reason)
	d.always("time", time.UnixMilli(i.Last).UTC().Format(secondsLayout))
	d.always("first_seen", timestamp(time.UnixMilli(i.First)))
	d.always("last_seen", timestamp(time.UnixMilli(i.Last)))
	for _, n := range numbersOf(i) {
		d.always(n.name, strconv.Itoa(n.value))
	}
	for _, l := range listsOf(i) {
		d.text(l.name, strings.Join(l.values, ","))
	}
	return d.end()
}

type incidentNumber struct {
	name  string
	value int
}

// numbersOf returns how many of what an incident has: what there is always, and of the rest what is not zero.
func numbersOf(i *incident.Incident) []incidentNumber {
	all := []incidentNumber{
		{"records", i.Records}, {"attacks", i.Attacks}, {"blocked", i.Blocked}, {"attempted", i.Attempted}, {"likely_succeeded", i.Succeeded},
		{"sources_seen", i.SourceSeen}, {"targets_seen", i.TargetSeen},
	}
	for _, n := range []incidentNumber{{"missed", i.Missed}, {"denied", i.Denied}, {"ids", i.IDs}, {"items", i.Items}, {"bytes", i.Bytes}} {
		if n.value != 0 {
			all = append(all, n)
		}
	}
	return all
}

type incidentList struct {
	name   string
	values []string
}

func listsOf(i *incident.Incident) []incidentList {
	return []incidentList{
		{"sources", namesOf(i.Sources)}, {"targets", namesOf(i.Targets)}, {"routes", namesOf(i.Routes)}, {"rules", namesOf(i.Rules)},
		{"categories", namesOf(i.Categories)}, {"techniques", i.Techniques}, {"hops", hopsOf(i)}, {"related", i.Related},
		{"sample_alerts", samplesOf(i)},
	}
}

func namesOf(list []incident.Count) []string {
	all := make([]string, len(list))
	for n := range list {
		all[n] = list[n].Name
	}
	return all
}

// hopsOf returns who moved on to whom, as lines.
func hopsOf(i *incident.Incident) (all []string) {
	for _, h := range i.Hops {
		all = append(all, h.From+" -> "+h.To)
	}
	return all
}

// samplesOf returns the ids of the alerts that an incident shows.
func samplesOf(i *incident.Incident) (all []string) {
	for _, s := range i.Samples {
		if s.Alert != "" {
			all = append(all, s.Alert)
		}
	}
	return all
}

// incidentDetails writes what formats have no place of their own for.
func incidentDetails(d *document, i *incident.Incident) {
	d.always("id", i.ID)
	d.always("status", string(i.Status))
	d.alwaysTexts("kinds", i.KindNames())
	d.always("severity", i.Severity.String())
	for _, n := range numbersOf(i) {
		d.number(n.name, int64(n.value))
	}
	for _, l := range listsOf(i) {
		d.texts(l.name, l.values)
	}
	d.list("findings", len(i.Findings), func(n int) {
		f := &i.Findings[n]
		d.always("kind", string(f.Kind))
		d.always("time", timestamp(time.UnixMilli(f.Time)))
		d.always("severity", f.Severity.String())
		d.always("why", f.Why)
		d.text("route", f.Route)
	})
	d.list("samples", len(i.Samples), func(n int) {
		s := &i.Samples[n]
		d.always("time", timestamp(time.UnixMilli(s.Time)))
		for _, text := range []Pair{{"alert", s.Alert}, {"source", s.Source}, {"target", s.Target}, {"method", s.Method}, {"uri", s.URI},
			{"message", s.Message}, {"outcome", s.Outcome}} {
			d.text(text.Name, text.Value)
		}
		if s.Rule != 0 {
			d.number("rule", int64(s.Rule))
		}
		if s.Status != 0 {
			d.number("http_status", int64(s.Status))
		}
	})
}

// ecsStates are event.action and event.type of an event about an incident.
var ecsStates = map[incident.Status][2]string{
	incident.Open: {"incident-opened", "creation"}, incident.Update: {"incident-updated", "change"}, incident.Closed: {"incident-closed", "end"},
}

func ecsIncident(dst []byte, i *incident.Incident) []byte {
	d := newDocument(dst)
	state := ecsStates[i.Status]
	d.always("@timestamp", timestamp(time.UnixMilli(i.Last)))
	d.object("ecs", func() { d.always("version", ecsVersion) })
	d.always("message", i.Summary)
	d.alwaysTexts("tags", append([]string{"fluent-bit-waf", "incident"}, i.KindNames()...))
	d.object("event", func() {
		d.always("kind", "alert")
		d.alwaysTexts("category", []string{"web", "intrusion_detection"})
		d.alwaysTexts("type", []string{state[1]})
		d.always("action", state[0])
		d.always("outcome", ecsIncidentOutcome(i))
		d.always("reason", i.Reason)
		d.always("id", i.EventID())
		d.always("module", "waf")
		d.always("dataset", "waf.incident")
		d.always("provider", Engine)
		d.number("severity", int64(IncidentSeverity(i)))
		d.always("start", timestamp(time.UnixMilli(i.First)))
		d.always("end", timestamp(time.UnixMilli(i.Last)))
	})
	d.object("rule", func() {
		d.always("name", string(i.Gravest()))
		d.always("ruleset", "incidents")
	})
	d.object("related", func() {
		ips, hosts := relatedOf(i)
		d.texts("ip", ips)
		d.texts("hosts", hosts)
	})
	if len(i.Sources) > 0 {
		d.object("source", func() {
			d.always("address", i.Sources[0].Name)
			if isAddress(i.Sources[0].Name) {
				d.always("ip", i.Sources[0].Name)
			}
		})
	}
	d.object("threat", func() {
		if len(i.Techniques) > 0 {
			d.always("framework", "MITRE ATT&CK")
			d.object("technique", func() { d.texts("id", i.Techniques) })
		}
	})
	d.object("observer", func() {
		d.always("vendor", vendor)
		d.always("product", product)
		d.always("type", "waf")
	})
	d.object("waf", func() { d.object("incident", func() { incidentDetails(d, i) }) })
	return d.end()
}

func ecsIncidentOutcome(i *incident.Incident) string {
	switch {
	case i.Succeeded > 0:
		return "success"
	case i.Attacks > 0 && i.Blocked == i.Attacks:
		return "failure"
	}
	return "unknown"
}

// relatedOf returns the addresses of an incident, and the names of services.
func relatedOf(i *incident.Incident) (ips, hosts []string) {
	for _, name := range append(namesOf(i.Sources), namesOf(i.Targets)...) {
		if isAddress(name) {
			ips = append(ips, name)
		} else if name != "" {
			hosts = append(hosts, name)
		}
	}
	return ips, hosts
}

// ocsfActivities are activity and status of an Incident Finding.
var ocsfActivities = map[incident.Status]struct {
	activity, status         int64
	activityName, statusName string
}{
	incident.Open: {1, 1, "Create", "New"}, incident.Update: {2, 2, "Update", "In Progress"}, incident.Closed: {3, 5, "Close", "Closed"},
}

// ocsfIncident appends an Incident Finding, in which each detector's finding is one of the findings that it consists of.
func ocsfIncident(dst []byte, i *incident.Incident) []byte {
	d := newDocument(dst)
	state, severity := ocsfActivities[i.Status], ocsfSeverities[IncidentSeverity(i)]
	d.number("class_uid", 2005)
	d.always("class_name", "Incident Finding")
	d.number("category_uid", 2)
	d.always("category_name", "Findings")
	d.number("activity_id", state.activity)
	d.always("activity_name", state.activityName)
	d.number("type_uid", 200500+state.activity)
	d.always("type_name", "Incident Finding: "+state.activityName)
	d.number("time", i.Last)
	d.number("start_time", i.First)
	d.number("end_time", i.Last)
	d.number("count", int64(i.Records))
	d.number("severity_id", severity.id)
	d.always("severity", severity.name)
	d.number("status_id", state.status)
	d.always("status", state.statusName)
	d.always("status_detail", i.Reason)
	d.always("message", i.Summary)
	d.always("desc", i.Summary)
	d.flag("is_suspected_breach", i.Succeeded > 0 || i.Has(incident.Pivot))
	d.object("metadata", func() {
		d.always("version", ocsfVersion)
		d.always("uid", i.EventID())
		d.object("product", func() {
			d.always("name", product)
			d.always("vendor_name", vendor)
			d.object("feature", func() { d.always("name", "incidents") })
		})
	})
	d.list("attacks", len(i.Techniques), func(n int) { d.object("technique", func() { d.always("uid", i.Techniques[n]) }) })
	d.list("finding_info_list", len(i.Findings), func(n int) {
		f := &i.Findings[n]
		d.always("uid", i.ID+"-"+string(f.Kind))
		d.always("title", string(f.Kind))
		d.always("desc", f.Why)
		d.alwaysTexts("types", []string{string(f.Kind)})
		d.number("created_time", f.Time)
		times(d, time.UnixMilli(i.First), time.UnixMilli(i.Last))
	})
	d.object("unmapped", func() { d.object("incident", func() { incidentDetails(d, i) }) })
	return d.end()
}

func gelfIncident(dst []byte, i *incident.Incident) []byte {
	d := newDocument(dst)
	d.always("version", "1.1")
	d.always("host", machine())
	d.always("short_message", i.Summary)
	var lines []string
	for _, f := range i.Findings {
		lines = append(lines, string(f.Kind)+" ("+f.Severity.String()+"): "+f.Why)
	}
	d.text("full_message", strings.Join(lines, "\n"))
	d.key("timestamp")
	d.float(float64(i.Last) / 1000)
	d.number("level", int64(IncidentSeverity(i)))
	d.always("_event_id", i.EventID())
	d.always("_incident_id", i.ID)
	d.always("_incident_status", string(i.Status))
	d.always("_incident_kinds", strings.Join(i.KindNames(), ","))
	d.always("_severity_name", i.Severity.String())
	d.always("_reason", i.Reason)
	d.always("_first_seen", timestamp(time.UnixMilli(i.First)))
	d.always("_last_seen", timestamp(time.UnixMilli(i.Last)))
	for _, n := range numbersOf(i) {
		d.number("_"+n.name, int64(n.value))
	}
	for _, l := range listsOf(i) {
		d.text("_"+l.name, strings.Join(l.values, ","))
	}
	return d.end()
}

// IncidentLine returns an event about an incident as one line of the Common Event Format.
func IncidentLine(i *incident.Incident) string {
	line := newCEFLine("incidents", "incident-"+string(i.Gravest()), i.Summary, IncidentSeverity(i))
	line.add("rt", strconv.FormatInt(i.Last, 10), 0)
	if len(i.Sources) > 0 {
		line.address(i.Sources[0].Name, "src", "c6a2", "Source IPv6 Address")
	}
	line.add("externalId", i.EventID(), 40)
	line.add(cefIncident, i.ID, 40)
	line.add("act", string(i.Status), 63)
	line.add("cat", strings.Join(i.KindNames(), ","), 1023)
	line.add("cnt", strconv.Itoa(i.Records), 0)
	line.add("start", strconv.FormatInt(i.First, 10), 0)
	line.add("end", strconv.FormatInt(i.Last, 10), 0)
	line.labeled("cn1", strconv.Itoa(i.Attacks), "Attacks")
	line.labeled("cn2", strconv.Itoa(i.Succeeded), "Likely Succeeded")
	line.add("reason", i.Reason, 1023)
	line.labeled("cs1", strings.Join(namesOf(i.Rules), ","), "Rules")
	line.labeled("cs2", strings.Join(namesOf(i.Sources), ","), "Sources")
	line.labeled("cs3", strings.Join(namesOf(i.Targets), ","), "Targets")
	line.labeled("cs4", strings.Join(namesOf(i.Routes), ","), "Routes")
	line.labeled("cs5", strings.Join(hopsOf(i), ","), "Hops")
	line.labeled("cs6", strings.Join(namesOf(i.Categories), ","), "Categories")
	line.labeled("flexString1", strings.Join(i.Techniques, ","), "Techniques")
	line.labeled("flexString2", strings.Join(samplesOf(i), ","), "Alerts")
	return line.text.String()
}

// Techniques returns the techniques of MITRE ATT&CK that a rule names, or that go with its category.
func Techniques(r *rules.RuleInfo) []string { return techniquesOf(r) }
