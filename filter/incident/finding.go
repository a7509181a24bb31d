package incident

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// found takes what a detector has found: it opens an incident, or joins that of the same source, tool, route or chain. refs are where the
// incident's ref is kept, in the order in which one that is open is looked for; all of them name it afterwards. It returns nil when an
// exclusion applies.
func (c *Correlator) found(v *view, kind Kind, severity Severity, why string, refs ...*ref) *active {
	if c.isExcluded(kind, v) {
		c.excluded++
		return nil
	}
	for _, r := range refs {
		c.expire(r, v.now)
	}
	a, at := c.existing(refs)
	if a == nil {
		a, at = c.book.open(kind, v.Source, v.Target, v.now)
	}
	for _, r := range refs {
		if other := c.book.at(*r); other != nil && other != a {
			relate(a, other)
			continue
		}
		*r = at
	}
	a.add(c.finding(v, kind, severity, why))
	if v.hit != a {
		c.attach(v, a)
	}
	return a
}

// finding returns a finding of a record, with its route where the kind is about single ones.
func (c *Correlator) finding(v *view, kind Kind, severity Severity, why string) Finding {
	f := Finding{Kind: kind, Time: v.now, Severity: severity, Why: why}
	switch kind {
	case BruteForce, Enumeration, Disclosure:
		f.Route = cut(c.path.String(), longestText)
	}
	return f
}

// opensAfter has an incident that a record opens begin with the records of its actor on the same route, which were counted since a second: all
// from one source, or not. It reports false for an incident that was open.
func (a *active) opensAfter(records int, since uint32, oneSource bool) bool {
	lists := [][]Count{a.Incident.Targets, a.Routes}
	if oneSource {
		lists = append(lists, a.Incident.Sources)
	}
	return a.opensWith(records, since, lists...)
}

// opensWith is opensAfter for records that have in common what lists name.
func (a *active) opensWith(records int, since uint32, lists ...[]Count) bool {
	if a.Records != 1 {
		return false
	}
	a.Records, a.First = records, min(a.First, int64(since)*1000)
	for _, list := range lists {
		for i := range list {
			list[i].Count = records
		}
	}
	return true
}

// expire closes the incident that a ref names when it has been quiet for the gap. The clock may not have followed a record that far yet.
func (c *Correlator) expire(r *ref, now int64) {
	if a := c.book.at(*r); a != nil && now-a.Hostile >= c.rules.Gap.Milliseconds() {
		c.book.close(a)
	}
}

func (c *Correlator) existing(refs []*ref) (*active, ref) {
	for _, r := range refs {
		if a := c.book.at(*r); a != nil {
			return a, *r
		}
	}
	return nil, 0
}

func (c *Correlator) isExcluded(kind Kind, v *view) bool {
	for i := range c.exclusions {
		if c.exclusions[i].applies(kind, v.Source, v.Target, c.path.String()) {
			return true
		}
	}
	return false
}

func relate(a, b *active) {
	note(&a.Related, b.ID, mostRelated)
	note(&b.Related, a.ID, mostRelated)
}

// add adds a finding. The first of each kind stays, and one that is more severe takes its place.
func (a *active) add(f Finding) {
	note(&a.Kinds, f.Kind, len(Kinds()))
	for _, id := range techniques[f.Kind] {
		note(&a.Techniques, id, mostTechniques)
	}
	a.Changed = true
	if f.Severity > a.Severity || a.Reason == "" {
		a.Severity, a.Reason = f.Severity, f.Why
	}
	for i := range a.Findings {
		if known := &a.Findings[i]; known.Kind == f.Kind {
			if f.Severity > known.Severity {
				*known = f
			}
			return
		}
	}
	if len(a.Findings) < mostFindings {
		a.Findings = append(a.Findings, f)
	}
}

// raise makes an incident more severe.
func (a *active) raise(s Severity, why string) {
	if s > a.Severity {
		a.Severity, a.Reason, a.Changed = s, why, true
	}
}

