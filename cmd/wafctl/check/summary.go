package check

import (
	"bufio"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/mattn/go-runewidth"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/evaluation"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/frequent"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/presets"
)

// summary counts alerts in bounded memory and writes what they have in common.
type summary struct {
	console    *cli.Console
	preset     bool // the rules have a preset
	rules      map[int]*ruleCount
	categories map[string]int
	sources    *frequent.Counter[struct{}]
}

// ruleCount says how often a rule named an alert, and for whom.
type ruleCount struct {
	id, alerts int
	severity   string
	message    string
	clients    map[string]bool // up to maxClients of them
}

const (
	maxTop     = 5      // rules, categories and sources that are named
	maxSources = 50_000 // kept
	maxClients = 1000   // of one rule kept
)

func newSummary(c *cli.Console, preset bool) *summary {
	return &summary{console: c, preset: preset, rules: map[int]*ruleCount{}, categories: map[string]int{},
		sources: frequent.New[struct{}](maxSources)}
}

func (s *summary) Add(r *evaluation.Checked) {
	match, client := r.Alert.Rule, cmp.Or(r.Alert.ClientIP, "?")
	s.sources.Add(client)
	for _, category := range r.Alert.Details.Categories() {
		s.categories[category]++
	}
	c := s.rules[match.Rule.ID]
	if c == nil {
		c = &ruleCount{id: match.Rule.ID, severity: match.Rule.Severity.String(), message: match.Message, clients: map[string]bool{}}
		s.rules[match.Rule.ID] = c
	}
	c.alerts++
	if len(c.clients) < maxClients {
		c.clients[client] = true
	}
}

func (s *summary) Write(to *bufio.Writer, counts filter.Counts, broken int) {
	if len(s.rules) > 0 {
		fmt.Fprintln(to)
	}
	s.totals(to, counts, broken)
	if len(s.rules) == 0 {
		return
	}
	top := slices.SortedFunc(maps.Values(s.rules), func(a, b *ruleCount) int {
		return cmp.Or(cmp.Compare(b.alerts, a.alerts), cmp.Compare(a.id, b.id))
	})
	grid := cli.NewGrid(s.console, to, cli.Column{Width: 7, Right: true}, cli.Column{Width: cli.RuleWidth}, cli.Column{Width: cli.SeverityWidth}, cli.Column{})
	for _, r := range top[:min(len(top), maxTop)] {
		grid.Row(cli.Cell{Text: cli.Grouped(r.alerts) + " ×"}, cli.Cell{Text: strconv.Itoa(r.id)}, cli.SeverityCell(r.severity), cli.Cell{Text: r.message})
	}
	s.list(to, "Categories", s.topCategories(), len(s.categories))
	s.list(to, "Sources", s.sources.Top(maxTop), s.sources.Len())
	if hint := s.hint(top[0], counts.Alerts); hint != "" {
		fmt.Fprintf(to, "\n%s\n", hint)
	}
}

func (s *summary) totals(to *bufio.Writer, counts filter.Counts, broken int) {
	color := cli.Green
	if counts.Alerts > 0 {
		color = cli.Red
	}
	fmt.Fprintf(to, "%s: %s, %s clean, %s not HTTP", cli.Count(counts.Records, "record"),
		s.console.Paint(color, cli.Count(counts.Alerts, "alert")), cli.Grouped(counts.Clean), cli.Grouped(counts.NotHTTP))
	if counts.Partial > 0 {
		fmt.Fprintf(to, ", %s partly inspected", cli.Grouped(counts.Partial))
	}
	if n := counts.Broken + counts.Skipped; n > 0 {
		fmt.Fprintf(to, ", %s not inspected", cli.Grouped(n))
	}
	if broken > 0 {
		fmt.Fprintf(to, "; %s could not be read", cli.Count(broken, "line"))
	}
	fmt.Fprintln(to)
}

func (s *summary) topCategories() (top []frequent.Entry[struct{}]) {
	for name, n := range s.categories {
		top = append(top, frequent.Entry[struct{}]{Name: name, Count: n})
	}
	slices.SortFunc(top, func(a, b frequent.Entry[struct{}]) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Name, b.Name))
	})
	return top[:min(len(top), maxTop)]
}

// list writes names with their counts on one line, as many as it has room for, and how many there are besides.
func (s *summary) list(to *bufio.Writer, title string, top []frequent.Entry[struct{}], all int) {
	if len(top) == 0 {
		return
	}
	line := fmt.Sprintf("%-10s ", title)
	for i, e := range top {
		part := " " + cli.Printable(e.Name) + " (" + cli.Grouped(e.Count) + ")"
		if i > 0 {
			part = "," + part
		}
		rest := ""
		if left := all - i - 1; left > 0 {
			rest = fmt.Sprintf(" and %s more", cli.Grouped(left))
		}
		if i > 0 && s.console.Width > 0 && runewidth.StringWidth(line+part+rest) > s.console.Width {
			line += fmt.Sprintf(" and %s more", cli.Grouped(all-i))
			break
		}
		if line += part; i == len(top)-1 {
			line += rest
		}
	}
	fmt.Fprintln(to, line)
}

const (
	fewestForHint   = 10 // alerts, before one rule is said to cause most of them
	fewestForManyOf = 5  // clients of a rule, before they are called many
)

// hint names the rule that causes more than half of the alerts, if it does, with what helps where it is wrong. An attacker
// tries many rules, and one rule that matches for most clients is probably wrong.
func (s *summary) hint(top *ruleCount, alerts uint64) string {
	if alerts < fewestForHint || 2*uint64(top.alerts) <= alerts {
		return ""
	}
	help := "wafctl tune proposes exclusions"
	if !s.preset && slices.Contains(presets.QuietedByAPI, top.id) {
		help = "--preset api suits REST, GraphQL and RPC services, and " + help
	}
	clients, all := len(top.clients), s.sources.Len()
	if clients < fewestForManyOf || 2*clients <= all && clients < maxClients {
		return fmt.Sprintf("Rule %d causes %s of %s alerts. If that traffic is legitimate: %s.", top.id, cli.Grouped(top.alerts), cli.Grouped(alerts), help)
	}
	whose := "all " + cli.Grouped(all)
	switch {
	case clients == maxClients:
		whose = "at least " + cli.Grouped(maxClients)
	case clients < all:
		whose = cli.Grouped(clients) + " of " + cli.Grouped(all)
	}
	return fmt.Sprintf("Rule %d causes %s of %s alerts, for %s clients that alert. It looks like a false positive: %s.",
		top.id, cli.Grouped(top.alerts), cli.Grouped(alerts), whose, help)
}
