package incident

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Kind is what an incident is about.
type Kind string

// The kinds of incidents.
const (
	Campaign    Kind = "campaign"
	Probing     Kind = "probing"
	BruteForce  Kind = "brute-force"
	Spread      Kind = "spread"
	Pivot       Kind = "pivot"
	Enumeration Kind = "enumeration"
	Disclosure  Kind = "disclosure"
	Background  Kind = "background"
)

// Kinds returns all kinds.
func Kinds() []Kind {
	return []Kind{Campaign, Probing, BruteForce, Spread, Pivot, Enumeration, Disclosure, Background}
}

func kindNames() string {
	var names []string
	for _, k := range Kinds() {
		names = append(names, string(k))
	}
	return strings.Join(names, ", ")
}

// techniques are those of MITRE ATT&CK that a kind stands for.
var techniques = map[Kind][]string{
	Campaign: {"T1190", "T1595.002"}, Probing: {"T1595.003"}, BruteForce: {"T1110"}, Spread: {"T1046", "T1210"}, Pivot: {"T1210", "T1021"},
	Disclosure: {"T1213", "T1041"}, Background: {"T1595"},
}

// Severity says who has to know.
type Severity uint8

// The severities. Those from High on are for whoever is on call.
const (
	Info Severity = iota
	Low
	Medium
	High
	Critical
)

var severityNames = [...]string{"info", "low", "medium", "high", "critical"}

// String returns the severity's name.
func (s Severity) String() string { return severityNames[min(int(s), len(severityNames)-1)] }

// MarshalText writes the name.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a name.
func (s *Severity) UnmarshalText(text []byte) error {
	*s = Severity(max(0, slices.Index(severityNames[:], string(text))))
	return nil
}

// Status is where an incident stands.
type Status string

// The statuses, in the order in which every incident has them; there may be many updates, or none.
const (
	Open   Status = "open"
	Update Status = "update"
	Closed Status = "closed"
)

// Incident is who does what to whom, since when, and whether it worked. Its lists are bounded; texts from records are as sources and
// targets are named, routes without ids, and samples without secrets.
type Incident struct {
	ID       string   `json:"id"`
	Events   int      `json:"events"` // about it until now, this one included
	Status   Status   `json:"status"`
	Kinds    []Kind   `json:"kinds"` // the first is the one that opened it
	Severity Severity `json:"severity"`
	Reason   string   `json:"reason"` // of the severity
	Summary  string   `json:"summary"`

	First  int64 `json:"first_seen"` // milliseconds since 1970
	Last   int64 `json:"last_seen"`
	Opened int64 `json:"opened"` // time of the record with which it was opened

	Records    int `json:"records"` // that belong to it
	Attacks    int `json:"attacks"` // of these, requests that detection rules matched
	Blocked    int `json:"blocked"`
	Attempted  int `json:"attempted"`
	Succeeded  int `json:"likely_succeeded"`
	Missed     int `json:"missed,omitempty"` // requests for what does not exist
	Denied     int `json:"denied,omitempty"` // requests with credentials that were not accepted
	IDs        int `json:"ids,omitempty"`    // distinct ids that one principal got
	Items      int `json:"items,omitempty"`  // sensitive items in responses
	Bytes      int `json:"bytes,omitempty"`  // of responses, of a disclosure
	SourceSeen int `json:"sources_seen"`     // distinct sources, estimated beyond what Sources has
	TargetSeen int `json:"targets_seen"`     // distinct targets, the same

	Sources    []Count   `json:"sources"`
	Targets    []Count   `json:"targets"`
	Routes     []Count   `json:"routes,omitempty"`
	Rules      []Count   `json:"rules,omitempty"`
	Categories []Count   `json:"categories,omitempty"`
	Techniques []string  `json:"techniques,omitempty"`
	Hops       []Hop     `json:"hops,omitempty"` // of a chain, in order
	Related    []string  `json:"related,omitempty"`
	Findings   []Finding `json:"findings"`
	Samples    []Sample  `json:"samples,omitempty"`
}

// EventID returns the id of this event about the incident, the same for the same records.
func (i *Incident) EventID() string { return fmt.Sprintf("%s-%d", i.ID, i.Events) }

