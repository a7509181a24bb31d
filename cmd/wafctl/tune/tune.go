// Package tune is the command "wafctl tune": from records that are known to be clean it proposes the narrowest
// exclusions with which they no longer alert. Records that look like attacks are listed first, because an exclusion
// for them would hide one. Each proposal is tried before it is printed.
package tune

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/evaluation"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

var tuneFlags = []setting.Property{
	{Name: "output", Default: "table", Values: []string{"table", "seclang", "property", "json"},
		Help: "table explains the exclusions, seclang prints them for a rule file, property as a value of exclude_rules, json one object per per " +
			"exclusion"},
}

func New(c *cli.Console, args []string) *cobra.Command {
	var f cli.Flags
	cmd := &cobra.Command{
		Use:   "tune [flags] FILE…|-",
		Short: "Propose exclusions from records that are known to be clean",
		Long: `Evaluate records that are known to be clean, and propose the narrowest exclusions with which none of them alerts: a rule
no longer inspects one target, such as one argument. Keys that differ only in array indexes become one target. Whole rules
are excluded only where that does not help. The exclusions are verified before they are printed.

Exclusions also let attacks through, so read each one. Records that look like attacks are listed first.

The exit code is 0 if nothing alerts, 1 if exclusions are proposed, and 2 on errors.`,
		Example: `  wafctl tune clean.ndjson.gz
  wafctl tune --output seclang clean.ndjson > exclusions.conf
  wafctl check --rules crs,exclusions.conf clean.ndjson
  wafctl check --exclude-rules "$(wafctl tune --output property clean.ndjson)" clean.ndjson`,
		RunE: func(cmd *cobra.Command, arguments []string) error {
			names, filesErr := evaluation.Files(arguments)
			settings := setting.NewReader(&f, tuneFlags)
			output := settings.Word("output")
			w, err := f.Open(c)
			if w != nil {
				defer w.Close()
			}
			if err := f.Usage(cmd, args, settings.Err(), err, filesErr); err != nil {
				return err
			}
			t := tuning{console: c, settings: f.Values, filter: w}
			return t.Run(cmd.Context(), names, output)
		},
	}
	cli.Strict(cmd)
	f.Add(cmd.Flags(), tuneFlags)
	f.AddEvaluating(cmd.Flags())
	return cmd
}

// Bounds of what is kept in memory of false alerts.
const (
	maxFalseAlerts     = 10_000
	maxFalseAlertBytes = 64 << 20
)

// tuning finds exclusions.
type tuning struct {
	console  *cli.Console
	settings setting.Map
	filter   *filter.Filter
	alerts   []falseAlert
	bytes    int
	left     int // alerts that were not kept
}

func (t *tuning) Run(ctx context.Context, names []string, output string) error {
	in := evaluation.Inputs{Console: t.console, Names: names}
	if err := in.Each(ctx, &evaluation.Evaluation{Filter: t.filter, Keep: true}, t.collect); err != nil {
		return err
	}
	if t.left > 0 {
		t.console.Say(fmt.Sprintf("warning: only the first %s are considered, %s more are ignored; run tune again with the exclusions",
			cli.Count(len(t.alerts), "alert"), cli.Grouped(t.left)))
	}
	exclusions, remaining, err := t.exclusions()
	if err != nil {
		return err
	}
	attacks := suspects(t.alerts)
	for i := range exclusions {
		exclusions[i].attacks = attacksOf(attacks, exclusions[i].rule)
	}
	result := tuned{records: t.filter.Counts().Records, alerts: len(t.alerts), remaining: len(remaining), exclusions: exclusions,
		attacks: attacks, before: t.settings["exclude_rules"], settings: settingsOf(exclusions, t.filter.Rules())}
	if err := result.Write(t.console, output); err != nil {
		return err
	}
	if len(t.alerts) > 0 {
		return cli.ErrAlert
	}
	return nil
}

// collect keeps what matched in a record that alerts.
func (t *tuning) collect(file string, r *evaluation.Checked) error {
	if r.Err != nil || r.Kind != filter.Alert {
		return nil
	}
	if len(t.alerts) == maxFalseAlerts || t.bytes+len(r.Event) > maxFalseAlertBytes {
		t.left++
		return nil
	}
	a, err := newFalseAlert(t.filter, r.Event, t.settings["alert_on"] == "match")
	if err != nil {
		return err
	}
	a.place = fmt.Sprintf("%s:%d", file, r.Line)
	a.client, a.request = r.Alert.ClientIP, r.Alert.Method+" "+cli.Cut(r.Alert.URI, suspectWidth)
	t.bytes += len(r.Event)
	t.alerts = append(t.alerts, a)
	return nil
}

