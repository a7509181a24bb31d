package report

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"time"
)

// Digest counts alerts in memory that does not grow with their number. It is not safe for concurrent use.
type Digest struct {
	alerts       int
	timeline     timeline
	severities   levels
	outcomes     ranking
	statuses     ranking
	classes      ranking
	sources      ranking
	destinations ranking
	pairs        map[[2]string]int // source and destination
	rules        map[int]*ruleCount
	samples      map[int][]sample // by the rule that names the alert
	first, last  time.Time
}

// ruleCount says how often a rule matched in alerts.
type ruleCount struct {
	Rule
	Alerts int
}

// sample is one alert as the page shows it, with all texts fit to be shown.
type sample struct {
	Severity, Message, Route, Request, Status, Outcome, Matched, Place, Time string
	RuleID                                                                   int
	Rules                                                                    []int
	Score                                                                    int
}

// Bounds of what is kept.
const (
	maxNames          = 50_000
	maxPairs          = 100_000
	maxRules          = 10_000
	samplesOfRule     = 3
	maxRulesOfSamples = 500
	maxRulesInSample  = 50
)

// NewDigest returns a digest without alerts.
func NewDigest() *Digest {
	return &Digest{
		timeline: newTimeline(),
		outcomes: newRanking(100), statuses: newRanking(1000), classes: newRanking(1000),
		sources: newRanking(maxNames), destinations: newRanking(maxNames), pairs: map[[2]string]int{},
		rules: map[int]*ruleCount{}, samples: map[int][]sample{},
	}
}

// Add counts an alert.
func (d *Digest) Add(a *Alert) {
	d.alerts++
	d.timeline.add(a.Time, a.Severity)
	d.span(a.Time)
	d.severities[level(a.Severity)]++
	d.outcomes.add(shown(cmp.Or(a.Outcome, unknown), maxName))
	d.statuses.add(statusClass(a.Status))
	d.addRoute(a)
	d.addRules(a)
	d.addSample(a)
}

const unknown = "not known"

func (d *Digest) span(at time.Time) {
	if at.IsZero() {
		return
	}
	if d.first.IsZero() || at.Before(d.first) {
		d.first = at
	}
	if at.After(d.last) {
		d.last = at
	}
}

// statusClass writes a status as its hundred.
func statusClass(status int) string {
	switch {
	case status == 0:
		return unknown
	case status < 100 || status > 599:
		return "other"
	}
	return strconv.Itoa(status/100) + "xx"
}

func (d *Digest) addRoute(a *Alert) {
	from, to := shown(cmp.Or(a.Source, unknown), maxName), shown(cmp.Or(a.Destination, unknown), maxName)
	d.sources.add(from)
	d.destinations.add(to)
	pair := [2]string{from, to}
	if _, known := d.pairs[pair]; known || len(d.pairs) < maxPairs {
		d.pairs[pair]++
	}
}

func (d *Digest) addRules(a *Alert) {
	var classes []string
	for i := range a.Rules {
		r := &a.Rules[i]
		if class := shown(r.Class, maxName); class != "" && !slices.Contains(classes, class) {
			classes = append(classes, class)
			d.classes.add(class)
		}
		if slices.ContainsFunc(a.Rules[:i], func(before Rule) bool { return before.ID == r.ID }) {
			continue
		}
		count := d.rules[r.ID]
		if count == nil {
			if len(d.rules) == maxRules {
				continue
			}
			count = &ruleCount{Rule: Rule{r.ID, r.Severity, shown(r.Message, maxText), shown(r.Class, maxName)}}
			d.rules[r.ID] = count
		}
		count.Alerts++
	}
}

func (d *Digest) addSample(a *Alert) {
	kept := d.samples[a.Rule.ID]
	if len(kept) == samplesOfRule || kept == nil && len(d.samples) == maxRulesOfSamples {
		return
	}
	s := sample{
		Severity: Severities[level(a.Severity)], Message: shown(a.Rule.Message, maxText), RuleID: a.Rule.ID, Score: a.Score,
		Route:   shown(cmp.Or(a.Source, "?"), maxName) + " → " + shown(cmp.Or(a.Destination, "?"), maxName),
		Request: shown(a.Method+" "+a.URI, maxDetail), Matched: shown(a.Matched, maxDetail), Place: shown(a.Place, maxText),
		Outcome: shown(a.Outcome, maxName),
	}
	if a.Reason != "" {
		s.Outcome += ": " + shown(a.Reason, maxText)
	}
	if a.Host != "" && a.Host != a.Destination {
		s.Route += " (" + shown(a.Host, maxName) + ")"
	}
	if a.Status != 0 {
		s.Status = strconv.Itoa(a.Status)
	}
	if !a.Time.IsZero() {
		s.Time = a.Time.UTC().Format(time.DateTime)
	}
	for i := range a.Rules[:min(len(a.Rules), maxRulesInSample)] {
		s.Rules = append(s.Rules, a.Rules[i].ID)
	}
	d.samples[a.Rule.ID] = append(kept, s)
}

// topRules returns the rules that matched in most alerts.
func (d *Digest) topRules(n int) []*ruleCount {
	all := slices.SortedFunc(maps.Values(d.rules), func(a, b *ruleCount) int {
		return cmp.Or(cmp.Compare(b.Alerts, a.Alerts), cmp.Compare(a.ID, b.ID))
	})
	return all[:min(n, len(all))]
}

// pickSamples returns samples of as many naming rules as possible, most severe and most frequent first.
func (d *Digest) pickSamples(n int) (picked []sample) {
	ids := slices.SortedFunc(maps.Keys(d.samples), func(a, b int) int {
		return cmp.Or(cmp.Compare(d.alertsOf(b), d.alertsOf(a)), cmp.Compare(a, b))
	})
	for round := range samplesOfRule {
		for _, id := range ids {
			if of := d.samples[id]; round < len(of) && len(picked) < n {
				picked = append(picked, of[round])
			}
		}
	}
	return picked
}

func (d *Digest) alertsOf(rule int) int {
	if r := d.rules[rule]; r != nil {
		return r.Alerts
	}
	return 0
}
