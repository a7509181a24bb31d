package report

import (
	"math"
	"strings"
	"time"
)

// timelineChart shows alerts over time as bars, stacked by severity. Coordinates are those of a picture that is stretched to the
// page: one column a span, 100 units high.
type timelineChart struct {
	Columns []timelineColumn
	Width   int
	Top     int // alerts at the upper end
	Ticks   []string
	Span    string // of one bar, in words
	Legend  []string
	Summary string // for those who do not see the picture
}

type timelineColumn struct {
	Title  string
	Blocks []timelineBlock
}

type timelineBlock struct {
	Severity     string
	X, Y, Height float64
}

const (
	leastBars = 24
	ticks     = 5
)

func (d *Digest) timelineChart() timelineChart {
	t := &d.timeline
	first, counts := t.dense(maxBars)
	if len(counts) == 0 {
		return timelineChart{}
	}
	margin := max(0, (leastBars-len(counts)+1)/2) // few bars stand in the middle
	highest := 0
	for i := range counts {
		highest = max(highest, counts[i].sum())
	}
	c := timelineChart{Width: len(counts) + 2*margin, Top: roundUp(highest), Span: spanText(t.width), Legend: d.legend()}
	for i := range counts {
		if n := counts[i].sum(); n > 0 {
			start, end := t.start(first+int64(i)), t.start(first+int64(i)+1)
			column := timelineColumn{Title: timeText(start, t.width) + " – " + timeText(end, t.width) + ": " + alertsText(&counts[i])}
			column.stack(&counts[i], float64(margin+i), float64(c.Top))
			c.Columns = append(c.Columns, column)
		}
	}
	for i := range ticks {
		at := first - int64(margin) + int64(c.Width)*int64(i)/(ticks-1)
		c.Ticks = append(c.Ticks, timeText(t.start(at), t.width))
	}
	c.Summary = "Alerts over time: at most " + Number(highest) + " in " + c.Span
	return c
}

// stack builds a column from the bottom, the most severe first.
func (c *timelineColumn) stack(counts *levels, x, top float64) {
	bottom := 100.0
	for i, n := range counts {
		if n == 0 {
			continue
		}
		height := round(100 * float64(n) / top)
		bottom = round(bottom - height)
		c.Blocks = append(c.Blocks, timelineBlock{Severities[i], x + 0.1, bottom, height})
	}
}

func round(x float64) float64 { return math.Round(1000*x) / 1000 }

func (d *Digest) legend() (names []string) {
	for i, n := range d.severities {
		if n > 0 {
			names = append(names, Severities[i])
		}
	}
	return names
}

func alertsText(counts *levels) string {
	var parts []string
	for i, n := range counts {
		if n > 0 {
			parts = append(parts, Number(n)+" "+Severities[i])
		}
	}
	return strings.Join(parts, ", ")
}

// roundUp returns a round number that is not smaller, and of which half is a whole number, too, unless it is 1.
func roundUp(n int) int {
	if n <= 1 {
		return 1
	}
	for unit := 1; ; unit *= 10 {
		for _, step := range []int{2, 4, 6, 8, 10, 12, 16} {
			if step*unit >= n {
				return step * unit
			}
		}
	}
}

// timeText writes the start of a span as precisely as its width wants it.
func timeText(t time.Time, width int64) string {
	switch {
	case width < 60:
		return t.Format("Jan 2 15:04:05")
	case width < day:
		return t.Format("Jan 2 15:04")
	}
	return t.Format(time.DateOnly)
}

// spanText writes a width in words.
func spanText(seconds int64) string {
	for _, unit := range []struct {
		seconds int64
		name    string
	}{{day, "day"}, {hour, "hour"}, {60, "minute"}} {
		if seconds%unit.seconds == 0 {
			return plural(int(seconds/unit.seconds), unit.name)
		}
	}
	return plural(int(seconds), "second")
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return Number(n) + " " + noun + "s"
}
