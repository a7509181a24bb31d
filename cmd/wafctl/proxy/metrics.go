package proxy

import (
	"strconv"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/inline/server"
)

// The rejections of a proxy besides those of its server.
const (
	badTarget server.Rejection = "target"
	badHeader server.Rejection = "header"
)

// stream is why a request body was forwarded without inspection.
type stream string

const (
	webSocket    stream = "websocket"
	grpc         stream = "grpc"
	notInspected stream = "body_access_off"
	engineOff    stream = "engine_off"
)

// counts are what a proxy counts besides its engine and its server. It is a prometheus.Collector.
type counts struct {
	responses           [6]atomic.Uint64 // of the backend, by the first digit of the status
	streams             map[stream]*atomic.Uint64
	backendErrors, gone atomic.Uint64
}

func (c *counts) start() {
	c.streams = map[stream]*atomic.Uint64{}
	for _, kind := range []stream{webSocket, grpc, notInspected, engineOff} {
		c.streams[kind] = new(atomic.Uint64)
	}
}

// response counts a response of the backend.
func (c *counts) response(status int) { c.responses[min(status/100, len(c.responses)-1)].Add(1) }

var (
	responsesDesc = prometheus.NewDesc("waf_proxy_backend_responses_total", "Responses of the backend by class of status.", []string{"class"}, nil)
	streamsDesc   = prometheus.NewDesc("waf_proxy_streams_total", "Requests whose body was forwarded without inspection, by reason.", []string{"reason"}, nil)
	errorsDesc    = prometheus.NewDesc("waf_proxy_backend_errors_total", "Requests without a response of the backend.", nil, nil)
	goneDesc      = prometheus.NewDesc("waf_proxy_clients_gone_total", "Requests whose client was gone before the response.", nil, nil)
)

// Describe implements prometheus.Collector.
func (c *counts) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{responsesDesc, streamsDesc, errorsDesc, goneDesc} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (c *counts) Collect(to chan<- prometheus.Metric) {
	counter := func(d *prometheus.Desc, n uint64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	for class := 1; class < len(c.responses); class++ {
		counter(responsesDesc, c.responses[class].Load(), strconv.Itoa(class)+"xx")
	}
	for kind, n := range c.streams {
		counter(streamsDesc, n.Load(), string(kind))
	}
	counter(errorsDesc, c.backendErrors.Load())
	counter(goneDesc, c.gone.Load())
}
