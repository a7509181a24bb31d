package filter

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/incident"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/incident/digest"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

// IncidentProperties are the settings that say what makes an incident, whether records come live or from files.
func IncidentProperties() []setting.Property {
	return []setting.Property{
		{Name: "incident_rules", Help: "YAML file with thresholds of incident detection that take the place of the built-in ones"},
		{Name: "incident_exclude", Help: "findings that open no incident, one after each semicolon: source=, target=, route= and kind=, for instance " +
			"\"source=192.0.2.7 kind=campaign; target=ops/*\""},
		{Name: "incident_learning", Default: "24h", Help: "how long, by the times of records, detectors learn what is usual before those that need it " +
			"report anything; off reports at once"},
		{Name: "identities", Help: "YAML file that maps networks, addresses and hosts to names of services, so that a service is recognized as target and as client"},
	}
}

// incidentConfig is what the properties say of incidents.
type incidentConfig struct {
	observe        bool // records become observations
	timesInRecords bool // the times that records name count, not those of their events
	identities     *identities
	incidentSalt   string // of the hashes of credentials
	incidents      incident.Options

	correlates    bool
	incidentTag   string // of events about incidents
	digestTag     string // of digests, "" where incidents are found here
	incidentState string // file, "" for none
	incidentsOnly bool   // alerts do not go out by themselves
}

// correlating are the settings of incidents for records that come live.
func correlating() []setting.Property {
	return append([]setting.Property{
		{Name: "incidents", Default: "off", Help: "on finds incidents across records: who attacks whom, since when, and whether it worked"},
		{Name: "incident_tag", Help: "tag under which events about incidents are emitted: opened, updated and closed ones"},
		{Name: "incident_digest_tag", Help: "tag under which digests of records are emitted instead, for an aggregator that finds incidents across " +
			"nodes: a filter or output waf with incidents on that gets them"},
		{Name: "incident_state", Help: "file that keeps what incident detection knows across restarts; it is made when it is not there"},
		{Name: "alert_detail", Default: "all", Values: []string{"all", "incidents"}, Help: "incidents sends events about incidents only; records keep their maps"},
	}, IncidentProperties()...)
}

const longestLearning = 31 * 24 * time.Hour

func readIncidents(r *setting.Reader) (c incidentConfig) {
	thresholds := incident.DefaultThresholds()
	if file := r.Text("incident_rules"); file != "" {
		text, err := os.ReadFile(file)
		if err == nil {
			thresholds, err = incident.ReadThresholds(text)
		}
		if err != nil {
			r.Problem("incident_rules", fmt.Errorf("%s: %w", file, err))
			thresholds = incident.DefaultThresholds()
		}
	}
	if r.Given("incident_learning") {
		thresholds.Learning = r.Duration("incident_learning", time.Minute, longestLearning)
	}
	exclusions, err := incident.ParseExclusions(r.Text("incident_exclude"))
	if err != nil {
		r.Problem("incident_exclude", err)
	}
	if file := r.Text("identities"); file != "" {
		if c.identities, err = readIdentities(file); err != nil {
			r.Problem("identities", err)
		}
	}
	c.incidents = incident.Options{Thresholds: thresholds, Exclusions: exclusions}
	c.incidentSalt = thresholds.Salt
	c.correlates, c.incidentState = r.Bool("incidents"), r.Text("incident_state")
	c.incidentsOnly = r.Word("alert_detail") == "incidents"
	if c.incidentTag = r.Text("incident_tag"); strings.ContainsAny(c.incidentTag, "$ *") {
		r.Problem("incident_tag", fmt.Errorf("malformed tag %q (want one without $, * and spaces)", c.incidentTag))
	}
	if c.digestTag = r.Text("incident_digest_tag"); strings.ContainsAny(c.digestTag, "$ *") {
		r.Problem("incident_digest_tag", fmt.Errorf("malformed tag %q (want one without $, * and spaces)", c.digestTag))
	}
	if c.digestTag != "" && c.incidentTag != "" {
		r.Problem("incident_digest_tag", errors.New("digests take the place of incidents, which an aggregator emits (want no incident_tag)"))
	}
	for name, given := range map[string]bool{
		"incident_state": c.incidentState != "", "alert_detail": c.incidentsOnly, "incident_tag": c.incidentTag != "", "incident_digest_tag": c.digestTag != "",
	} {
		if given && !c.correlates {
			r.Problem(name, errors.New("needs incidents on"))
		}
	}
	return c
}

// NewObserving is New for records from files: Check returns what each contributes to incidents, at the time that it names, or the digest
// that it holds. The correlator makes incidents of observations, and the merger has it make them of digests, for which it waits until the end.
func NewObserving(get setting.Getter, log Logger) (*Filter, *digest.Merger, error) {
	reader := setting.NewReader(get, Properties())
	c := readConfig(reader)
	c.observe, c.timesInRecords = true, true
	f, err := open("", reader, c, log)
	if err != nil {
		return nil, nil, err
	}
	return f, digest.NewMerger(incident.New(c.incidents), c.incidentSalt, forever), nil
}

// forever is how long digests in files wait for those of other nodes: their order in files says nothing.
const forever = 1 << 62

// observeAll gives findings what their items contribute to incidents.
func (f *Filter) observeAll(items []item, found []Finding) {
	s := scratches.Get().(*scratch)
	defer s.putBack()
	s.rules = f.set()
	for rest := items; len(rest) > 0; found = found[1:] {
		n := eventSize(rest)
		if n == 1 {
			if found[0].Observation = f.observation(&rest[0], s); rest[0].kind == NotHTTP {
				if found[0].Digest = digestOf(rest[0].event.Body); found[0].Digest != nil {
					found[0].Kind = Skipped
				}
			}
		}
		for i := 1; i < n; i++ {
			found[0].Parts[i-1].Observation = f.observation(&rest[i], s)
		}
		rest = rest[n:]
	}
}

// observation returns what an item contributes, nil when nothing. It has memory of its own.
func (f *Filter) observation(it *item, s *scratch) (o *incident.Observation) {
	defer func() {
		if cause := recover(); cause != nil {
			f.Caught("observation of a record")(cause, nil)
			o = nil
		}
	}()
	var view incident.Observation
	if !f.observe(it, s, &view) {
		return nil
	}
	return owned(&view)
}
