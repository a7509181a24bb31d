package main

import (
	"bufio"
	"cmp"
	"net"
	"strconv"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/logtime"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// table writes each alert in one line, on a terminal without room for that in two, and a summary.
type table struct {
	console  *console
	to       *bufio.Writer
	withFile bool
	titled   bool
	broken   int
	summary  *summary

	line *grid
	more *grid // the second line of an alert, nil when one has room for everything
}

const (
	// wideTable is the width of a terminal from which an alert has room in one line.
	wideTable   = 140
	routeWidth  = 45 // two IPv4 addresses with ports
	narrowRoute = 33 // two without
	scoreWidth  = 5

	// shortTime is how a terminal without much room shows a time: without the year.
	shortTime = "01-02 15:04:05"
)

func newTable(c *console, withFile, preset bool) *table {
	t := &table{console: c, to: lineWriter(c), withFile: withFile, summary: newSummary(c, preset)}
	where := column{title: "LINE", width: 7, right: true}
	if withFile {
		where = column{title: "FILE:LINE", width: 24, least: 12, tail: true}
	}
	severity, score := column{title: "SEVERITY", width: severityWidth}, column{title: "SCORE", width: scoreWidth, right: true}
	rule, message := column{title: "RULE", width: ruleWidth}, column{title: "MESSAGE", width: 52, least: 20}
	at := column{title: "TIME", width: len(time.RFC3339)}
	if c.width == 0 || c.width >= wideTable {
		if c.width > 0 {
			at.width = len(shortTime)
		}
		t.line = newGrid(c, t.to, where, at, severity, score, rule,
			column{title: "SOURCE → DESTINATION", width: routeWidth, least: narrowRoute}, message, column{title: "REQUEST"})
		return t
	}
	at.width = len(shortTime)
	t.line = newGrid(c, t.to, where, at, severity, score, message)
	where = t.line.columns[0]
	where.title, where.least = "", 0
	t.more = newGrid(c, t.to, where, rule, column{title: "SOURCE → DESTINATION  REQUEST"})
	return t
}

func (t *table) record(file string, r *checked) error {
	if r.err != nil {
		t.broken++
	}
	if r.err != nil || r.Kind != filter.Alert {
		return nil
	}
	if !t.titled {
		t.titled = true
		t.line.title()
		if t.more != nil {
			t.more.title()
		}
	}
	t.alert(file, r)
	t.summary.add(r)
	if t.console.width > 0 {
		return t.to.Flush() // who waits at a terminal sees each alert at once
	}
	return nil
}

func (t *table) alert(file string, r *checked) {
	match, request := r.Alert.Rule, r.Alert.Method+" "+r.Alert.URI
	where := cell{text: strconv.Itoa(r.line)}
	if t.withFile {
		where.text = file + ":" + where.text
	}
	at, severity := cell{text: t.time(r.Alert)}, severityCell(rules.SeverityName(r.Alert.Told.Severity))
	score, rule, message := cell{text: strconv.Itoa(r.Verdict.Score())}, cell{text: strconv.Itoa(match.Rule.ID)}, cell{text: match.Message}
	if t.more == nil {
		t.line.row(where, at, severity, score, rule, cell{text: route(r.Alert, !t.line.narrow)}, message, cell{text: request})
		return
	}
	t.line.row(where, at, severity, score, message)
	t.more.row(cell{}, rule, cell{text: route(r.Alert, false) + "  " + request, color: dim})
}

// time returns when a transaction was, as its record says it and in the zone of the record; "-" when it does not.
func (t *table) time(a *filter.Summary) string {
	at, known := logtime.Parse(a.Told.Begin, nil)
	switch {
	case !known:
		return "-"
	case t.console.width == 0:
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

func (t *table) end(counts filter.Counts) error {
	t.summary.write(t.to, counts, t.broken)
	return t.to.Flush()
}
