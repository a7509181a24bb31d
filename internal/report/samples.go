package report

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
)

// samples are a few alerts of each rule that names alerts, by its id; what likely succeeded stands first.
type samples map[int][]sample

// sample is one alert as the page shows it, with all texts fit to be shown.
type sample struct {
	Severity, Message, Source, Destination, Host, Request, Status, Reason, Matched, Place, Time string
	Outcome                                                                                     outcomeBadge
	RuleID                                                                                      int
	Rules                                                                                       []int
	Score                                                                                       int
}

// Bounds of what is kept.
const (
	samplesOfRule     = 3
	maxRulesOfSamples = 500
	maxRulesInSample  = 50
)

func (all samples) add(a *Alert) {
	kept, known := all[a.Rule.ID]
	if !known && len(all) == maxRulesOfSamples {
		return
	}
	if len(kept) == samplesOfRule {
		if a.Outcome != alert.LikelySucceeded || kept[samplesOfRule-1].succeeded() {
			return
		}
		kept = kept[:samplesOfRule-1]
	}
	at := len(kept)
	if a.Outcome == alert.LikelySucceeded {
		at = 0
		for at < len(kept) && kept[at].succeeded() {
			at++
		}
	}
	all[a.Rule.ID] = slices.Insert(kept, at, newSample(a))
}

func (s *sample) succeeded() bool { return s.Outcome.Kind == succeededKind }

func newSample(a *Alert) sample {
	s := sample{
		Severity: Severities[level(a.Severity)], Message: shown(a.Rule.Message, maxText), RuleID: a.Rule.ID, Score: a.Score,
		Source: shown(cmp.Or(a.Source, unknown), maxName), Destination: shown(cmp.Or(a.Destination, unknown), maxName),
		Request: shown(a.Method+" "+a.URI, maxDetail), Matched: shown(a.Matched, maxDetail), Place: shown(a.Place, maxText),
		Outcome: badge(a.Outcome), Reason: shown(a.Reason, maxText),
	}
	if a.Host != a.Destination {
		s.Host = shown(a.Host, maxName)
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
	return s
}

// pick returns samples of as many naming rules as possible; what likely succeeded stands first, then rules of many alerts do.
func (all samples) pick(n int, alertsOf func(rule int) int) (picked []sample) {
	after := func(s *sample) int {
		if s.succeeded() {
			return 0
		}
		return 1
	}
	ids := slices.SortedFunc(maps.Keys(all), func(a, b int) int {
		return cmp.Or(cmp.Compare(after(&all[a][0]), after(&all[b][0])), cmp.Compare(alertsOf(b), alertsOf(a)), cmp.Compare(a, b))
	})
	for round := range samplesOfRule {
		for _, id := range ids {
			if of := all[id]; round < len(of) && len(picked) < n {
				picked = append(picked, of[round])
			}
		}
	}
	slices.SortStableFunc(picked, func(a, b sample) int { return cmp.Compare(after(&a), after(&b)) })
	return picked
}
