package pipeline

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/incident"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/incident/digest"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// IncidentProperties are the settings that say what makes an incident, whether records come live or from files.
func IncidentProperties() []setting.Property {
	return []setting.Property{
		{Name: "incident_rules", Help: "YAML file with thresholds that override the defaults of incident detection"},
		{Name: "incident_exclude", Help: "findings to exclude, separated by semicolons: source=, target=, route= and kind=, such as " +
			"\"source=192.0.2.7 kind=campaign; target=ops/*\""},
		{Name: "incident_learning", Default: "24h", Help: "how long, in record time, detectors that need a baseline learn it before they " +
			"report; off reports at once"},
		{Name: "identities", Help: "YAML file that maps networks, addresses and hosts to service names, so that a service is recognized as target and client"},
	}
}

// incidentConfig is what the properties say of incidents.
type incidentConfig struct {
	observe        bool // records become observations
	timesInRecords bool // the times that records name count, not those of their events
	identities     *identities
	salt           string // of the hashes of credentials
	options        incident.Options

	correlates bool
	tag        string // of events about incidents
	digestTag  string // of digests, "" where incidents are found here
	state      string // file, "" for none
	only       bool   // alerts do not go out by themselves
	warning    string // of thresholds that do not fit, as far as is known here
}

// correlating are the settings of incidents for records that come live.
func correlating() []setting.Property {
	return append([]setting.Property{
		{Name: "incidents", Default: "off", Help: "on finds incidents across records: who attacks whom, since when, and whether it succeeded"},
		{Name: "incident_tag", Help: "tag of incident events: opened, updated and closed"},
		{Name: "incident_digest_tag", Help: "tag of digests, emitted instead of incidents, in which an aggregator (a filter or output waf with incidents on) " +
			"finds incidents across nodes"},
		{Name: "incident_state", Help: "file that keeps the state of incident detection across restarts; created if missing"},
		{Name: "alert_detail", Default: "all", Values: []string{"all", "incidents"}, Help: "incidents emits incident events only; records keep their maps"},
	}, IncidentProperties()...)
}

const longestLearning = 31 * 24 * time.Hour

func readIncidents(r *setting.Reader) (c incidentConfig) {
	thresholds := readThresholds(r)
	if r.Given("incident_learning") {
		thresholds.Learning = r.Duration("incident_learning", time.Minute, longestLearning)
	}
	exclusions, err := incident.ParseExclusions(r.Text("incident_exclude"))
	if err != nil {
		r.Problem("incident_exclude", err)
	}
	if file := r.Text("identities"); file != "" {
		var problems []error
		c.identities, problems = readIdentities(file)
		for _, problem := range problems {
			r.Problem("identities", problem)
		}
	}
	c.options = incident.Options{Thresholds: thresholds, Exclusions: exclusions}
	c.salt = thresholds.Salt
	c.correlates, c.state = r.Bool("incidents"), r.Text("incident_state")
	if c.state != "" {
		if err := digest.CheckFile(c.state); err != nil {
			r.Problem("incident_state", err)
		}
	}
	c.only = r.Word("alert_detail") == "incidents"
	if c.tag = r.Text("incident_tag"); strings.ContainsAny(c.tag, "$ *") {
		r.Problem("incident_tag", fmt.Errorf("malformed tag %q (want one without $, * and spaces)", c.tag))
	}
	if c.digestTag = r.Text("incident_digest_tag"); strings.ContainsAny(c.digestTag, "$ *") {
		r.Problem("incident_digest_tag", fmt.Errorf("malformed tag %q (want one without $, * and spaces)", c.digestTag))
	}
	if c.digestTag != "" && c.tag != "" {
		r.Problem("incident_digest_tag", errors.New("digests take the place of incidents, which an aggregator emits (want no incident_tag)"))
	}
	if err := thresholds.CheckWait(); err != nil && c.digestTag == "" {
		c.warning = fmt.Sprintf("incident_rules: %v: digests of such nodes count late; set digest_every here, too, if it is less on the nodes", err)
	}
	for name, given := range map[string]bool{
		"incident_state": c.state != "", "alert_detail": c.only, "incident_tag": c.tag != "", "incident_digest_tag": c.digestTag != "",
	} {
		if given && !c.correlates {
			r.Problem(name, errors.New("requires incidents on"))
		}
	}
	return c
}

// readThresholds returns the thresholds of the property incident_rules. Where it has problems, they are not to be used.
func readThresholds(r *setting.Reader) *incident.Thresholds {
	file := r.Text("incident_rules")
	if file == "" {
		return incident.DefaultThresholds()
	}
	text, err := os.ReadFile(file)
	if err != nil {
		r.Problem("incident_rules", err)
	}
	thresholds, problems := incident.ReadThresholds(file, text)
	for _, problem := range problems {
		r.Problem("incident_rules", problem)
	}
	return thresholds
}
