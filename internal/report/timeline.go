package report

import (
	"math"
	"time"
)

// levels are counts by severity.
type levels [len(Severities)]int

func (l *levels) sum() (n int) {
	for _, count := range l {
		n += count
	}
	return n
}

// timeline counts alerts in spans of equal width. It keeps a bounded number of spans: when there are more, they are joined to
// wider ones.
type timeline struct {
	width  int64 // of a span in seconds
	spans  map[int64]*levels
	undone int // alerts without a time
}

// widths of spans in seconds, each a multiple of the one before. After the last one they grow tenfold.
var widths = []int64{
	1, 5, 10, 30, 60, 5 * 60, 10 * 60, 30 * 60, hour, 3 * hour, 6 * hour, 12 * hour, day, 7 * day, 28 * day, 364 * day,
}

const (
	hour     = 60 * 60
	day      = 24 * hour
	maxSpans = 4096 // kept while counting
)

func newTimeline() timeline { return timeline{width: widths[0], spans: map[int64]*levels{}} }

func (t *timeline) add(at time.Time, severity int) {
	if at.IsZero() {
		t.undone++
		return
	}
	number := floorDiv(at.Unix(), t.width)
	if t.spans[number] == nil {
		t.spans[number] = &levels{}
	}
	t.spans[number][level(severity)]++
	for len(t.spans) > maxSpans {
		t.widen()
	}
}

// widen joins spans to those of the next width.
func (t *timeline) widen() {
	next := t.width * 10
	for _, width := range widths {
		if width > t.width {
			next = width
			break
		}
	}
	joined := map[int64]*levels{}
	for number, counts := range t.spans {
		to := floorDiv(number, next/t.width)
		if joined[to] == nil {
			joined[to] = &levels{}
		}
		for i, n := range counts {
			joined[to][i] += n
		}
	}
	t.width, t.spans = next, joined
}

// dense returns all spans from the first to the last, at most some, and the number of the first one.
func (t *timeline) dense(limit int64) (first int64, counts []levels) {
	if len(t.spans) == 0 {
		return 0, nil
	}
	first, last := t.ends()
	for last-first >= limit {
		t.widen()
		first, last = t.ends()
	}
	counts = make([]levels, last-first+1)
	for number, span := range t.spans {
		counts[number-first] = *span
	}
	return first, counts
}

func (t *timeline) ends() (first, last int64) {
	first, last = math.MaxInt64, math.MinInt64
	for number := range t.spans {
		first, last = min(first, number), max(last, number)
	}
	return first, last
}

// start returns the time at which a span begins.
func (t *timeline) start(number int64) time.Time { return time.Unix(number*t.width, 0).UTC() }

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
