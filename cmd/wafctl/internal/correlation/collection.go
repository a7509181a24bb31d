// Package correlation collects the incidents of records in files, with the first records of each. The correlator is the one of the
// filter. Commands that read the same files through this package find the same incidents, with the same ids. What they show of them is up
// to the commands.
package correlation

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/evaluation"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/incident"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/incident/digest"
)

// mostRecords bounds how many records of an incident are kept.
const mostRecords = 50

// Record is a record that belongs to an incident.
type Record struct {
	File   string
	Line   int
	Time   int64 // in milliseconds since 1970
	Source string
	Target string
	Method string
	Path   string
	Status int
	Rules  []int
}

// Found is an incident and the first of its records.
type Found struct {
	*incident.Incident
	Records []Record
}

// Collection makes incidents of the records of files.
type Collection struct {
	correlator *incident.Correlator
	merger     *digest.Merger
	all        map[string]*Found
	records    map[string][]Record
	waiting    map[uint64]Record // attacks of no incident so far, by the number of their observation
	numbers    []uint64          // those of waiting, the oldest first
}

// mostWaiting is how many attacks wait to be taken into an incident. The correlator remembers fewer.
const mostWaiting = 1024

// New returns a collection of what the merger and its correlator find.
func New(m *digest.Merger) *Collection {
	return &Collection{correlator: m.Correlator(), merger: m, all: map[string]*Found{}, records: map[string][]Record{}, waiting: map[uint64]Record{}}
}

// Add takes what a record contributes. Records are to be added in the order of time, as EachByTime hands them over.
func (c *Collection) Add(file string, r *evaluation.Checked) error {
	if r.Digest != nil {
		events, err := c.merger.Merge(r.Digest, time.Now())
		if err != nil {
			return fmt.Errorf("%s:%d: %w", file, r.Line, err)
		}
		c.note(events)
	}
	if r.Observation != nil {
		c.observe(file, r.Line, r.Observation)
	}
	return nil
}

func (c *Collection) observe(file string, line int, o *incident.Observation) {
	result := c.correlator.Observe(o)
	c.note(result.Events)
	c.takeDecided()
	switch {
	case result.Incident != "":
		c.file(result.Incident, func() Record { return recordOf(file, line, o) })
	case o.Attack != nil:
		if len(c.numbers) == mostWaiting {
			delete(c.waiting, c.numbers[0])
			c.numbers = c.numbers[1:]
		}
		c.waiting[result.Number] = recordOf(file, line, o)
		c.numbers = append(c.numbers, result.Number)
	}
}

// takeDecided files records of which it has turned out to which incident they belong.
func (c *Collection) takeDecided() {
	for _, d := range c.correlator.Decided() {
		if r, waits := c.waiting[d.Number]; waits {
			c.file(d.Incident, func() Record { return r })
		}
	}
}

// file keeps a record with its incident, as long as there are few.
func (c *Collection) file(incident string, record func() Record) {
	if known := c.records[incident]; len(known) < mostRecords {
		c.records[incident] = append(known, record())
	}
}

func recordOf(file string, line int, o *incident.Observation) Record {
	r := Record{File: file, Line: line, Time: o.Time, Source: o.Source, Target: o.Target, Method: o.Method, Path: o.Path, Status: o.Status}
	if o.Attack != nil {
		for _, rule := range o.Attack.Rules {
			r.Rules = append(r.Rules, rule.ID)
		}
		if shown := o.Attack.Show(); shown.URI != "" { // it has no secrets
			r.Path = shown.URI
		}
	}
	return r
}

func (c *Collection) note(events []*incident.Incident) {
	for _, e := range events {
		if c.all[e.ID] == nil {
			c.all[e.ID] = &Found{}
		}
		c.all[e.ID].Incident = e
	}
}

// End returns all incidents: the most severe first, and of these the one that began first. Background comes last.
func (c *Collection) End() []*Found {
	c.note(c.merger.Flush())
	c.note(c.correlator.Flush())
	c.takeDecided()
	var all []*Found
	for id, f := range c.all {
		f.Records = c.records[id]
		slices.SortStableFunc(f.Records, func(a, b Record) int { return cmp.Compare(a.Time, b.Time) })
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b *Found) int { return incident.WorstFirst(a.Incident, b.Incident) })
	return all
}

// Learns reports whether detectors that compare with a baseline were still learning at the end.
func (c *Collection) Learns() bool { return c.correlator.Learns() }

// Counts returns the correlator's counters.
func (c *Collection) Counts() incident.Counts { return c.correlator.Counts() }