// exclusions finds targets that rules must not look at, and for the alerts that remain with them rules to exclude. It also
// returns the events that still alert with all of them.
func (t *tuning) exclusions() (found []exclusion, remaining [][]byte, err error) {
	known := arraysIn(t.alerts)
	for i := range t.alerts {
		t.alerts[i].name(known)
	}
	found = choose(t.alerts)
	if remaining, err = t.remaining(found); err != nil || len(remaining) == 0 {
		return found, remaining, err
	}
	tuned, err := t.Open(found)
	if err != nil {
		return nil, nil, err
	}
	defer tuned.Close()
	var stubborn []falseAlert
	for _, event := range remaining {
		a, err := newFalseAlert(tuned, event, true)
		if err != nil {
			return nil, nil, err
		}
		stubborn = append(stubborn, a.wholeRules())
	}
	found = append(found, choose(stubborn)...)
	remaining, err = t.remaining(found)
	return found, remaining, err
}

// remaining returns the events that still alert with exclusions.
func (t *tuning) remaining(exclusions []exclusion) (events [][]byte, err error) {
	if len(t.alerts) == 0 {
		return nil, nil
	}
	tuned, err := t.Open(exclusions)
	if err != nil {
		return nil, err
	}
	defer tuned.Close()
	for _, a := range t.alerts {
		for _, found := range tuned.Check(a.event) {
			if found.Kind == filter.Alert {
				events = append(events, a.event)
			}
		}
	}
	return events, nil
}

// worthAPrefilter is from how many alerts it takes longer to evaluate them without a prefilter than to make one.
const worthAPrefilter = 100

// Open returns the filter with exclusions.
func (t *tuning) Open(exclusions []exclusion) (*filter.Filter, error) {
	settings := maps.Clone(t.settings)
	if settings == nil {
		settings = setting.Map{}
	}
	if len(t.alerts) < worthAPrefilter {
		settings["prefilter"] = "off"
	}
	for _, x := range exclusions {
		settings["directives"] += "\n" + x.directive()
	}
	tuned, err := filter.New(t.console.Host, settings, func(filter.Level, string) {})
	if err != nil {
		return nil, fmt.Errorf("try exclusions: %w", err)
	}
	return tuned, nil
}

// falseAlert is an alert of a record that is known to be clean.
type falseAlert struct {
	event   []byte
	place   string // file and line
	client  string
	request string
	matches []falseMatch
	limits  [2]int // scores from which a request and a response alert; 0 when any match does
}

// falseMatch is one rule that matched in it.
type falseMatch struct {
	rule      int
	kind      string // of attack that the rule finds, "" when it does not say
	message   string
	response  bool
	score     int
	variables []variable
	targets   []string // the variables that matched as targets, "" is the whole rule
}

func newFalseAlert(f *filter.Filter, event []byte, anyMatch bool) (falseAlert, error) {
	x, err := f.Explain(event)
	if err != nil {
		return falseAlert{}, err
	}
	a := falseAlert{event: event}
	if x.Rules == nil {
		return a, nil
	}
	if !anyMatch {
		a.limits = [2]int{x.Rules.Sums[0].Limit, x.Rules.Sums[1].Limit}
	}
	for i := range x.Rules.Verdict.Matches {
		m := &x.Rules.Verdict.Matches[i]
		match := falseMatch{rule: m.Rule.ID, kind: m.Rule.Category(), message: x.Match(i).Message, response: m.Rule.Phase > 2, score: scoreOf(m.Severity())}
		for _, v := range x.Rules.Reasons[i].Values {
			if v.Link != 0 {
				continue // exclusions take targets from the first rule of a chain
			}
			if one := (variable{v.Name, v.Key, x.Text(v.Key)}); !slices.Contains(match.variables, one) {
				match.variables = append(match.variables, one)
			}
		}
		a.matches = append(a.matches, match)
	}
	return a, nil
}

// name writes what matched as targets.
func (a *falseAlert) name(known arrays) {
	for i := range a.matches {
		m := &a.matches[i]
		for _, v := range m.variables {
			if target := known.target(v); !slices.Contains(m.targets, target) {
				m.targets = append(m.targets, target)
			}
		}
	}
}

// scoreOf returns what CRS adds to the anomaly score for a match of a severity, unless its setup says otherwise.
func scoreOf(severity int) int {
	switch {
	case severity <= 2:
		return 5
	case severity <= 5:
		return 7 - severity
	}
	return 0
}

