package check

import (
	"bufio"
	"cmp"
	"net"
	"strconv"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/evaluation"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/logtime"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// table writes each alert in one line, on a terminal without room for that in two, and a summary.
type table struct {
	console  *cli.Console
	to       *bufio.Writer
	withFile bool
	titled   bool
	broken   int
	summary  *summary

	line *cli.Grid
	more *cli.Grid // the second line of an alert, nil when one has room for everything
}

const (
	routeWidth  = 45 // two IPv4 addresses with ports
	narrowRoute = 33 // two without
	scoreWidth  = 5

	// shortTime is how a terminal without much room shows a time: without the year.
	shortTime = "01-02 15:04:05"
)

func newTable(c *cli.Console, withFile, preset bool) *table {
	t := &table{console: c, to: cli.LineWriter(c), withFile: withFile, summary: newSummary(c, preset)}
	where := cli.Column{Title: "LINE", Width: 7, Right: true}
	if withFile {
		where = cli.Column{Title: "FILE:LINE", Width: 24, Least: 12, Tail: true}
	}
	severity, score := cli.Column{Title: "SEVERITY", Width: cli.SeverityWidth}, cli.Column{Title: "SCORE", Width: scoreWidth, Right: true}
	rule, message := cli.Column{Title: "RULE", Width: cli.RuleWidth}, cli.Column{Title: "MESSAGE", Width: 52, Least: 20}
	at := cli.Column{Title: "TIME", Width: len(time.RFC3339)}
	if c.Width == 0 || c.Width >= cli.WideTable {
		if c.Width > 0 {
			at.Width = len(shortTime)
		}
		t.line = cli.NewGrid(c, t.to, where, at, severity, score, rule,
			cli.Column{Title: "SOURCE → DESTINATION", Width: routeWidth, Least: narrowRoute}, message, cli.Column{Title: "REQUEST"})
		return t
	}
	at.Width = len(shortTime)
	t.line = cli.NewGrid(c, t.to, where, at, severity, score, message)
	where = t.line.Columns[0]
	where.Title, where.Least = "", 0
	t.more = cli.NewGrid(c, t.to, where, rule, cli.Column{Title: "SOURCE → DESTINATION  REQUEST"})
	return t
}

func (t *table) record(file string, r *evaluation.Checked) error {
	if r.Err != nil {
		t.broken++
	}
	if r.Err != nil || r.Kind != filter.Alert {
		return nil
	}
	if !t.titled {
		t.titled = true
		t.line.Title()
		if t.more != nil {
			t.more.Title()
		}
	}
	t.alert(file, r)
	t.summary.Add(r)
	if t.console.Width > 0 {
		return t.to.Flush() // who waits at a terminal sees each alert at once
	}
	return nil
}

func (t *table) alert(file string, r *evaluation.Checked) {
	match, request := r.Alert.Rule, r.Alert.Method+" "+r.Alert.URI
	where := cli.Cell{Text: strconv.Itoa(r.Line)}
	if t.withFile {
		where.Text = file + ":" + where.Text
	}
	at, severity := cli.Cell{Text: t.time(r.Alert)}, cli.SeverityCell(rules.SeverityName(r.Alert.Details.Severity))
	score, rule, message := cli.Cell{Text: strconv.Itoa(r.Verdict.Score())}, cli.Cell{Text: strconv.Itoa(match.Rule.ID)}, cli.Cell{Text: match.Message}
	if t.more == nil {
		t.line.Row(where, at, severity, score, rule, cli.Cell{Text: route(r.Alert, !t.line.Narrow)}, message, cli.Cell{Text: request})
		return
	}
	t.line.Row(where, at, severity, score, message)
	t.more.Row(cli.Cell{}, rule, cli.Cell{Text: route(r.Alert, false) + "  " + request, Color: cli.Dim})
}

// time returns when a transaction was, as its record says it and in the zone of the record; "-" when it does not.
func (t *table) time(a *filter.Summary) string {
	at, known := logtime.Parse(a.Details.Begin, nil)
	switch {
	case !known:
		return "-"
	case t.console.Width == 0:
		return at.Format(time.RFC3339)
	}
	return at.Format(shortTime)
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

func (t *table) End(counts filter.Counts) error {
	t.summary.Write(t.to, counts, t.broken)
	return t.to.Flush()
}
