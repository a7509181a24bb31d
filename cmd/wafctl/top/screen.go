package top

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/mattn/go-runewidth"
)

// screen draws readings. Its zero value draws plain text.
type screen struct {
	width, height int
	styles        styles
	order         order
	focus         int // the list that keys are for
	zoomed        bool
	first         int // row of the list in focus at its top
	paused        bool
	problem       string // of the last try to read, "" when it was good
}

// order is how lists are sorted.
type order int

const (
	byCount order = iota
	byRate
	byName
	orders
)

func (o order) String() string { return [...]string{"count", "rate", "name"}[o] }

// styles only stress what the text says as well.
type styles struct{ title, dim, good, bad, focus lipgloss.Style }

func colored() styles {
	plain := lipgloss.NewStyle()
	return styles{
		title: plain.Bold(true), dim: plain.Faint(true), good: plain.Foreground(lipgloss.Green), bad: plain.Foreground(lipgloss.Red),
		focus: plain.Bold(true).Reverse(true),
	}
}

const (
	labelWidth  = 15
	narrow      = 72 // columns below which one list is shown at a time
	totalWidth  = 9
	speedWidth  = 8
	countWidth  = 7  // of a list, with the gap before it
	minPane     = 4  // lines of a list
	leastAbout  = 14 // columns from which it is worth saying more than a name
	windowShown = "rates over %s"
)

// draw returns the lines that fill a screen.
func (s *screen) draw(r *Reading, h *history, title string) string {
	lines := s.head(r, h, title)
	keys := "q quit  tab next list  enter " + map[bool]string{false: "zoom", true: "back"}[s.zoomed] + "  ↑↓ scroll  s sort: " +
		s.order.String() + "  p " + map[bool]string{false: "pause", true: "go on"}[s.paused]
	foot := []string{s.styles.dim.Render(keys)}
	if r.Note != "" {
		foot = append([]string{s.styles.dim.Render(r.Note)}, foot...)
	}
	lines = append(lines, s.lists(r, h, s.height-len(lines)-len(foot))...)
	if more := s.height - len(lines) - len(foot); more > 0 {
		lines = append(lines, make([]string, more)...)
	}
	lines = append(lines[:max(min(len(lines), s.height-len(foot)), 0)], foot...)
	fit := lipgloss.NewStyle().MaxWidth(s.width)
	for i := range lines {
		lines[i] = fit.Render(lines[i])
	}
	return strings.Join(lines[:min(len(lines), s.height)], "\n")
}

// head returns the lines above the lists.
func (s *screen) head(r *Reading, h *history, title string) []string {
	total := sum(r.Records)
	records := []string{}
	for _, c := range r.Records {
		records = append(records, c.Name+" "+share(c.N, total))
	}
	alerts := s.items(r.Levels, h, ofLevels)
	if r.Alerts > 0 {
		alerts = append(alerts, bars(h.bars()))
	}
	ends := s.items(r.Ends, h, ofEnds)
	if r.Ends == nil && r.Alerts > 0 {
		ends = []string{"not counted by this version"}
	}
	recordRate, alertRate := "", ""
	if h.span() > 0 {
		recordRate, alertRate = perTime(h.rate(ofRecords, "")), perTime(h.rate(ofAlerts, ""))
	}
	lines := []string{
		s.top(r, h, title),
		s.line("Records", cli.Grouped(total), recordRate, records),
		s.line("Alerts", cli.Grouped(r.Alerts), alertRate, alerts),
		s.line("Outcomes", "", "", ends),
	}
	if r.Ways != nil {
		var ways []string
		for _, c := range r.Ways {
			ways = append(ways, c.Name+" "+share(c.N, sum(r.Ways)))
		}
		lines = append(lines, s.line("Verdicts from", "", "", ways))
	}
	return append(lines, s.missed(r, h, total), "")
}

// top returns the first line: what is watched, for how long, and what is wrong.
func (s *screen) top(r *Reading, h *history, title string) string {
	var about []string
	switch {
	case s.paused:
		about = append(about, "PAUSED")
	case r.State != "":
		about = append(about, r.State)
	}
	if span := h.span(); span > 0 {
		about = append(about, fmt.Sprintf(windowShown, short(span)))
	}
	if !r.Ended {
		about = append(about, r.At.Format(time.TimeOnly))
	}
	line := s.styles.title.Render("wafctl top  "+title) + "  " + s.styles.dim.Render(strings.Join(about, ", "))
	if s.problem != "" {
		line = s.styles.bad.Render("no answer since "+r.At.Format(time.TimeOnly)+": ") + s.problem
	}
	return line
}

// short writes a time in one or two units.
func short(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days", int(d.Hours())/24)
	case d >= 2*time.Hour:
		return fmt.Sprintf("%d hours", int(d.Hours()))
	case d >= 2*time.Minute:
		return fmt.Sprintf("%d minutes", int(d.Minutes()))
	}
	return fmt.Sprintf("%d s", int(d.Seconds()+0.5))
}

func (s *screen) line(label, total, rate string, items []string) string {
	text := s.styles.title.Render(left(label, labelWidth))
	if total != "" {
		text += right(total, totalWidth) + right(rate, speedWidth) + "   "
	}
	return text + strings.Join(items, "  ")
}

