package page

import (
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/incident"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/incident/digest"
)

// incidents finds the incidents of records. Those of several files, which are read one after the other, are digested, and the digests
// merged in the end, as if each file were a node: observations would take a hundred times the memory.
type incidents struct {
	merger *digest.Merger
	writer *digest.Writer // nil for a single file
	found  map[string]*incident.Incident
	order  []string
}

func newIncidents(m *digest.Merger, several bool) *incidents {
	c := &incidents{merger: m, found: map[string]*incident.Incident{}}
	if several && m != nil {
		c.writer = m.Writer()
	}
	return c
}

func (c *incidents) add(found *filter.Finding) error {
	switch {
	case found.Digest != nil:
		events, err := c.merger.Merge(found.Digest, time.Time{})
		c.note(events)
		return err
	case found.Observation == nil:
		return nil
	case c.writer == nil:
		c.note(c.merger.Correlator().Observe(found.Observation).Events)
		return nil
	}
	return c.writer.Add(found.Observation, time.Time{})
}

// end returns all incidents, in the order in which they were opened.
func (c *incidents) end() (all []*incident.Incident, err error) {
	if c.writer != nil {
		rest, err := c.writer.Rest()
		if err != nil {
			return nil, err
		}
		for _, d := range rest {
			events, err := c.merger.Merge(d, time.Time{})
			if err != nil {
				return nil, err
			}
			c.note(events)
		}
	}
	c.note(c.merger.Flush())
	c.note(c.merger.Correlator().Flush())
	for _, id := range c.order {
		all = append(all, c.found[id])
	}
	return all, nil
}

func (c *incidents) note(events []*incident.Incident) {
	for _, e := range events {
		if c.found[e.ID] == nil {
			c.order = append(c.order, e.ID)
		}
		c.found[e.ID] = e
	}
}
