package report

import (
	"math"
	"strings"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
)

// timelineChart shows alerts over time in lanes, one for each severity, and one for attacks that likely succeeded: what a bar
// stands for is written beside its lane. Each lane has a scale of its own. Coordinates are those of a picture that is stretched
// to the page: one column a span, 100 units high.
type timelineChart struct {
	Lanes   []lane
	Width   int
	Ticks   []string
	Span    string // of one bar, in words
	Outside string // how many alerts are outliers
	Stamp   string // from when to when, with the year
}

type lane struct {
	Kind    string // a severity, or succeededKind
	Label   string
	Alerts  int
	Highest int
	Bars    []timelineBar
}

type timelineBar struct {
	Title        string
	X, Y, Height float64
}

const (
	leastBars     = 24
	ticks         = 5
	succeededKind = "succeeded"
)

func (d *Digest) timelineChart() timelineChart {
	t := &d.timeline
	first, counts, before, after := t.dense(maxBars)
	if len(counts) == 0 {
		return timelineChart{}
	}
	margin := max(0, (leastBars-len(counts)+1)/2) // few bars stand in the middle
	c := timelineChart{Width: len(counts) + 2*margin, Span: spanText(t.width), Outside: d.outsideText(before, after)}
	stretch := func(i int) string {
		return timeText(t.start(first+int64(i)), t.width) + " – " + timeText(t.start(first+int64(i)+1), t.width)
	}
	c.addLane(succeededKind, string(alert.LikelySucceeded), counts, margin, stretch, func(t *tally) int { return t.succeeded })
	for i, name := range Severities {
		c.addLane(name, name, counts, margin, stretch, func(t *tally) int { return t.levels[i] })
	}
	for i := range ticks {
		at := first - int64(margin) + int64(c.Width)*int64(i)/(ticks-1)
		c.Ticks = append(c.Ticks, timeText(t.start(at), t.width))
	}
	c.Stamp = d.stampText(before, after, t.start(first), t.start(first+int64(len(counts))))
	return c
}

// addLane adds a lane, unless there is nothing to count.
func (c *timelineChart) addLane(kind, label string, counts []tally, margin int, stretch func(int) string, of func(*tally) int) {
	l := lane{Kind: kind, Label: label}
	for i := range counts {
		n := of(&counts[i])
		l.Alerts += n
		l.Highest = max(l.Highest, n)
	}
	if l.Alerts == 0 {
		return
	}
	for i := range counts {
		if n := of(&counts[i]); n > 0 {
			height := max(2, round(100*float64(n)/float64(l.Highest)))
			l.Bars = append(l.Bars, timelineBar{stretch(i) + ": " + Number(n) + " " + label, float64(margin+i) + 0.1, 100 - height, height})
		}
	}
	c.Lanes = append(c.Lanes, l)
}

// stampText writes from when to when alerts are, but for outliers.
func (d *Digest) stampText(before, after int, start, end time.Time) string {
	from, to := d.first, d.last
	if before > 0 {
		from = start
	}
	if after > 0 {
		to = end
	}
	return from.UTC().Format(time.DateTime) + " to " + to.UTC().Format(time.DateTime)
}

// outsideText writes how many alerts the chart does not show, and how far away they are.
func (d *Digest) outsideText(before, after int) string {
	var parts []string
	if before > 0 {
		parts = append(parts, plural(before, "alert")+" before it, the first on "+d.first.UTC().Format(time.DateTime))
	}
	if after > 0 {
		parts = append(parts, plural(after, "alert")+" after it, the last on "+d.last.UTC().Format(time.DateTime))
	}
	if parts == nil {
		return ""
	}
	return "Outside this range: " + strings.Join(parts, "; ") + "."
}

func round(x float64) float64 { return math.Round(1000*x) / 1000 }

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
