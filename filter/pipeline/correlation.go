package pipeline

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/incident"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/incident/digest"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/metrics"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/telemetry"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/recovery"
)

// correlation feeds one correlator with the records of a filter. Chunks are evaluated on all cores, and of several threads at once; one
// chunk after the other is correlated, its records in their order.
type correlation struct {
	observer *observer
	state    string      // file, "" for none
	isHeld   atomic.Bool // the state is saved when the host says so, and not otherwise
	salt     string
	every    time.Duration // that a digest sums up
	log      telemetry.Logger
	panics   *telemetry.Panics

	mu         sync.Mutex
	correlator *incident.Correlator   // nil where digests are sent to one elsewhere
	merger     *digest.Merger         // of the digests that come, with the correlator
	digests    *digests               // nil where incidents are found
	refused    uint64                 // digests that could not be merged
	chunks     map[string]*correlated // that an output may get again
	order      []string               // of these, the oldest first

	observation incident.Observation // the one under way

	stop   chan struct{}
	saving sync.WaitGroup
}

// correlated is what came of a chunk.
type correlated struct {
	ids  []string // of the incidents that its items belong to
	news news
}

// news are what correlation has found: events about incidents, or digests.
type news struct {
	events  []*incident.Incident
	digests [][]byte
}

const (
	mostCorrelated = 1024 // as many as delivery remembers
	saveEvery      = 5 * time.Minute
)

// startCorrelation begins where the state file stops, if there is one.
func startCorrelation(config *incidentConfig, o *observer, log telemetry.Logger, caught *telemetry.Panics) *correlation {
	c := &correlation{observer: o, state: config.state, salt: config.salt, log: log, panics: caught, chunks: map[string]*correlated{}, stop: make(chan struct{})}
	c.every = config.options.Thresholds.DigestEvery
	wait := config.options.Thresholds.DigestWait
	if config.warning != "" {
		log(telemetry.LevelWarn, config.warning)
	}
	if config.digestTag != "" {
		c.digests = startDigests(digest.NewWriter(c.salt, c.every), c.state, log)
		return c
	}
	if c.state == "" {
		c.correlator = incident.New(config.options)
		c.merger = digest.NewMerger(c.correlator, config.salt, wait)
		return c
	}
	var problem error
	if c.correlator, problem = incident.Load(c.state, config.options); problem != nil {
		log(telemetry.LevelWarn, problem.Error())
	}
	c.merger = digest.NewMerger(c.correlator, config.salt, wait)
	c.saving.Go(func() { recovery.Loop(c.stop, caught.Caught("saving incidents"), c.saveNowAndThen) })
	return c
}

func (c *correlation) saveNowAndThen() {
	ticks := time.NewTicker(saveEvery)
	defer ticks.Stop()
	for {
		select {
		case <-ticks.C:
			if !c.isHeld.Load() {
				c.save()
			}
		case <-c.stop:
			return
		}
	}
}

func (c *correlation) save() (saved bool) {
	if c.state == "" {
		return true
	}
	state, err := c.marshal()
	if err == nil {
		err = incident.Save(c.state, state)
	}
	if err != nil {
		c.log(telemetry.LevelWarn, fmt.Sprintf("incident state could not be saved: %v", err))
	}
	return err == nil
}

func (c *correlation) marshal() ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.merger.Keep(); err != nil {
		return nil, err
	}
	return c.correlator.MarshalBinary()
}

