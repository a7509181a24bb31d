package proxy

import (
	"strconv"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// rejection is why a request was rejected without inspection.
type rejection string

const (
	badTarget      rejection = "target"
	badHeader      rejection = "header"
	tooManyHeaders rejection = "headers"
	badBody        rejection = "body"
	bodyTooLong    rejection = "body_too_long"
	bodyTooSlow    rejection = "body_timeout"
	noRoom         rejection = "no_room"
)

// stream is why a request body was forwarded without inspection.
type stream string

const (
	webSocket    stream = "websocket"
	grpc         stream = "grpc"
	notInspected stream = "body_access_off"
	engineOff    stream = "engine_off"
)

// counts are what a proxy counts besides its engine. It is a prometheus.Collector.
type counts struct {
	connections, inFlight         atomic.Int64
	responses                     [6]atomic.Uint64 // of the backend, by the first digit of the status
	rejected                      map[rejection]*atomic.Uint64
	streams                       map[stream]*atomic.Uint64
	backendErrors, gone, failures atomic.Uint64
	bodies                        *bodies
}

func (c *counts) start(b *bodies) {
	c.bodies, c.rejected, c.streams = b, map[rejection]*atomic.Uint64{}, map[stream]*atomic.Uint64{}
	for _, why := range []rejection{badTarget, badHeader, tooManyHeaders, badBody, bodyTooLong, bodyTooSlow, noRoom} {
		c.rejected[why] = new(atomic.Uint64)
	}
	for _, kind := range []stream{webSocket, grpc, notInspected, engineOff} {
		c.streams[kind] = new(atomic.Uint64)
	}
}

// response counts a response of the backend.
func (c *counts) response(status int) { c.responses[min(status/100, len(c.responses)-1)].Add(1) }

var (
	connectionsDesc = prometheus.NewDesc("waf_proxy_connections", "Connections of clients that are open.", nil, nil)
	inFlightDesc    = prometheus.NewDesc("waf_proxy_requests_in_flight", "Requests that are not answered yet.", nil, nil)
	responsesDesc   = prometheus.NewDesc("waf_proxy_backend_responses_total", "Responses of the backend by class of status.", []string{"class"}, nil)
	rejectedDesc    = prometheus.NewDesc("waf_proxy_rejected_total", "Requests rejected without inspection, by reason.", []string{"reason"}, nil)
	streamsDesc     = prometheus.NewDesc("waf_proxy_streams_total", "Requests whose body was forwarded without inspection, by reason.", []string{"reason"}, nil)
	errorsDesc      = prometheus.NewDesc("waf_proxy_backend_errors_total", "Requests without a response of the backend.", nil, nil)
	goneDesc        = prometheus.NewDesc("waf_proxy_clients_gone_total", "Requests whose client was gone before the response.", nil, nil)
	memoryDesc      = prometheus.NewDesc("waf_proxy_body_memory_bytes", "Memory for request bodies in use.", nil, nil)
	spooledDesc     = prometheus.NewDesc("waf_proxy_spooled_bodies_total", "Request bodies that were kept in files.", nil, nil)
)

// Describe implements prometheus.Collector.
func (c *counts) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		connectionsDesc, inFlightDesc, responsesDesc, rejectedDesc, streamsDesc, errorsDesc, goneDesc, memoryDesc, spooledDesc,
	} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (c *counts) Collect(to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, n int64) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(n))
	}
	counter := func(d *prometheus.Desc, n uint64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	gauge(connectionsDesc, c.connections.Load())
	gauge(inFlightDesc, c.inFlight.Load())
	gauge(memoryDesc, c.bodies.used.Load())
	for class := 1; class < len(c.responses); class++ {
		counter(responsesDesc, c.responses[class].Load(), strconv.Itoa(class)+"xx")
	}
	for why, n := range c.rejected {
		counter(rejectedDesc, n.Load(), string(why))
	}
	for kind, n := range c.streams {
		counter(streamsDesc, n.Load(), string(kind))
	}
	counter(errorsDesc, c.backendErrors.Load())
	counter(goneDesc, c.gone.Load())
	counter(spooledDesc, c.bodies.spooled.Load())
}
