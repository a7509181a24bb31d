package report

import (
	"strings"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
)

// attackerList shows the sources that matter most.
type attackerList struct {
	Cards []attackerCard
	Notes []string // who is not shown
}

// attackerCard shows what one source did.
type attackerCard struct {
	Source            string
	Outcome           outcomeBadge // the worst
	Severity          string
	Alerts            int
	Categories        string // the first few
	Seen, First, Last string
	Score             int
	Outcomes          []counted
	Lists             []cardList
	Open              bool
}

type cardList struct {
	Title  string
	Names  []ranked
	More   int  // names that are kept and not shown
	AndOn  bool // there are more names than are kept
	IsCode bool // of requests
}

// counted is an outcome and its alerts.
type counted struct {
	Outcome outcomeBadge
	Count   int
}

// outcomeBadge is an outcome as the page shows it: the kind is for its style.
type outcomeBadge struct{ Text, Kind string }

func badge(outcome alert.Outcome) outcomeBadge {
	switch outcome {
	case alert.LikelySucceeded:
		return outcomeBadge{string(outcome), succeededKind}
	case alert.Attempted:
		return outcomeBadge{string(outcome), "attempted"}
	case alert.Blocked:
		return outcomeBadge{string(outcome), "blocked"}
	}
	return outcomeBadge{Text: unknown}
}

const (
	shownAttackers  = 25
	openAttackers   = 3
	namesInCard     = 5
	categoriesShort = 3
)

func (as *attackers) list() (l attackerList) {
	all := as.sorted()
	for i, who := range all[:min(len(all), shownAttackers)] {
		card := who.card()
		card.Open = i < openAttackers
		l.Cards = append(l.Cards, card)
	}
	switch n := len(all) - len(l.Cards); {
	case as.dropped > 0:
		l.Notes = append(l.Notes, "More sources are not shown. "+plural(as.dropped, "alert")+" of them were dropped to save memory, "+
			"so a source that was dropped and came back shows too few alerts.")
	case n > 0:
		l.Notes = append(l.Notes, plural(n, "more source")+" not shown.")
	}
	if as.nameless > 0 {
		l.Notes = append(l.Notes, plural(as.nameless, "alert")+" without a source address.")
	}
	return l
}

func (who *attacker) card() attackerCard {
	c := attackerCard{
		Source: who.source, Severity: Severities[who.severity], Alerts: who.alerts, Score: who.score, Seen: seen(who.first, who.last),
		Outcome: outcomeBadge{Text: unknown},
	}
	if !who.first.IsZero() {
		c.First, c.Last = who.first.UTC().Format(time.DateTime), who.last.UTC().Format(time.DateTime)
	}
	for _, outcome := range outcomes {
		if n := who.outcomes[outcome]; n > 0 {
			c.Outcomes = append(c.Outcomes, counted{badge(outcome), n})
		}
	}
	if len(c.Outcomes) > 0 {
		c.Outcome = c.Outcomes[0].Outcome
	}
	c.Categories = firstNames(&who.categories, categoriesShort)
	c.addList("Categories", &who.categories, false)
	c.addList("Findings", &who.rules, false)
	c.addList("Targets", &who.targets, false)
	if !sameNames(&who.hosts, &who.targets) {
		c.addList("Hosts", &who.hosts, false)
	}
	c.addList("Paths", &who.paths, true)
	c.addList("User agents", &who.agents, true)
	if who.hasOther(&who.peers) {
		c.addList("Connections from", &who.peers, false)
	}
	if who.hasOther(&who.forwarded) {
		c.addList("Forwarded for", &who.forwarded, false)
	}
	return c
}

// hasOther reports whether addresses are not just the one of the source.
func (who *attacker) hasOther(r *ranking) bool { return len(r.counts) > 1 || r.counts[who.source] == 0 }

func (c *attackerCard) addList(title string, r *ranking, isCode bool) {
	if len(r.counts) == 0 {
		return
	}
	top, _ := r.top(namesInCard)
	c.Lists = append(c.Lists, cardList{title, top, len(r.counts) - len(top), r.full(), isCode})
}

// firstNames writes the names with the highest counts.
func firstNames(r *ranking, n int) string {
	top, _ := r.top(n)
	names := make([]string, len(top))
	for i := range top {
		names[i] = top[i].Name
	}
	if len(r.counts) > n {
		names = append(names, "…")
	}
	return strings.Join(names, ", ")
}

func sameNames(a, b *ranking) bool {
	if len(a.counts) != len(b.counts) || a.full() != b.full() {
		return false
	}
	for name, count := range a.counts {
		if b.counts[name] != count {
			return false
		}
	}
	return true
}

// seen writes when a source was first and last seen; a day that both have is written once.
func seen(first, last time.Time) string {
	from, to := first.UTC(), last.UTC()
	switch {
	case first.IsZero():
		return ""
	case from.Equal(to):
		return from.Format(time.DateTime)
	case from.Format(time.DateOnly) == to.Format(time.DateOnly):
		return from.Format(time.DateTime) + " – " + to.Format(time.TimeOnly)
	}
	return from.Format(time.DateTime) + " – " + to.Format(time.DateTime)
}
