package report

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
)

// attackers collects what each source did. It keeps a bounded number of them: when there are twice as many as wanted, the less
// important half is dropped.
type attackers struct {
	bySource map[string]*attacker
	dropped  int // alerts of attackers that were dropped
	nameless int // alerts without a source
}

// attacker is one source of alerts.
type attacker struct {
	source                            string
	alerts                            int
	first, last                       time.Time // zero when no alert has a time
	severity                          int       // the worst
	score                             int       // the highest
	outcomes                          map[alert.Outcome]int
	categories, targets, hosts, paths ranking
	agents, peers, forwarded, rules   ranking
}

// Bounds of what is kept of attackers: some 20 kB of each at most.
const (
	maxAttackers  = 2000
	maxOfAttacker = 20 // names in each of its rankings
	maxPaths      = 50
)

func newAttackers() attackers { return attackers{bySource: map[string]*attacker{}} }

func newAttacker(source string) *attacker {
	few := func() ranking { return newRanking(maxOfAttacker) }
	return &attacker{
		source: source, severity: len(Severities) - 1, outcomes: map[alert.Outcome]int{},
		categories: few(), targets: few(), hosts: few(), paths: newRanking(maxPaths), agents: few(), peers: few(), forwarded: few(), rules: few(),
	}
}

func (as *attackers) add(a *Alert) {
	if a.Source == "" {
		as.nameless++
		return
	}
	source := shown(a.Source, maxName)
	who := as.bySource[source]
	if who == nil {
		if len(as.bySource) == 2*maxAttackers {
			as.prune()
		}
		who = newAttacker(source)
		as.bySource[source] = who
	}
	who.add(a)
}

// prune keeps the attackers that matter most.
func (as *attackers) prune() {
	all := as.sorted()
	for _, who := range all[maxAttackers:] {
		as.dropped += who.alerts
		delete(as.bySource, who.source)
	}
}

// sorted returns all attackers, by how far they got, then by their alerts.
func (as *attackers) sorted() []*attacker {
	return slices.SortedFunc(maps.Values(as.bySource), func(a, b *attacker) int {
		return cmp.Or(
			cmp.Compare(a.rank(), b.rank()),
			cmp.Compare(b.outcomes[alert.LikelySucceeded], a.outcomes[alert.LikelySucceeded]),
			cmp.Compare(b.alerts, a.alerts),
			b.last.Compare(a.last),
			cmp.Compare(a.source, b.source),
		)
	})
}

// succeeded returns how many attackers likely succeeded at least once.
func (as *attackers) succeeded() (n int) {
	for _, who := range as.bySource {
		if who.outcomes[alert.LikelySucceeded] > 0 {
			n++
		}
	}
	return n
}

// outcomes are in the order in which a reader wants to know of them.
var outcomes = []alert.Outcome{alert.LikelySucceeded, alert.Attempted, alert.Blocked}

// rank returns the place of an attacker's worst outcome in outcomes.
func (who *attacker) rank() int {
	for i, outcome := range outcomes {
		if who.outcomes[outcome] > 0 {
			return i
		}
	}
	return len(outcomes)
}

func (who *attacker) add(a *Alert) {
	who.alerts++
	who.severity = min(who.severity, level(a.Severity))
	who.score = max(who.score, a.Score)
	if slices.Contains(outcomes, a.Outcome) {
		who.outcomes[a.Outcome]++
	}
	if !a.Time.IsZero() {
		if who.first.IsZero() || a.Time.Before(who.first) {
			who.first = a.Time
		}
		if a.Time.After(who.last) {
			who.last = a.Time
		}
	}
	for _, category := range a.categories() {
		who.categories.add(category)
	}
	for _, x := range []struct {
		to   *ranking
		text string
	}{
		{&who.targets, a.Destination}, {&who.hosts, a.Host}, {&who.paths, a.path()}, {&who.agents, a.UserAgent},
		{&who.peers, a.Peer}, {&who.forwarded, a.Forwarded}, {&who.rules, a.Rule.Message},
	} {
		if x.text != "" {
			x.to.add(shown(x.text, maxName))
		}
	}
}
