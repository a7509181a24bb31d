package main

import (
	"bufio"
	"cmp"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/presets"
)

// table writes one line an alert, and a summary.
type table struct {
	*grid
	to       *bufio.Writer
	withFile bool
	preset   bool // the rules have a preset
	titled   bool
	broken   int
	rules    map[int]*ruleCount
}

// ruleCount says how often a rule named an alert.
type ruleCount struct {
	id, alerts int
	severity   string
	message    string
}

func newTable(c *console, withFile, preset bool) *table {
	t := &table{to: lineWriter(c), withFile: withFile, preset: preset, rules: map[int]*ruleCount{}}
	where := column{title: "LINE", width: 7, right: true}
	if withFile {
		where = column{title: "FILE:LINE", width: 24, least: 12, tail: true}
	}
	t.grid = newGrid(c, t.to, where, column{title: "SEVERITY", width: severityWidth, spare: 2}, column{title: "RULE", width: ruleWidth},
		column{title: "SOURCE → DESTINATION", width: routeWidth, least: narrowRoute},
		column{title: "MESSAGE", width: 52, least: 20, spare: 1}, column{title: "REQUEST"})
	return t
}

const (
	routeWidth  = 45 // two IPv4 addresses with ports
	narrowRoute = 33 // two without
)

func (t *table) record(file string, r *checked) error {
	if r.err != nil {
		t.broken++
	}
	if r.err != nil || r.Kind != filter.Alert {
		return nil
	}
	if !t.titled {
		t.titled = true
		t.title()
	}
	where := strconv.Itoa(r.line)
	if t.withFile {
		where = file + ":" + where
	}
	match := r.Alert.Rule
	severity := match.Rule.Severity.String()
	t.row(cell{text: where}, severityCell(severity), cell{text: strconv.Itoa(match.Rule.ID)}, cell{text: route(r.Alert, !t.narrow)},
		cell{text: match.Message}, cell{text: r.Alert.Method + " " + r.Alert.URI})
	t.count(match.Rule.ID, severity, match.Message)
	if t.console.width > 0 {
		return t.to.Flush() // who waits at a terminal sees each alert at once
	}
	return nil
}

func (t *table) count(id int, severity, message string) {
	c := t.rules[id]
	if c == nil {
		c = &ruleCount{id: id, severity: severity, message: message}
		t.rules[id] = c
	}
	c.alerts++
}

// route writes who asked whom; a server without an address is named by the host that was asked for.
func route(a *filter.Summary, ports bool) string {
	from, to := a.ClientIP, cmp.Or(a.ServerIP, a.Host)
	if ports {
		from, to = endpoint(from, a.ClientPort), endpoint(to, a.ServerPort)
	}
	return cmp.Or(from, "?") + " → " + cmp.Or(to, "?")
}

func endpoint(address, port string) string {
	if address == "" || port == "" {
		return address
	}
	return net.JoinHostPort(address, port)
}

// maxTopRules is how many rules the summary names.
const maxTopRules = 5

func (t *table) end(counts filter.Counts) error {
	if t.titled {
		fmt.Fprintln(t.to)
	}
	color := green
	if counts.Alerts > 0 {
		color = red
	}
	fmt.Fprintf(t.to, "%s: %s, %s clean, %s not HTTP", count(counts.Records, "record"),
		t.console.paint(color, count(counts.Alerts, "alert")), grouped(counts.Clean), grouped(counts.NotHTTP))
	if counts.Partial > 0 {
		fmt.Fprintf(t.to, ", %s inspected in part", grouped(counts.Partial))
	}
	if n := counts.Broken + counts.Skipped; n > 0 {
		fmt.Fprintf(t.to, ", %s not inspected", grouped(n))
	}
	if t.broken > 0 {
		fmt.Fprintf(t.to, "; %s could not be read", count(t.broken, "line"))
	}
	fmt.Fprintln(t.to)
	top := slices.SortedFunc(maps.Values(t.rules), func(a, b *ruleCount) int {
		return cmp.Or(cmp.Compare(b.alerts, a.alerts), cmp.Compare(a.id, b.id))
	})
	summary := newGrid(t.console, t.to, column{width: 7, right: true}, column{width: ruleWidth}, column{width: severityWidth}, column{})
	for _, r := range top[:min(len(top), maxTopRules)] {
		summary.row(cell{text: grouped(r.alerts) + " ×"}, cell{text: strconv.Itoa(r.id)}, severityCell(r.severity), cell{text: r.message})
	}
	if hint := t.hint(top, counts.Alerts); hint != "" {
		fmt.Fprintf(t.to, "\n%s\n", hint)
	}
	return t.to.Flush()
}

// fewestForHint is how many alerts there are at least before one rule is said to cause most of them.
const fewestForHint = 10

// hint names the rule that causes more than half of the alerts, if one does, with what helps where the traffic is legitimate.
func (t *table) hint(top []*ruleCount, alerts uint64) string {
	if alerts < fewestForHint || 2*uint64(top[0].alerts) <= alerts {
		return ""
	}
	help := "wafctl tune proposes exclusions"
	if !t.preset && slices.Contains(presets.QuietedByAPI, top[0].id) {
		help = "--preset api fits REST, GraphQL and RPC services, and " + help
	}
	return fmt.Sprintf("Rule %d causes %s of %s alerts. If that traffic is legitimate: %s.", top[0].id, grouped(top[0].alerts), grouped(alerts), help)
}
