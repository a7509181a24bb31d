package metrics

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	dto "github.com/prometheus/client_model/go"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/recovery"
)

// Process is what the metrics pages of a process show: its instances, and what all of them share. Whoever starts the instances owns it.
type Process struct {
	mu        sync.Mutex
	instances []*Instance
	shared    *prometheus.Registry // made with the first instance: nothing may be started before the host has forked
	pages     map[string]*page     // by address
}

// NewProcess returns one without instances.
func NewProcess() *Process { return &Process{pages: map[string]*page{}} }

// Instance is one filter, output or wafctl run with its metrics.
type Instance struct {
	process    *Process
	kind, name string
	registry   *prometheus.Registry
	caught     recovery.Caught
	labeled    prometheus.Registerer
}

// Join adds an instance to the pages of the process. Instances are distinguished by kind, for instance filter, and name; a name
// that is taken gets a number. It leaves with Leave. Panics of its collectors, which run on goroutines of client_golang, go to caught.
func (p *Process) Join(kind, name, version string, caught recovery.Caught) *Instance {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shared == nil {
		p.shared = newShared(version)
	}
	i := &Instance{process: p, kind: kind, name: name, caught: caught, registry: prometheus.NewRegistry()}
	for n := 2; slices.ContainsFunc(p.instances, i.isNamesake); n++ {
		i.name = fmt.Sprintf("%s#%d", name, n)
	}
	i.labeled = prometheus.WrapRegistererWith(prometheus.Labels{"kind": i.kind, "name": i.name}, i.registry)
	p.instances = append(p.instances, i)
	return i
}

// Name returns the name by which the pages tell the instance from others of its kind.
func (i *Instance) Name() string { return i.name }

func (i *Instance) isNamesake(other *Instance) bool {
	return i.kind == other.kind && i.name == other.name
}

// Add adds metrics of the instance. It panics where two have the same name and labels.
func (i *Instance) Add(all ...prometheus.Collector) {
	for _, c := range all {
		i.labeled.MustRegister(&guarded{c, i.caught})
	}
}

// guarded is a collector whose panics cost what it would have sent.
type guarded struct {
	prometheus.Collector
	caught recovery.Caught
}

// Collect implements prometheus.Collector.
func (g *guarded) Collect(to chan<- prometheus.Metric) {
	recovery.Once(g.caught, func() { g.Collector.Collect(to) })
}

// Leave takes the instance off the pages.
func (i *Instance) Leave() {
	p := i.process
	p.mu.Lock()
	defer p.mu.Unlock()
	p.instances = slices.DeleteFunc(p.instances, func(other *Instance) bool { return other == i })
}

// newShared returns the metrics that all instances share.
func newShared(version string) *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), build(version))
	return r
}

// build is the collector of BuildInfo for a version.
type build string

func (b build) Describe(to chan<- *prometheus.Desc) { to <- BuildInfo.desc }

func (b build) Collect(to chan<- prometheus.Metric) {
	BuildInfo.Send(to, 1, string(b), strings.TrimPrefix(runtime.Version(), "go"))
}

// Collecting is a collector that is a function. Which metrics it sends may depend on what has happened.
type Collecting func(chan<- prometheus.Metric)

// Describe sends nothing.
func (c Collecting) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c Collecting) Collect(to chan<- prometheus.Metric) { c(to) }

// Gather implements prometheus.Gatherer: it gathers the metrics of all instances that there are when it is asked.
func (p *Process) Gather() ([]*dto.MetricFamily, error) {
	p.mu.Lock()
	var all prometheus.Gatherers
	if p.shared != nil {
		all = append(all, p.shared)
	}
	for _, i := range p.instances {
		all = append(all, i.registry)
	}
	p.mu.Unlock()
	return all.Gather()
}
