package server

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// Rejection is why a request was rejected without inspection. Commands have more of them.
type Rejection string

// The rejections of a server.
const (
	TooManyHeaders Rejection = "headers"
	BadBody        Rejection = "body"
	BodyTooLong    Rejection = "body_too_long"
	BodyTooSlow    Rejection = "body_timeout"
	NoRoom         Rejection = "no_room"
)

// counts are what a server counts.
type counts struct {
	connections, inFlight atomic.Int64
	rejected              map[Rejection]*atomic.Uint64

	connectionsDesc, inFlightDesc, rejectedDesc, memoryDesc, spooledDesc *prometheus.Desc
}

// start names the metrics after a command, with the reasons that it has for rejections besides those of all servers.
func (c *counts) start(command string, reasons []Rejection) {
	c.rejected = map[Rejection]*atomic.Uint64{}
	for _, why := range append(reasons, TooManyHeaders, BadBody, BodyTooLong, BodyTooSlow, NoRoom) {
		c.rejected[why] = new(atomic.Uint64)
	}
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("waf_"+command+"_"+name, help, labels, nil)
	}
	c.connectionsDesc = desc("connections", "Connections of clients that are open.")
	c.inFlightDesc = desc("requests_in_flight", "Requests that are not answered yet.")
	c.rejectedDesc = desc("rejected_total", "Requests rejected without inspection, by reason.", "reason")
	c.memoryDesc = desc("body_memory_bytes", "Memory for request bodies in use.")
	c.spooledDesc = desc("spooled_bodies_total", "Request bodies that were kept in files.")
}

// Refused counts a request that a command has rejected itself.
func (s *Server) Refused(why Rejection) { s.counts.rejected[why].Add(1) }

// Rejected returns how many requests were rejected for a reason.
func (s *Server) Rejected(why Rejection) uint64 { return s.counts.rejected[why].Load() }

// Describe implements prometheus.Collector.
func (s *Server) Describe(to chan<- *prometheus.Desc) {
	c := &s.counts
	for _, d := range []*prometheus.Desc{c.connectionsDesc, c.inFlightDesc, c.rejectedDesc, c.memoryDesc, c.spooledDesc} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (s *Server) Collect(to chan<- prometheus.Metric) {
	c := &s.counts
	gauge := func(d *prometheus.Desc, n int64) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(n))
	}
	gauge(c.connectionsDesc, c.connections.Load())
	gauge(c.inFlightDesc, c.inFlight.Load())
	gauge(c.memoryDesc, s.Bodies.Used.Load())
	for why, n := range c.rejected {
		to <- prometheus.MustNewConstMetric(c.rejectedDesc, prometheus.CounterValue, float64(n.Load()), string(why))
	}
	to <- prometheus.MustNewConstMetric(c.spooledDesc, prometheus.CounterValue, float64(s.Bodies.Spooled.Load()))
}
