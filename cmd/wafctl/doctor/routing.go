package doctor

import (
	"fmt"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/fluentbit"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// route is a tag that records may have.
type route struct {
	tag   string
	input *fluentbit.Section
	any   bool // senders choose the tag
}

// routes returns the tags of all inputs.
func (d *Doctor) routes() (all []route) {
	counts := map[string]int{}
	for i := range d.Config.Inputs {
		s := &d.Config.Inputs[i]
		name := s.Name()
		r := route{tag: s.Get("tag"), input: s}
		switch name {
		case "forward":
			r.any = r.tag == "" // a tag of the input takes the place of what senders choose
		case "opentelemetry", "http", "splunk", "elasticsearch", "kafka":
			r.any = true
		}
		if r.tag == "" {
			r.tag = fmt.Sprintf("%s.%d", name, counts[name])
		}
		if name == "tail" && strings.Contains(r.tag, "*") {
			r.tag = strings.ReplaceAll(r.tag, "*", strings.ReplaceAll(strings.Trim(s.Get("path"), "/"), "/", "."))
		}
		counts[name]++
		all = append(all, r)
	}
	return all
}

// retags reports whether filters change the tags that the inputs set.
func (d *Doctor) retags() bool { return len(d.Config.Named(fluentbit.Filter, "rewrite_tag")) > 0 }

// routing checks that records reach the plugins and alerts their outputs.
func (d *Doctor) routing() {
	before := len(d.findings)
	routes := d.routes()
	for s := range d.Config.All() {
		if s.Name() != "waf" || s.Kind == fluentbit.Input {
			continue
		}
		if s.Kind != fluentbit.Processor {
			d.reached(s, routes)
		}
		if s.Kind == fluentbit.Output {
			if w := s.Find("workers"); w != nil && w.Value != "0" {
				d.find("routing", Fail, "remove the line: the output runs its own threads, and Fluent Bit's worker threads crash during a hot reload", "%s: workers is set", w.Place)
			}
			continue
		}
		d.emitted(s, routes)
	}
	if len(d.findings) == before {
		d.find("routing", OK, "", "records reach the plugin, alerts reach an output")
	}
}

// reached checks that some input's records get to a section.
func (d *Doctor) reached(s *fluentbit.Section, routes []route) {
	for _, r := range routes {
		if r.any || s.Matches(r.tag) {
			return
		}
	}
	if d.getsDigests(s) {
		return
	}
	var tags []string
	for _, r := range routes {
		tags = append(tags, r.tag)
	}
	level, match := Fail, "no match"
	if d.retags() {
		level = Warn
	}
	if p := s.Find("match"); p != nil {
		match = "match " + p.Value
	}
	d.find("routing", level, "correct match, or the tag of the input", "%s: %s: %s gets no records: the tags of the inputs are %s", s.Place, s.Title(), match,
		strings.Join(tags, ", "))
}

// emission is what a filter emits under a tag of its own.
type emission struct{ property, what string }

const digests = "digests"

// emissions are under tags that are the same for all records.
var emissions = []emission{{"incident_tag", "incident events"}, {"incident_digest_tag", digests}, {"metrics_tag", "metrics"}}

// emitted checks what becomes of the alerts of a filter, and of what else it emits.
func (d *Doctor) emitted(s *fluentbit.Section, routes []route) {
	fixed := false // a tag of records is also one of emissions
	for _, e := range emissions {
		tag := s.Get(e.property)
		if tag == "" {
			continue
		}
		d.delivered(s, e, tag)
		for _, r := range routes {
			if r.tag == tag && !r.any && (s.Kind != fluentbit.Filter || s.Matches(tag)) {
				fixed = true
				d.mistaken(s, e, tag)
			}
		}
	}
	d.emittedAlerts(s, routes, fixed)
}

func (d *Doctor) emittedAlerts(s *fluentbit.Section, routes []route, fixed bool) {
	template := s.Get("emit_tag")
	if template == "" {
		if strings.EqualFold(s.Get("alert_key"), "off") && s.Get("metrics_listen") == "" && s.Get("incident_tag") == "" && s.Get("incident_digest_tag") == "" {
			d.find("routing", Fail, "set emit_tag", "%s: %s: neither emit_tag nor alert_key is set, so findings are not reported", s.Place, s.Title())
		}
		return
	}
	alerts := emission{"emit_tag", "alerts"}
	for _, r := range routes {
		if !r.any && s.Kind == fluentbit.Filter && !s.Matches(r.tag) {
			continue
		}
		tag := expandTag(template, r.tag)
		d.delivered(s, alerts, tag)
		for other := range d.Config.All() {
			if other != s && other.Name() == "waf" && other.Kind != fluentbit.Input && other.Kind != fluentbit.Processor && other.Matches(tag) {
				d.find("routing", Fail, "narrow its match to exclude "+tag, "%s: %s evaluates the alerts of %s (tag %s) again", other.Place, other.Title(),
					s.Title(), tag)
			}
		}
		if f := d.filters[s]; f != nil && !fixed && f.IsEmitTag(r.tag) {
			d.mistaken(s, alerts, template)
		}
		return // the others differ in the same part only
	}
}

func (d *Doctor) mistaken(s *fluentbit.Section, e emission, tag string) {
	d.find("routing", Fail, fmt.Sprintf("use a tag for %s that no input has", e.what), "%s: %s %s is also a tag of records, which are then mistaken for %s and not evaluated",
		s.Find(e.property).Place, e.property, tag, e.what)
}

// delivered checks that what a filter emits gets to an output, or digests to an aggregator.
func (d *Doctor) delivered(s *fluentbit.Section, e emission, tag string) {
	for other := range d.Config.All() {
		if other != s && (other.Kind == fluentbit.Output || other.Kind == fluentbit.Filter) && other.Matches(tag) && receives(other, e) {
			return
		}
	}
	level := Fail
	if d.retags() {
		level = Warn
	}
	d.find("routing", level, "add an output with match: "+tag, "%s: no output receives %s (tag %s)", s.Find(e.property).Place, e.what, tag)
}

// receives reports whether a section does something with what it gets.
func receives(s *fluentbit.Section, e emission) bool {
	switch {
	case e.what == digests && s.Name() == "waf":
		return aggregates(s)
	case e.what == digests && s.Name() == "null":
		return false
	}
	return s.Kind == fluentbit.Output && s.Name() != "waf"
}

// aggregates reports whether a section merges the digests that it gets.
func aggregates(s *fluentbit.Section) bool {
	return setting.NewReader(s, filter.Properties()).Bool("incidents") && s.Get("incident_digest_tag") == ""
}

// getsDigests reports whether a section aggregates what another one emits.
func (d *Doctor) getsDigests(s *fluentbit.Section) bool {
	for other := range d.Config.All() {
		if tag := other.Get("incident_digest_tag"); other != s && other.Name() == "waf" && tag != "" && s.Matches(tag) && aggregates(s) {
			return true
		}
	}
	return false
}

// expandTag returns the tag of alerts on records with a tag.
func expandTag(template, tag string) string {
	parts := strings.Split(tag, ".")
	for i := len(parts) - 1; i >= 0; i-- {
		template = strings.ReplaceAll(template, fmt.Sprintf("$TAG[%d]", i), parts[i])
	}
	return strings.ReplaceAll(template, "$TAG", tag)
}
