package report

import (
	"maps"
	"slices"
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

// tally counts the alerts of a span.
type tally struct {
	levels
	succeeded int // likely so
}

func (t *tally) add(more *tally) {
	for i, n := range more.levels {
		t.levels[i] += n
	}
	t.succeeded += more.succeeded
}

// timeline counts alerts in spans of equal width. It keeps a bounded number of spans: when there are more, they are joined to
// wider ones.
type timeline struct {
	width  int64 // of a span in seconds
	spans  map[int64]*tally
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

func newTimeline() timeline { return timeline{width: widths[0], spans: map[int64]*tally{}} }

func (t *timeline) add(at time.Time, severity int, succeeded bool) {
	if at.IsZero() {
		t.undone++
		return
	}
	var one tally
	one.levels[level(severity)]++
	if succeeded {
		one.succeeded++
	}
	t.join(floorDiv(at.Unix(), t.width), &one)
	for len(t.spans) > maxSpans {
		t.widen()
	}
}

func (t *timeline) join(number int64, more *tally) {
	if t.spans[number] == nil {
		t.spans[number] = &tally{}
	}
	t.spans[number].add(more)
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
	narrow, factor := t.spans, next/t.width
	t.width, t.spans = next, map[int64]*tally{}
	for number, counts := range narrow {
		t.join(floorDiv(number, factor), counts)
	}
}

// dense returns all spans of the bulk, at most some, the number of the first one, and how many alerts are before and after them.
func (t *timeline) dense(limit int64) (first int64, counts []tally, before, after int) {
	if len(t.spans) == 0 {
		return 0, nil, 0, 0
	}
	from, to := t.bulk()
	for floorDiv(to, t.width)-floorDiv(from, t.width) >= limit {
		t.widen()
	}
	first = floorDiv(from, t.width)
	counts = make([]tally, floorDiv(to, t.width)-first+1)
	for number, span := range t.spans {
		switch at := number - first; {
		case at < 0:
			before += span.sum()
		case at >= int64(len(counts)):
			after += span.sum()
		default:
			counts[at] = *span
		}
	}
	return first, counts, before, after
}

// How far from all others alerts are outliers, as a wrong clock or a record of another year makes them.
const (
	outlierShare  = 20 // one in so many may be an outlier
	outlierFactor = 10 // a range that is so many times as long as that of the bulk is flattened by them
	leastForBulk  = 8  // alerts: fewer have no bulk
)

// bulk returns the seconds in which the first and the last span begin that a chart shows. These are the ends of the whole range,
// unless a few outliers make it many times as long as the range of all others.
func (t *timeline) bulk() (from, to int64) {
	numbers := slices.Sorted(maps.Keys(t.spans))
	last := len(numbers) - 1
	i, j := t.shortest(numbers)
	length := func(i, j int) int64 { return (numbers[j] - numbers[i]) * t.width }
	near := func(gap int64) bool { return gap <= 2*max(length(i, j), hour) }
	for i > 0 && near(length(i-1, i)) {
		i--
	}
	for j < last && near(length(j, j+1)) {
		j++
	}
	if length(0, last) < outlierFactor*max(length(i, j), hour) {
		i, j = 0, last
	}
	return numbers[i] * t.width, numbers[j] * t.width
}

// shortest returns the shortest run of spans that has all alerts but the few that may be outliers.
func (t *timeline) shortest(numbers []int64) (first, last int) {
	whole := 0
	for _, span := range t.spans {
		whole += span.sum()
	}
	last = len(numbers) - 1
	if whole < leastForBulk {
		return first, last
	}
	wanted, inside, i := whole-max(1, whole/outlierShare), 0, 0
	for j, number := range numbers {
		inside += t.spans[number].sum()
		for inside-t.spans[numbers[i]].sum() >= wanted {
			inside -= t.spans[numbers[i]].sum()
			i++
		}
		if inside >= wanted && number-numbers[i] < numbers[last]-numbers[first] {
			first, last = i, j
		}
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
