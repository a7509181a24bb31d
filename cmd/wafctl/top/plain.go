package top

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
)

const (
	rowsOnce  = 10  // of a list in a snapshot
	wideOnce  = 120 // columns of a snapshot where there is no terminal
	shownTops = 3   // names of a list in a line
)

// Once prints what a source has counted, in lines of at most width columns; 0 is no terminal.
func Once(ctx context.Context, to io.Writer, source Source, width int) error {
	reading, err := source.Read(ctx)
	if err != nil {
		return err
	}
	var h history
	h.add(reading)
	return snapshot(to, reading, &h, source.Title(), width)
}

func snapshot(to io.Writer, r *Reading, h *history, title string, width int) error {
	s := screen{width: width}
	if width == 0 {
		s.width = wideOnce
	}
	lines := s.head(r, h, title)
	for i := range r.Lists {
		l := r.Lists[i]
		l.Rows = l.Rows[:min(len(l.Rows), rowsOnce)]
		lines = append(lines, s.list(&l, h, s.width, max(len(l.Rows), 1)+2, false, true)...)
	}
	if r.Note != "" {
		lines = append(lines, r.Note)
	}
	fit := lipgloss.NewStyle().MaxWidth(s.width)
	for i := range lines {
		if width > 0 {
			lines[i] = fit.Render(lines[i])
		}
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	_, err := io.WriteString(to, strings.TrimRight(strings.Join(lines, "\n"), "\n")+"\n")
	return err
}

// Lines prints one line after each interval until ctx ends or the source does; then a snapshot follows.
func Lines(ctx context.Context, to io.Writer, source Source, interval time.Duration) error {
	var h history
	var last *Reading
	ticks := time.NewTicker(interval)
	defer ticks.Stop()
	for {
		reading, err := source.Read(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && last == nil:
			return err
		case err != nil:
			_, err = fmt.Fprintf(to, "%s  no answer: %s\n", time.Now().Format(time.TimeOnly), shown(err.Error()))
		case reading.Ended:
			return snapshot(to, reading, &history{}, source.Title(), 0)
		default:
			last = reading
			h.add(reading)
			_, err = fmt.Fprintln(to, line(reading, &h))
		}
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticks.C:
		}
	}
}

// line sums a reading up.
func line(r *Reading, h *history) string {
	s := screen{}
	parts := []string{
		"records " + cli.Grouped(sum(r.Records)) + " (" + perTime(h.rate(ofRecords, "")) + ")",
		"alerts " + cli.Grouped(r.Alerts) + " (" + perTime(h.rate(ofAlerts, "")) + ")",
	}
	if ends := s.items(r.Ends, h, ofEnds); ends != nil {
		parts = append(parts, strings.Join(ends, ", "))
	}
	for i := range r.Lists {
		if names := tops(&r.Lists[i]); names != "" && i < 3 {
			parts = append(parts, strings.ToLower(r.Lists[i].Title)+" "+names)
		}
	}
	if missed := s.items(r.Missed, h, ofMissed); missed != nil {
		parts = append(parts, "not inspected: "+strings.Join(missed, ", "))
	}
	return r.At.Format(time.TimeOnly) + "  " + strings.Join(parts, "; ")
}

func tops(l *List) string {
	var names []string
	for _, row := range l.Rows[:min(len(l.Rows), shownTops)] {
		if row.N > 0 {
			names = append(names, row.Name+" "+cli.Grouped(row.N))
		}
	}
	return strings.Join(names, ", ")
}
