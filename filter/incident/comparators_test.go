package incident

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// comparator is a published set of rules, as plainly as it is published. It reports whether a record makes an alarm.
type comparator interface {
	name() string
	alarm(o *Observation) bool
}

// elastic are the prebuilt rules of Elastic Security for web servers and lateral movement, which have no baseline and no source that is
// known: more than 500 requests of a source in 11 minutes that are answered 403 or 404 on more than 250 URLs; and in 30 minutes two rules on
// two hosts, where the target of one alert is the source of another, unless there are more than 100 alerts.
type elastic struct {
	sources map[string]*elasticSource
	alerts  []elasticAlert
	told    map[string]int64
}

type elasticSource struct {
	begin int64
	bad   int
	urls  map[string]bool
}

type elasticAlert struct {
	at             int64
	source, target string
	rule           int
}

func (*elastic) name() string { return "Elastic" }

func (e *elastic) alarm(o *Observation) bool {
	alarm := false
	if o.Status == 403 || o.Status == 404 {
		s := e.sources[o.Source]
		if s == nil || o.Time-s.begin > 11*minute {
			s = &elasticSource{begin: o.Time, urls: map[string]bool{}}
			e.sources[o.Source] = s
		}
		s.bad++
		s.urls[o.Path] = true
		if s.bad > 500 && len(s.urls) > 250 {
			delete(e.sources, o.Source)
			alarm = true
		}
	}
	if o.Attack != nil {
		alarm = e.lateral(o) || alarm
	}
	return alarm
}

func (e *elastic) lateral(o *Observation) bool {
	e.alerts = slices.DeleteFunc(e.alerts, func(a elasticAlert) bool { return o.Time-a.at > 30*minute })
	e.alerts = append(e.alerts, elasticAlert{o.Time, o.Source, o.TargetHost, o.Attack.Rules[0].ID})
	if len(e.alerts) > 5000 {
		e.alerts = e.alerts[1000:]
	}
	rules, n := map[int]bool{}, 0
	for _, a := range e.alerts {
		if a.target == o.Source || a.source == o.Source {
			rules[a.rule] = true
			n++
		}
	}
	met := false
	for _, a := range e.alerts {
		met = met || a.target == o.Source && a.source != o.Source
	}
	if !met || len(rules) < 2 || n > 100 || o.Time-e.told[o.Source] < 30*minute {
		return false
	}
	e.told[o.Source] = o.Time
	return true
}

// crowdsec are scenarios of CrowdSec's hub: buckets for each source that leak one at a time, and five minutes of silence.
type crowdsec struct {
	buckets map[string]*crowdsecBucket
}

type crowdsecBucket struct {
	level  float64
	at     int64
	silent int64
	seen   map[string]bool
}

func (*crowdsec) name() string { return "CrowdSec" }

func (c *crowdsec) pour(o *Observation, scenario string, capacity float64, leak int64, distinct string) bool {
	key := scenario + o.Source
	b := c.buckets[key]
	if b == nil {
		b = &crowdsecBucket{at: o.Time, seen: map[string]bool{}}
		c.buckets[key] = b
	}
	b.level = max(0, b.level-float64(max(0, o.Time-b.at))/float64(leak))
	b.at = max(b.at, o.Time)
	if b.level == 0 {
		clear(b.seen)
	}
	if o.Time < b.silent || distinct != "" && b.seen[distinct] {
		return false
	}
	b.seen[distinct] = true
	if b.level++; b.level <= capacity {
		return false
	}
	b.level, b.silent = 0, o.Time+5*minute
	return true
}

func (c *crowdsec) alarm(o *Observation) bool {
	alarm := false
	if o.Status == 403 || o.Status == 404 || o.Status == 400 {
		alarm = c.pour(o, "http-probing", 10, 10*second, o.Path)
		if sensitive(o.Path) {
			alarm = c.pour(o, "http-sensitive-files", 4, 5*second, o.Path) || alarm
		}
	}
	if o.Method == "POST" && (o.Status == 401 || o.Status == 403) {
		alarm = c.pour(o, "http-generic-bf", 5, 10*second, "") || alarm
	}
	if o.Attack == nil {
		return alarm
	}
	for _, r := range o.Attack.Rules {
		if r.Category == "sqli" {
			alarm = c.pour(o, "http-sqli-probing", 10, second, "") || alarm
			break
		}
	}
	return c.pour(o, "appsec-vpatch", 1, 60*second, fmt.Sprint(o.Attack.Rules[0].ID)) || alarm
}

func sensitive(path string) bool {
	for _, p := range botPaths {
		if path == p {
			return strings.HasPrefix(p, "/.") || strings.HasSuffix(p, ".zip") || strings.HasSuffix(p, ".json")
		}
	}
	return false
}

// comparison is what a comparator makes of the same week.
type comparison struct {
	comparator
	found  map[int]bool
	wrong  int
	alarms int
}

func compare(w *week) []*comparison {
	all := []*comparison{
		{comparator: &elastic{sources: map[string]*elasticSource{}, told: map[string]int64{}}, found: map[int]bool{}},
		{comparator: &crowdsec{buckets: map[string]*crowdsecBucket{}}, found: map[int]bool{}},
	}
	w.each(func(o *Observation, plant int) {
		for _, c := range all {
			switch {
			case !c.alarm(o):
			case plant > 0:
				c.alarms++
				c.found[plant] = true
			case o.Source == "192.0.2.200": // the approved penetration test
			default:
				c.alarms++
				c.wrong++
			}
		}
	})
	return all
}

// printComparison prints how many of the attacks of each kind ours and the others find, and how often they raise a false positive.
func printComparison(t *testing.T, seed uint64, days int, scale float64, rows []row, loud, quiet float64, each time.Duration) {
	w := newWeek(seed, days, scale)
	others := compare(w)
	var b strings.Builder
	fmt.Fprintf(&b, "%-26s %12s", "found", "incidents")
	for _, o := range others {
		fmt.Fprintf(&b, " %12s", o.name())
	}
	for _, r := range rows {
		fmt.Fprintf(&b, "\n%-26s %8d/%-3d", r.kind, r.found, r.planted)
		for _, o := range others {
			n := 0
			for i, p := range w.plants {
				if p.kind == r.kind && o.found[i+1] {
					n++
				}
			}
			fmt.Fprintf(&b, " %8d/%-3d", n, r.planted)
		}
	}
	fmt.Fprintf(&b, "\n%-26s %12.1f", "false alarms a day", loud+quiet)
	for _, o := range others {
		fmt.Fprintf(&b, " %12.1f", float64(o.wrong)/float64(days-1))
	}
	fmt.Fprintf(&b, "\n%-26s %12d", "alarms for these attacks", 0)
	planted := 0
	for _, r := range rows {
		planted += r.incidents
	}
	text := strings.Replace(b.String(), fmt.Sprintf("%-26s %12d", "alarms for these attacks", 0), fmt.Sprintf("%-26s %12d", "alarms for these attacks", planted), 1)
	for _, o := range others {
		text += fmt.Sprintf(" %12d", o.alarms-o.wrong)
	}
	t.Logf("\n%s\n%d ns a record, attacks included; %d kB of tables", text, each.Nanoseconds(), New(Options{}).Size()/1000)
}
