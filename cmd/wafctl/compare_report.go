package main

import (
	"bufio"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	jsoniter "github.com/json-iterator/go"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
)

// changeReport writes what differs, record by record in input order; a record without a difference has a nil change.
type changeReport interface {
	change(file string, r *checked, d *change) error
	end(before, after filter.Counts) error
}

// changeTable writes one line a change, and a summary.
type changeTable struct {
	*grid
	to          *bufio.Writer
	withFile    bool
	changes     int
	added, gone map[string]int // records by rule
}

func newChangeTable(c *console, withFile bool) *changeTable {
	t := &changeTable{to: lineWriter(c), withFile: withFile, added: map[string]int{}, gone: map[string]int{}}
	where := column{title: "LINE", width: 7, right: true}
	if withFile {
		where = column{title: "FILE:LINE", width: 24, least: 12, tail: true}
	}
	t.grid = newGrid(c, t.to, where, column{title: "OUTCOME", width: 12}, column{title: "SCORE", width: 9},
		column{title: "RULES", width: 40, least: 18, spare: 1}, column{title: "REQUEST"})
	return t
}

func (t *changeTable) change(file string, r *checked, d *change) error {
	if d == nil {
		return nil
	}
	if t.changes++; t.changes == 1 {
		t.title()
	}
	var ids []string
	for _, id := range d.added {
		t.added[id]++
		ids = append(ids, "+"+id)
	}
	for _, id := range d.gone {
		t.gone[id]++
		ids = append(ids, "−"+id)
	}
	where := strconv.Itoa(r.line)
	if t.withFile {
		where = file + ":" + where
	}
	color := map[string]string{newAlert: red, alertGone: green}[d.outcome]
	t.row(cell{text: where}, cell{d.outcome, color}, cell{text: fmt.Sprintf("%d → %d", d.before, d.after)},
		cell{text: strings.Join(ids, " ")}, cell{text: request(r)})
	if t.console.width > 0 {
		return t.to.Flush()
	}
	return nil
}

// request names a record by what was asked for, which is known of alerts.
func request(r *checked) string {
	a := cmp.Or(r.Alert, r.other.Alert)
	if a == nil {
		return ""
	}
	return a.Method + " " + a.URI
}

func (t *changeTable) end(before, after filter.Counts) error {
	if t.changes > 0 {
		fmt.Fprintln(t.to)
	}
	fmt.Fprintf(t.to, "%s: %s, %s → %s\n", count(before.Records, "record"), count(t.changes, "change"),
		count(before.Alerts, "alert"), count(after.Alerts, "alert"))
	for _, part := range []struct {
		sign  string
		rules map[string]int
	}{{"+", t.added}, {"−", t.gone}} {
		for _, id := range byCount(part.rules) {
			fmt.Fprintf(t.to, "%7s  %s in %s\n", part.sign, id, count(part.rules[id], "record"))
		}
	}
	return t.to.Flush()
}

// byCount returns the keys of a map, those with the largest numbers first.
func byCount(counts map[string]int) []string {
	return slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
}

// changeLines writes one JSON object a change.
type changeLines struct {
	to       *bufio.Writer
	encoder  *jsoniter.Encoder
	withFile bool
}

// jsonChange is what compare --output json says of one record.
type jsonChange struct {
	File    string   `json:"file,omitempty"` // when there are several
	Line    int      `json:"line"`
	Outcome string   `json:"outcome"`
	Added   []string `json:"added"`
	Gone    []string `json:"gone"`
	Before  int      `json:"score_before"`
	After   int      `json:"score_after"`
}

func newChangeLines(c *console, withFile bool) *changeLines {
	to := lineWriter(c)
	return &changeLines{to: to, encoder: jsoniter.NewEncoder(to), withFile: withFile}
}

func (l *changeLines) change(file string, r *checked, d *change) error {
	if d == nil {
		return nil
	}
	line := jsonChange{
		Line: r.line, Outcome: strings.ReplaceAll(d.outcome, " ", "_"), Added: append([]string{}, d.added...), Gone: append([]string{}, d.gone...),
		Before: d.before, After: d.after,
	}
	if l.withFile {
		line.File = mend(file)
	}
	return l.encoder.Encode(&line)
}

func (l *changeLines) end(_, _ filter.Counts) error { return l.to.Flush() }