// items writes counts, with their rates where they have one.
func (s *screen) items(counts []Count, h *history, group string) (all []string) {
	for _, c := range counts {
		text := c.Name + " " + cli.Grouped(c.N)
		if rate := h.rate(group, c.Name); rate > 0 {
			text += " (" + perTime(rate) + ")"
		}
		all = append(all, text)
	}
	return all
}

func (s *screen) missed(r *Reading, h *history, total uint64) string {
	items := s.items(r.Missed, h, ofMissed)
	switch {
	case total > 0 && of(r.Records, notHTTP) == total:
		items = []string{s.styles.bad.Render("everything: no record is an HTTP transaction")}
	case len(items) == 0:
		items = []string{s.styles.good.Render("nothing")}
	}
	return s.line("Not inspected", "", "", items)
}

// lists returns the lines of the lists, in a height.
func (s *screen) lists(r *Reading, h *history, height int) []string {
	if len(r.Lists) == 0 || height < minPane {
		return nil
	}
	s.focus = min(s.focus, len(r.Lists)-1)
	if s.zoomed || s.width < narrow {
		return s.list(&r.Lists[s.focus], h, s.width, height, true, s.zoomed)
	}
	const gap = "  "
	width := (s.width - len(gap)) / 2
	heights := s.heights(r.Lists, height)
	var lines []string
	for i := 0; i < len(r.Lists); i += 2 {
		high := heights[i/2]
		a := s.list(&r.Lists[i], h, width, high, s.focus == i, false)
		b := make([]string, high)
		if i+1 < len(r.Lists) {
			b = s.list(&r.Lists[i+1], h, width, high, s.focus == i+1, false)
		}
		for j := range a {
			lines = append(lines, a[j]+gap+b[j])
		}
	}
	return lines
}

// heights shares a height out among pairs of lists. A pair that needs less than its share leaves the rest to those after and
// before it.
func (s *screen) heights(lists []List, height int) []int {
	needs := make([]int, 0, len(lists)/2+1)
	for i := range lists {
		need := max(len(lists[i].Rows)+2, minPane)
		if i%2 == 0 {
			needs = append(needs, need)
		} else {
			needs[i/2] = max(needs[i/2], need)
		}
	}
	heights := make([]int, len(needs))
	for i, need := range slices.Backward(needs) {
		heights[i] = max(min(need, height/(i+1)), minPane)
		height -= heights[i]
	}
	for i, need := range needs {
		more := max(min(need-heights[i], height), 0)
		heights[i] += more
		height -= more
	}
	return heights
}

// list returns the lines of one list: a title, rows, and a blank one.
func (s *screen) list(l *List, h *history, width, height int, focused, whole bool) []string {
	rows := s.sorted(l, h)
	mark, style, first := "  ", s.styles.title, 0
	if focused {
		s.first = max(min(s.first, len(rows)-(height-2)), 0)
		mark, style, first = "▸ ", s.styles.focus, s.first
	}
	title := mark + l.Title
	if l.Lack > 0 {
		title += " (+" + cli.Grouped(l.Lack) + " at most)"
	}
	names := width - runewidth.StringWidth(numbers(h, "", ""))
	if whole {
		names = min(names, s.nameWidth(title, rows))
	}
	lines := []string{style.Render(left(title, names) + numbers(h, "COUNT", "/MIN"))}
	for _, row := range rows[first:min(len(rows), first+height-2)] {
		text := rowName(&row, names, whole) + numbers(h, compact(row.N), perMinute(h.rate(l.Title, row.Name)))
		if rest := width - runewidth.StringWidth(text) - 2; whole && rest > 0 {
			text += "  " + s.styles.dim.Render(runewidth.Truncate(row.About, rest, "…"))
		}
		lines = append(lines, text)
	}
	if len(rows) == 0 {
		lines = append(lines, left("  none", width))
	}
	for len(lines) < height {
		lines = append(lines, strings.Repeat(" ", width))
	}
	return lines
}

// numbers writes the columns of a count and, where there are rates, its rate.
func numbers(h *history, count, rate string) string {
	if h.span() <= 0 {
		return right(count, countWidth) + " "
	}
	return right(count, countWidth) + right(rate, countWidth) + " "
}

// rowName writes the name of a row in so many columns, with what is said of it where that has no place of its own, but room.
func rowName(row *Row, columns int, whole bool) string {
	name := "  " + row.Name
	if !whole && columns-runewidth.StringWidth(name) >= leastAbout {
		name += "  " + row.About
	}
	return left(name, columns)
}

// nameWidth returns how wide the title of a list and the names of its rows are.
func (s *screen) nameWidth(title string, rows []Row) int {
	width := runewidth.StringWidth(title)
	for i := range rows {
		width = max(width, 2+runewidth.StringWidth(rows[i].Name))
	}
	return min(width, s.width/2)
}

func (s *screen) sorted(l *List, h *history) []Row {
	rows := slices.Clone(l.Rows)
	switch s.order {
	case byRate:
		slices.SortStableFunc(rows, func(a, b Row) int { return cmp.Compare(h.rate(l.Title, b.Name), h.rate(l.Title, a.Name)) })
	case byName:
		slices.SortStableFunc(rows, func(a, b Row) int { return cmp.Compare(a.Name, b.Name) })
	}
	return rows
}
