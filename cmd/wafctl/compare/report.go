package compare

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/evaluation"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
)

// changeReport writes what differs, record by record in input order; a record without a difference has a nil change.
type changeReport interface {
	change(file string, r *evaluation.Checked, d *change) error
	End(before, after filter.Counts) error
}

// changeTable writes one line a change, and a summary.
type changeTable struct {
	*cli.Grid
	to          *bufio.Writer
	withFile    bool
	changes     int
	added, gone map[string]int // records by rule
}

func newChangeTable(c *cli.Console, withFile bool) *changeTable {
	t := &changeTable{to: cli.LineWriter(c), withFile: withFile, added: map[string]int{}, gone: map[string]int{}}
	where := cli.Column{Title: "LINE", Width: 7, Right: true}
	if withFile {
		where = cli.Column{Title: "FILE:LINE", Width: 24, Least: 12, Tail: true}
	}
	t.Grid = cli.NewGrid(c, t.to, where, cli.Column{Title: "OUTCOME", Width: 12}, cli.Column{Title: "SCORE", Width: 9},
		cli.Column{Title: "RULES", Width: 40, Least: 18, Spare: 1}, cli.Column{Title: "REQUEST"})
	return t
}

func (t *changeTable) change(file string, r *evaluation.Checked, d *change) error {
	if d == nil {
		return nil
	}
	if t.changes++; t.changes == 1 {
		t.Title()
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
	where := strconv.Itoa(r.Line)
	if t.withFile {
		where = file + ":" + where
	}
	color := map[string]string{newAlert: cli.Red, alertGone: cli.Green}[d.outcome]
	t.Row(cli.Cell{Text: where}, cli.Cell{Text: d.outcome, Color: color}, cli.Cell{Text: fmt.Sprintf("%d → %d", d.before, d.after)},
		cli.Cell{Text: strings.Join(ids, " ")}, cli.Cell{Text: request(r)})
	if t.Console.Width > 0 {
		return t.to.Flush()
	}
	return nil
}

// request names a record by what was asked for, which is known of alerts.
func request(r *evaluation.Checked) string {
	a := cmp.Or(r.Alert, r.Other.Alert)
	if a == nil {
		return ""
	}
	return a.Method + " " + a.URI
}

func (t *changeTable) End(before, after filter.Counts) error {
	if t.changes > 0 {
		fmt.Fprintln(t.to)
	}
	fmt.Fprintf(t.to, "%s: %s, %s → %s\n", cli.Count(before.Records, "record"), cli.Count(t.changes, "change"),
		cli.Count(before.Alerts, "alert"), cli.Count(after.Alerts, "alert"))
	for _, part := range []struct {
		sign  string
		rules map[string]int
	}{{"+", t.added}, {"−", t.gone}} {
		for _, id := range byCount(part.rules) {
			fmt.Fprintf(t.to, "%7s  %s in %s\n", part.sign, id, cli.Count(part.rules[id], "record"))
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
	encoder  *json.Encoder
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

func newChangeLines(c *cli.Console, withFile bool) *changeLines {
	to := cli.LineWriter(c)
	return &changeLines{to: to, encoder: json.NewEncoder(to), withFile: withFile}
}

func (l *changeLines) change(file string, r *evaluation.Checked, d *change) error {
	if d == nil {
		return nil
	}
	line := jsonChange{
		Line: r.Line, Outcome: strings.ReplaceAll(d.outcome, " ", "_"), Added: append([]string{}, d.added...), Gone: append([]string{}, d.gone...),
		Before: d.before, After: d.after,
	}
	if l.withFile {
		line.File = cli.Mend(file)
	}
	return l.encoder.Encode(&line)
}

func (l *changeLines) End(_, _ filter.Counts) error { return l.to.Flush() }