// byGravity are the kinds in the order in which one of them names an incident whose findings are of the same severity.
var byGravity = []Kind{Pivot, Disclosure, BruteForce, Spread, Enumeration, Campaign, Probing, Background}

// Gravest returns the kind of the most severe finding.
func (i *Incident) Gravest() (gravest Kind) {
	for _, k := range byGravity {
		if i.Has(k) && (gravest == "" || i.findingAt(k) > i.findingAt(gravest)) {
			gravest = k
		}
	}
	return gravest
}

// KindNames returns the kinds as texts.
func (i *Incident) KindNames() []string {
	all := make([]string, len(i.Kinds))
	for n, k := range i.Kinds {
		all[n] = string(k)
	}
	return all
}

// Count is a name and how many records have it.
type Count struct {
	Name  string `json:"name"`
	Count int    `json:"count"`
}

// Hop is one step of a chain: who attacked, or first connected to, whom.
type Hop struct {
	From string `json:"from"`
	To   string `json:"to"`
	Time int64  `json:"time"`
	What string `json:"what,omitempty"`

	Succeeded bool `json:"likely_succeeded,omitempty"` // an attack on the target of the hop, by its response
}

// Finding is what one detector found, and why that is more than usual.
type Finding struct {
	Kind     Kind     `json:"kind"`
	Time     int64    `json:"time"`
	Severity Severity `json:"severity"`
	Why      string   `json:"why"`
	Route    string   `json:"route,omitempty"` // that it is about, where it is about a single one
}

// The bounds of an incident.
const (
	mostSources    = 16
	mostTargets    = 8
	mostRoutes     = 8
	mostRules      = 16
	mostCategories = 8
	mostTechniques = 16
	mostSamples    = 5
	mostFindings   = 12
	mostRelated    = 8
)

// count adds one to the count of a name, unless the name is new and the list full.
func count(list *[]Count, name string, most int) {
	if name == "" { // the record does not show it
		return
	}
	for i := range *list {
		if (*list)[i].Name == name {
			(*list)[i].Count++
			return
		}
	}
	if len(*list) < most {
		*list = append(*list, Count{strings.Clone(name), 1})
	}
}

// mention has a list name who took part before there was an incident.
func mention(list *[]Count, name string, most int) {
	if !isNamed(*list, name) {
		count(list, name, most)
	}
}

func isNamed(list []Count, name string) bool {
	return slices.ContainsFunc(list, func(n Count) bool { return n.Name == name })
}

func note[T comparable](list *[]T, value T, most int) {
	if len(*list) < most && !slices.Contains(*list, value) {
		*list = append(*list, value)
	}
}

// clip bounds a name.
func clip(text string) string { return cut(text, longestName) }

func cut(text string, most int) string {
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "")
	}
	return text
}

// WorstFirst compares incidents: the most severe comes first, and of these the one that began first.
func WorstFirst(a, b *Incident) int {
	return cmp.Or(cmp.Compare(b.Severity, a.Severity), cmp.Compare(a.First, b.First), cmp.Compare(a.ID, b.ID))
}

// IsOnly reports whether an incident is of one kind.
func (i *Incident) IsOnly(k Kind) bool { return len(i.Kinds) == 1 && i.Kinds[0] == k }

// Has reports whether an incident is of a kind.
func (i *Incident) Has(k Kind) bool { return slices.Contains(i.Kinds, k) }

// copied returns an incident that shares no memory with this one.
func (i *Incident) copied() *Incident {
	c := *i
	c.Kinds, c.Sources, c.Targets, c.Routes = slices.Clone(i.Kinds), slices.Clone(i.Sources), slices.Clone(i.Targets), slices.Clone(i.Routes)
	c.Rules, c.Categories, c.Techniques = slices.Clone(i.Rules), slices.Clone(i.Categories), slices.Clone(i.Techniques)
	c.Hops, c.Related, c.Findings, c.Samples = slices.Clone(i.Hops), slices.Clone(i.Related), slices.Clone(i.Findings), slices.Clone(i.Samples)
	return &c
}
