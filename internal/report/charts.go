package report

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
)

// bar is one line of a list with a bar.
type bar struct {
	Name   string // of a rule its id
	Text   string
	Kind   string // for its style: a severity or an outcome, "" when it is plain
	Count  int
	Share  string
	Length float64 // of the bar, 0 to 100
}

// shareChart shows how alerts divide into a few kinds.
type shareChart struct {
	Title, Note string
	Bars        []bar
}

// rankingChart shows the names with most alerts.
type rankingChart struct {
	Title  string
	Bars   []bar
	Others int // alerts of all other names
}

// barsOf makes bars of counts; the longest is that of the highest count.
func barsOf(all []ranked, whole int) []bar {
	highest := 0
	for _, x := range all {
		highest = max(highest, x.Count)
	}
	bars := make([]bar, len(all))
	for i, x := range all {
		bars[i] = bar{Name: x.Name, Count: x.Count, Share: share(x.Count, whole), Length: length(x.Count, highest)}
	}
	return bars
}

// length returns the length of a bar; what is there can be seen.
func length(count, highest int) float64 {
	if highest == 0 || count == 0 {
		return 0
	}
	return max(1, math.Round(1000*float64(count)/float64(highest))/10)
}

func (d *Digest) shareCharts() []shareChart {
	severities := shareChart{Title: "Severity", Note: "of the most severe match of each alert"}
	var counts []ranked
	for i, n := range d.severities {
		if n > 0 {
			counts = append(counts, ranked{Severities[i], n})
		}
	}
	severities.Bars = barsOf(counts, d.alerts)
	for i := range severities.Bars {
		severities.Bars[i].Kind = severities.Bars[i].Name
	}
	charts := []shareChart{
		d.outcomeChart(),
		severities,
		d.shareChart("Category", "of the matched rules; an alert may have several", &d.categories),
		d.shareChart("Response", "status of the responses", &d.statuses),
	}
	return slices.DeleteFunc(charts, func(c shareChart) bool { // a chart of nothing but "not known" is of no use
		return len(c.Bars) == 0 || len(c.Bars) == 1 && c.Bars[0].Name == unknown
	})
}

// outcomeChart shows what became of the attacks, the worst first.
func (d *Digest) outcomeChart() shareChart {
	c := d.shareChart("Outcome", "what became of the attacks, as far as the records show", &d.outcomes)
	place := func(b bar) int {
		if i := slices.Index(outcomes, alert.Outcome(b.Name)); i >= 0 {
			return i
		}
		return len(outcomes)
	}
	slices.SortStableFunc(c.Bars, func(a, b bar) int { return cmp.Compare(place(a), place(b)) })
	for i := range c.Bars {
		c.Bars[i].Kind = badge(alert.Outcome(c.Bars[i].Name)).Kind
	}
	return c
}

const maxShares = 8

func (d *Digest) shareChart(title, note string, r *ranking) shareChart {
	top, others := r.top(maxShares)
	if others > 0 {
		top = append(top, ranked{"others", others})
	}
	return shareChart{title, note, barsOf(top, d.alerts)}
}

func newRankingChart(title string, r *ranking, alerts int) rankingChart {
	top, others := r.top(topNames)
	return rankingChart{title, barsOf(top, alerts), others}
}

func (d *Digest) ruleBars() (bars []bar, others int) {
	top := d.topRules(topRules)
	for _, r := range top {
		bars = append(bars, bar{
			Name: strconv.Itoa(r.ID), Text: r.Message, Kind: Severities[level(r.Severity)], Count: r.Alerts,
			Share: share(r.Alerts, d.alerts), Length: length(r.Alerts, top[0].Alerts),
		})
	}
	return bars, len(d.rules) - len(top)
}

// matrix shows who attacked whom: one row for each source, one column for each destination.
type matrix struct {
	Columns []string
	Rows    []matrixRow
	Others  int // alerts of other sources or destinations
}

type matrixRow struct {
	Source string
	Cells  []matrixCell
}

type matrixCell struct {
	Count int
	Heat  int // 0 to maxHeat
}

const maxHeat = 6

func (d *Digest) matrix() matrix {
	sources, destinations := d.busiest()
	m := matrix{Columns: destinations, Others: d.alerts}
	highest := 0
	for _, n := range d.pairs {
		highest = max(highest, n)
	}
	for _, from := range sources {
		row := matrixRow{Source: from}
		for _, to := range destinations {
			n := d.pairs[[2]string{from, to}]
			m.Others -= n
			row.Cells = append(row.Cells, matrixCell{n, heat(n, highest)})
		}
		m.Rows = append(m.Rows, row)
	}
	return m
}

// busiest returns the sources and destinations of the pairs with most alerts, each by the number of its alerts.
func (d *Digest) busiest() (sources, destinations []string) {
	pairs := slices.SortedFunc(maps.Keys(d.pairs), func(a, b [2]string) int {
		return cmp.Or(cmp.Compare(d.pairs[b], d.pairs[a]), slices.Compare(a[:], b[:]))
	})
	for _, pair := range pairs {
		if len(sources) == matrixRows && len(destinations) == matrixCols {
			break
		}
		sources = addNew(sources, pair[0], matrixRows)
		destinations = addNew(destinations, pair[1], matrixCols)
	}
	d.sources.sort(sources)
	d.destinations.sort(destinations)
	return sources, destinations
}

func addNew(names []string, name string, limit int) []string {
	if len(names) == limit || slices.Contains(names, name) {
		return names
	}
	return append(names, name)
}

// heat grows with the logarithm of a count, so that a single alert can be seen beside thousands.
func heat(count, highest int) int {
	if count == 0 {
		return 0
	}
	return max(1, int(math.Ceil(maxHeat*math.Log1p(float64(count))/math.Log1p(float64(highest)))))
}