// attach adds a record to an incident. Only what is hostile keeps it open.
func (c *Correlator) attach(v *view, a *active) {
	hostile := v.Attack != nil || v.denied() || v.missed() && !v.exists
	if !hostile && len(a.Findings) > 0 && a.Findings[len(a.Findings)-1].Time != v.now {
		return
	}
	v.joins(a)
	a.First = min(a.First, v.now)
	c.extend(v, a)
	if v.Attack != nil && v.Attack.Likely && len(a.Incident.Sources) == mostSources && !isNamed(a.Incident.Sources, v.Source) {
		a.Incident.Sources = a.Incident.Sources[:mostSources-1] // who succeeded is in the list
	}
	a.countSource(v.Source, v.sourceKey)
	if v.Attack != nil || !a.IsOnly(Pivot) { // what a service asks for otherwise is not where the attacker went
		a.countTarget(v.Target, v.targetKey)
	}
	if len(a.Routes) < mostRoutes || c.path.isIn(a.Routes) {
		count(&a.Routes, cut(c.path.String(), longestText), mostRoutes)
	}
	if v.Attack != nil {
		a.takeAttack(v)
	}
	switch {
	case v.rejected():
		a.Denied++
	case v.missed() && !v.exists:
		a.Missed++
	}
}

// joins notes that a record belongs to an incident.
func (v *view) joins(a *active) {
	v.hit = a
	a.Records++
}

// extend has an incident go on until a record. One from a clock far ahead keeps it open no longer than others.
func (c *Correlator) extend(v *view, a *active) {
	a.Last, a.Hostile, a.Changed = max(a.Last, v.now), max(a.Hostile, min(v.now, c.clock.Now+leap)), true
}

func (r *Route) isIn(list []Count) bool {
	for i := range list {
		if list[i].Name == string(r.text[:min(r.size, longestText)]) {
			return true
		}
	}
	return false
}

func (a *active) takeAttack(v *view) {
	a.takeOutcome(v.Attack.outcome(), v.Source, v.Target)
	for n, r := range v.Attack.Rules {
		count(&a.Rules, strconv.Itoa(r.ID), mostRules)
		if r.Category != "" && !hasCategory(v.Attack.Rules[:n], r.Category) {
			count(&a.Categories, cut(r.Category, longestWord), mostCategories)
		}
		for _, id := range r.Techniques {
			note(&a.Techniques, strings.Clone(cut(id, 16)), mostTechniques)
		}
	}
	switch first := v.Attack.Likely && a.Succeeded == 1; {
	case len(a.Samples) < mostSamples && (first || !a.hasSample(v)):
		a.Samples = append(a.Samples, v.sample())
	case first:
		a.Samples[mostSamples-1] = v.sample()
	}
}

func hasCategory(rules []Rule, category string) bool {
	return slices.ContainsFunc(rules, func(r Rule) bool { return r.Category == category })
}

// hasSample reports whether a sample shows the same rule already, of a request that went the same way.
func (a *active) hasSample(v *view) bool {
	for i := range a.Samples {
		if s := &a.Samples[i]; s.Rule == v.Attack.rule() && s.Status == v.Status {
			return true
		}
	}
	return false
}

// rule returns the id of the rule that names the attack: the last one.
func (a *Attack) rule() int {
	if len(a.Rules) == 0 {
		return 0
	}
	return a.Rules[len(a.Rules)-1].ID
}

func (v *view) sample() (s Sample) {
	if v.Attack.Show != nil {
		s = v.Attack.Show()
	}
	s.Time, s.Source, s.Target, s.Status, s.Rule = v.now, v.Source, v.Target, v.Status, v.Attack.rule()
	for _, name := range []*string{&s.Source, &s.Target} {
		*name = strings.Clone(*name)
	}
	for _, word := range []*string{&s.Alert, &s.Method, &s.Outcome} {
		*word = strings.Clone(cut(*word, longestWord))
	}
	for _, text := range []*string{&s.URI, &s.Message} {
		*text = strings.Clone(cut(*text, longestText))
	}
	return s
}

// plural writes a number and what it counts.
func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}