// counts returns what was counted so far, nothing when no incidents are found.
func (c *correlation) counts() incident.Counts {
	if c == nil || c.correlator == nil {
		return incident.Counts{}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.correlator.Counts()
}

// end saves the state. Incidents that are open stay so in it.
func (c *correlation) end() {
	if c == nil {
		return
	}
	if c.digests != nil {
		c.digests.end()
		return
	}
	close(c.stop)
	c.saving.Wait()
	if !c.isHeld.Load() {
		c.save()
	}
	n := c.correlator.Counts()
	line := fmt.Sprintf("incidents: %d opened, %d closed, %d open", n.Opened, n.Closed, n.Open)
	if n.Excluded > 0 {
		line += fmt.Sprintf(", %d findings excluded", n.Excluded)
	}
	if made := n.EvictedIncidents + n.EvictedSources + n.EvictedActors + n.EvictedRoutes + n.EvictedTools + n.EvictedSketches + n.EvictedTargets; made > 0 {
		line += fmt.Sprintf("; dropped state %d times (incidents %d, sources %d, actors %d, routes %d, tools %d, sets of ids %d, attacked targets %d)", made,
			n.EvictedIncidents, n.EvictedSources, n.EvictedActors, n.EvictedRoutes, n.EvictedTools, n.EvictedSketches, n.EvictedTargets)
	}
	if n.Untracked > 0 {
		line += fmt.Sprintf("; no room for %d observations", n.Untracked)
	}
	if n.Late+n.Ahead > 0 {
		line += fmt.Sprintf("; %d records more than a minute late, %d more than an hour ahead", n.Late, n.Ahead)
	}
	c.log(telemetry.LevelInfo, line)
}

// correlate gives the items of a batch the incidents that they belong to, and returns the events about these, or the digests that are
// due. A chunk with a name that was seen before gives what it gave then.
func (c *correlation) correlate(b *batch, name string) news {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known := c.chunks[name]; name != "" && known != nil && len(known.ids) == len(b.items) {
		for i := range b.items {
			b.items[i].incident = known.ids[i]
		}
		return known.news
	}
	found := c.observe(b)
	if name != "" {
		c.remember(name, b, found)
	}
	return found
}

func (c *correlation) observe(b *batch) (found news) {
	s := b.scratch()
	defer s.putBack()
	for i := range b.items {
		found.events = append(found.events, c.observeOne(&b.items[i], s, b.section)...)
	}
	found.digests = c.digests.due(time.Now())
	return found
}

// observeOne returns the events that an item causes. A panic costs only what this one contributes.
func (c *correlation) observeOne(it *item, s *scratch, section *Section) (events []*incident.Incident) {
	recovery.Once(c.panics.Caught("correlation"), func() {
		o := &c.observation
		switch {
		case it.seen != nil:
			o = it.seen
		case !c.observer.observe(it, s, o):
			events = c.merge(it)
			return
		}
		switch {
		case c.digests != nil && section != nil:
			section.digest.Add(o)
			return
		case c.digests != nil:
			c.digests.add(o)
			return
		}
		result := c.correlator.Observe(o)
		it.incident, events = result.Incident, result.Events
	})
	return events
}

func (c *correlation) remember(name string, b *batch, found news) {
	made := &correlated{ids: make([]string, len(b.items)), news: found}
	for i := range b.items {
		made.ids[i] = b.items[i].incident
	}
	if c.chunks[name] == nil {
		c.order = append(c.order, name)
	}
	c.chunks[name] = made
	if len(c.order) > mostCorrelated {
		delete(c.chunks, c.order[0])
		c.order = c.order[1:]
	}
}

// forget drops what is known of a chunk that will not come again.
func (c *correlation) forget(name string) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.chunks, name)
	for i := range c.order {
		if c.order[i] == name {
			c.order = append(c.order[:i], c.order[i+1:]...)
			return
		}
	}
}

// collect sends how many incidents there were to Prometheus.
func (c *correlation) collect(to chan<- prometheus.Metric) {
	n := c.counts()
	metrics.Incidents.SendAll(to, map[string]uint64{"opened": n.Opened, "updated": n.Updated, "closed": n.Closed})
	metrics.Digests.SendAll(to, c.digestCounts())
	metrics.OpenOnes.Send(to, float64(n.Open))
	metrics.IncidentRoom.SendAll(to, map[string]uint64{
		"incidents": n.EvictedIncidents, "sources": n.EvictedSources, "actors": n.EvictedActors, "routes": n.EvictedRoutes,
		"tools": n.EvictedTools, "ids": n.EvictedSketches, "targets": n.EvictedTargets, "untracked": n.Untracked,
	})
}
