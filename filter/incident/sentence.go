package incident

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// categoryNames are what people call the categories of rules.
var categoryNames = map[string]string{
	"sqli": "SQL injection", "xss": "cross-site scripting", "rce": "command injection", "lfi": "path traversal", "rfi": "remote file inclusion",
	"injection-php": "PHP injection", "injection-java": "Java injection", "injection-generic": "code injection", "generic": "code injection", "ssti": "template injection",
	"ssrf": "server-side request forgery", "fixation": "session fixation", "protocol": "malformed requests", "reputation-scanner": "scanners",
	"lateral-movement": "lateral movement",
}

func categoryName(c string) string {
	if name, known := categoryNames[c]; known {
		return name
	}
	if c == "" {
		return "an attack"
	}
	return c
}

// sentence says in plain English who does what to whom.
func (i *Incident) sentence() string {
	if i.IsOnly(Background) {
		return fmt.Sprintf("%s on the internet looked for well-known weaknesses and found none (%s in %s).",
			plural(i.SourceSeen, "source"), plural(i.Records, "request"), span(i.Last-i.First))
	}
	who := named(i.Sources, i.SourceSeen, "source")
	if i.Has(Pivot) {
		who = "the attacker"
	}
	text := who + " " + listed(i.deeds()) + within(i.Last-i.First)
	switch on := i.succeededOn(); {
	case i.Succeeded <= 1 && on != "":
		text += "; an attack on " + on + " likely succeeded"
	case i.Succeeded > 0:
		text += "; " + plural(i.Succeeded, "attack") + " likely succeeded"
	case i.Has(Pivot):
		text += "; no response shows which attack succeeded"
	case i.Attacks > 0 && i.Blocked == i.Attacks:
		text += "; everything was blocked"
	case i.Attacks > 0:
		text += "; no response shows that it succeeded"
	}
	if strings.HasPrefix(text, "the ") || strings.HasPrefix(text, "an ") { // names keep their case
		text = strings.ToUpper(text[:1]) + text[1:]
	}
	return text + "."
}

// deeds are what the attacker did, as verbs with their objects.
func (i *Incident) deeds() (all []string) {
	whom := "the server" // of logs that do not name it
	if len(i.Targets) > 0 {
		whom = named(i.Targets, i.TargetSeen, "target")
	}
	means := fmt.Sprintf("with %s (%s)", i.means(), plural(i.Attacks, "request"))
	switch {
	case i.Has(Pivot):
		all = append(all, fmt.Sprintf("moved along %s %s", chain(i.Hops), means))
		if beside, n := i.besideChain(); n > 0 {
			others := "about " + plural(n, "other target") // that have no names
			if len(beside) > 0 {
				others = named(beside, n, "target")
			}
			all = append(all, "also reached "+others)
		}
	case i.Has(Campaign) || i.Has(Spread):
		all = append(all, fmt.Sprintf("attacked %s %s", whom, means))
	}
	if i.Has(Probing) {
		all = append(all, fmt.Sprintf("searched %s for hidden paths (%s found nothing)", whom, plural(i.Missed, "request")))
	}
	if i.Has(BruteForce) {
		deed := fmt.Sprintf("tried credentials on %s (%s refused)", cmp.Or(i.routeOf(BruteForce), whom), plural(i.Denied, "request"))
		switch i.findingAt(BruteForce) {
		case Critical:
			deed += " and got in"
		case High:
			deed += " and likely got in"
		}
		all = append(all, deed)
	}
	if i.Has(Enumeration) {
		all = append(all, fmt.Sprintf("fetched about %d different ids from %s on %s", i.IDs, cmp.Or(i.routeOf(Enumeration), "one route"), whom))
	}
	if i.Has(Disclosure) {
		all = append(all, fmt.Sprintf("received an unusual amount of data from %s: %s", whom, amount(i.Bytes, i.Items)))
	}
	return all
}

// besideChain returns the targets that are not on the path of an attacker, those that have names and how many they are: of its branches, and
// behind the last hop that it has room for.
func (i *Incident) besideChain() (beside []Count, n int) {
	var path []string
	for _, h := range i.Hops {
		note(&path, h.To, len(i.Hops))
	}
	beside = slices.DeleteFunc(slices.Clone(i.Targets), func(c Count) bool { return slices.Contains(path, c.Name) })
	return beside, max(len(beside), i.TargetSeen-len(path))
}

// succeededOn returns the first target on the path of an attacker whose response shows success, "" when none does.
func (i *Incident) succeededOn() string {
	for _, h := range i.Hops {
		if h.Succeeded {
			return h.To
		}
	}
	return ""
}

// means names the kinds of attacks that most requests have; what only breaches the protocol comes last.
func (i *Incident) means() string {
	byCount := slices.Clone(i.Categories)
	slices.SortStableFunc(byCount, func(a, b Count) int {
		if breaches[a.Name] != breaches[b.Name] {
			if breaches[a.Name] {
				return 1
			}
			return -1
		}
		return b.Count - a.Count
	})
	var names []string
	for _, c := range byCount {
		note(&names, categoryName(c.Name), 3)
	}
	if len(names) == 0 {
		return "requests that detection rules match"
	}
	return listed(names)
}

// listed joins words with commas, and the last one with "and".
func listed(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// routeOf returns the route that a finding of a kind is about, "" when there is none.
func (i *Incident) routeOf(k Kind) string {
	for _, f := range i.Findings {
		if f.Kind == k {
			return f.Route
		}
	}
	return ""
}

func (i *Incident) findingAt(k Kind) Severity {
	for _, f := range i.Findings {
		if f.Kind == k {
			return f.Severity
		}
	}
	return Info
}

func chain(hops []Hop) string {
	var all []string
	for n, h := range hops {
		if n == 0 {
			all = append(all, cmp.Or(h.From, "an unknown source"))
		}
		all = append(all, h.To)
	}
	return strings.Join(all, " → ")
}

func named(list []Count, total int, one string) string {
	total = max(total, len(list))
	switch {
	case len(list) == 0:
		return "an unknown " + one
	case total == 1:
		return list[0].Name
	case total == 2 && len(list) == 2:
		return list[0].Name + " and " + list[1].Name
	}
	return fmt.Sprintf("%s and %s", list[0].Name, plural(total-1, "other "+one))
}

func amount(bytes, items int) string {
	switch {
	case items > 0 && bytes > 1e6:
		return fmt.Sprintf("%s, %d MB", plural(items, "sensitive item"), bytes/1e6)
	case items > 0:
		return plural(items, "sensitive item")
	}
	return fmt.Sprintf("%d MB", bytes/1e6)
}

func within(milliseconds int64) string {
	if milliseconds < 1000 {
		return " within a second"
	}
	return " within " + span(milliseconds)
}

// span writes a time in the unit that fits.
func span(milliseconds int64) string {
	switch d := time.Duration(max(0, milliseconds)) * time.Millisecond; {
	case d < time.Second:
		return "less than a second"
	case d < 2*time.Minute:
		return plural(int(d/time.Second), "second")
	case d < 2*time.Hour:
		return plural(int(d/time.Minute), "minute")
	case d < 48*time.Hour:
		return plural(int(d/time.Hour), "hour")
	default:
		return plural(int(d/(24*time.Hour)), "day")
	}
}