// wholeRules returns the alert with nothing to exclude but whole rules.
func (a falseAlert) wholeRules() falseAlert {
	for i := range a.matches {
		a.matches[i].targets = []string{""}
	}
	return a
}

// alertsWithout reports whether the record would still alert when some targets are excluded.
func (a *falseAlert) alertsWithout(excluded map[place]bool) bool {
	var sums [2]int
	matches := 0
	for i := range a.matches {
		m := &a.matches[i]
		if !m.matchesWithout(excluded) {
			continue
		}
		matches++
		if m.response {
			sums[1] += m.score
		} else {
			sums[0] += m.score
		}
	}
	if a.limits == [2]int{} {
		return matches > 0
	}
	for i, limit := range a.limits {
		if limit > 0 && sums[i] >= limit {
			return true
		}
	}
	return false
}

func (m *falseMatch) matchesWithout(excluded map[place]bool) bool {
	return len(m.targets) == 0 || slices.ContainsFunc(m.targets, func(target string) bool { return !excluded[place{m.rule, target}] })
}

// place is a rule and one of its targets.
type place struct {
	rule   int
	target string // "" for the whole rule
}

// exclusion is a proposal.
type exclusion struct {
	place
	message string
	alerts  int // of the records, in which the rule matched there
	removes int // alerts that come back without this exclusion
	attacks int // records that look like attacks, in which the rule matched
}

// directive returns the exclusion as SecLang.
func (x *exclusion) directive() string {
	if x.target == "" {
		return fmt.Sprintf("SecRuleRemoveById %d", x.rule)
	}
	return fmt.Sprintf(`SecRuleUpdateTargetById %d "!%s"`, x.rule, x.target)
}

// property returns the exclusion as a part of exclude_rules.
func (x *exclusion) property() string {
	if x.target == "" {
		return strconv.Itoa(x.rule)
	}
	return strconv.Itoa(x.rule) + ":" + x.target
}

// choose finds a small set of exclusions with which none of the alerts is left: again and again the place where most of
// those that are left matched, and in the end without those that turn out not to be needed.
func choose(alerts []falseAlert) []exclusion {
	excluded := map[place]bool{}
	var order []place
	for {
		best, found := mostCommon(alerts, excluded)
		if !found {
			break
		}
		excluded[best] = true
		order = append(order, best)
	}
	kept := slices.DeleteFunc(slices.Clone(order), func(p place) bool {
		delete(excluded, p)
		if comeBack(alerts, excluded) == 0 {
			return true
		}
		excluded[p] = true
		return false
	})
	proposals := make([]exclusion, len(kept))
	for i, p := range kept {
		proposals[i] = describe(alerts, p)
		delete(excluded, p)
		proposals[i].removes = comeBack(alerts, excluded)
		excluded[p] = true
	}
	slices.SortStableFunc(proposals, func(a, b exclusion) int {
		return cmp.Or(cmp.Compare(b.removes, a.removes), cmp.Compare(b.alerts, a.alerts), cmp.Compare(a.rule, b.rule), cmp.Compare(a.target, b.target))
	})
	return proposals
}

// mostCommon returns the place at which most of the remaining alerts matched; the lower rule and the first target of several.
func mostCommon(alerts []falseAlert, excluded map[place]bool) (best place, found bool) {
	counts := map[place]int{}
	for i := range alerts {
		a := &alerts[i]
		if !a.alertsWithout(excluded) {
			continue
		}
		for j := range a.matches {
			m := &a.matches[j]
			for _, target := range m.targets {
				if p := (place{m.rule, target}); !excluded[p] {
					counts[p] += max(1, m.score)
				}
			}
		}
	}
	for p, n := range counts {
		switch {
		case !found, n > counts[best]:
			best, found = p, true
		case n == counts[best] && cmp.Or(cmp.Compare(p.rule, best.rule), cmp.Compare(p.target, best.target)) < 0:
			best = p
		}
	}
	return best, found
}

func comeBack(alerts []falseAlert, excluded map[place]bool) (n int) {
	for i := range alerts {
		if alerts[i].alertsWithout(excluded) {
			n++
		}
	}
	return n
}

func describe(alerts []falseAlert, p place) exclusion {
	x := exclusion{place: p}
	for i := range alerts {
		for _, m := range alerts[i].matches {
			if m.rule == p.rule && slices.Contains(m.targets, p.target) {
				x.message = m.message
				x.alerts++
			}
		}
	}
	return x
}
