package report

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
)

// Digest counts alerts in memory that does not grow with their number. It is not safe for concurrent use.
type Digest struct {
	alerts       int
	timeline     timeline
	severities   levels
	outcomes     ranking
	statuses     ranking
	categories   ranking
	sources      ranking
	destinations ranking
	pairs        map[[2]string]int // source and destination
	rules        map[int]*ruleCount
	samples      samples
	attackers    attackers
	first, last  time.Time
}

// ruleCount says how often a rule matched in alerts.
type ruleCount struct {
	Rule
	Alerts int
}

// Bounds of what is kept.
const (
	maxNames = 50_000
	maxPairs = 100_000
	maxRules = 10_000
)

// NewDigest returns a digest without alerts.
func NewDigest() *Digest {
	return &Digest{
		timeline: newTimeline(),
		outcomes: newRanking(100), statuses: newRanking(1000), categories: newRanking(1000),
		sources: newRanking(maxNames), destinations: newRanking(maxNames), pairs: map[[2]string]int{},
		rules: map[int]*ruleCount{}, samples: samples{}, attackers: newAttackers(),
	}
}

// Add counts an alert.
func (d *Digest) Add(a *Alert) {
	d.alerts++
	d.timeline.add(a.Time, a.Severity, a.Outcome == alert.LikelySucceeded)
	d.span(a.Time)
	d.severities[level(a.Severity)]++
	d.outcomes.add(shown(cmp.Or(string(a.Outcome), unknown), maxName))
	d.statuses.add(statusClass(a.Status))
	d.attackers.add(a)
	d.addRoute(a)
	d.addRules(a)
	d.samples.add(a)
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
	for _, category := range a.categories() {
		d.categories.add(category)
	}
	for i := range a.Rules {
		r := &a.Rules[i]
		if slices.ContainsFunc(a.Rules[:i], func(before Rule) bool { return before.ID == r.ID }) {
			continue
		}
		count := d.rules[r.ID]
		if count == nil {
			if len(d.rules) == maxRules {
				continue
			}
			count = &ruleCount{Rule: Rule{r.ID, r.Severity, shown(r.Message, maxText), shown(r.Category, maxName)}}
			d.rules[r.ID] = count
		}
		count.Alerts++
	}
}

// topRules returns the rules that matched in most alerts.
func (d *Digest) topRules(n int) []*ruleCount {
	all := slices.SortedFunc(maps.Values(d.rules), func(a, b *ruleCount) int {
		return cmp.Or(cmp.Compare(b.Alerts, a.Alerts), cmp.Compare(a.ID, b.ID))
	})
	return all[:min(n, len(all))]
}

// alertsOf returns how many alerts a rule matched in.
func (d *Digest) alertsOf(rule int) int {
	if r := d.rules[rule]; r != nil {
		return r.Alerts
	}
	return 0
}
