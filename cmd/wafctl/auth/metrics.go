package auth

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/inline/server"
)

// The rejections of an endpoint besides those of its server.
const (
	untrusted    server.Rejection = "untrusted"     // the sender is no trusted proxy
	unknownPath  server.Rejection = "unknown_path"  // nobody asks there
	missing      server.Rejection = "missing"       // a part of the description is not there
	contradicted server.Rejection = "contradiction" // two parts of the description say different things
	malformed    server.Rejection = "malformed"     // a part of the description cannot be of a request
)

var rejections = []server.Rejection{untrusted, unknownPath, missing, contradicted, malformed}

// counts are what an endpoint counts besides its engine and its server. It is a prometheus.Collector.
type counts struct{ asked map[string]*atomic.Uint64 }

func (c *counts) start() {
	c.asked = map[string]*atomic.Uint64{grpcCaller: new(atomic.Uint64)}
	for _, caller := range callers {
		c.asked[caller.name] = new(atomic.Uint64)
	}
}

var askedDesc = prometheus.NewDesc("waf_auth_requests_total", "Requests that were asked about, by caller.", []string{"caller"}, nil)

// Describe implements prometheus.Collector.
func (c *counts) Describe(to chan<- *prometheus.Desc) { to <- askedDesc }

// Collect implements prometheus.Collector.
func (c *counts) Collect(to chan<- prometheus.Metric) {
	for caller, n := range c.asked {
		to <- prometheus.MustNewConstMetric(askedDesc, prometheus.CounterValue, float64(n.Load()), caller)
	}
}
