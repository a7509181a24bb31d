package receive

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/metrics"
)

// Collector returns the counts of the receiver as metrics.
func (r *Receiver) Collector() prometheus.Collector { return metrics.Collecting(r.collect) }

func (r *Receiver) collect(to chan<- prometheus.Metric) {
	c := r.Counts()
	metrics.Received.SendAll(to, map[string]uint64{"datagrams": c.Datagrams, "lines": c.Lines, "messages": c.Logged, "records": c.Records})
	metrics.Lost.SendAll(to, map[string]uint64{
		"kernel": c.KernelDrops, "queue": c.QueueDrops, "not_json": c.Invalid, "too_long": c.TooLong, "denied": c.Denied,
		"source_rate": c.Limited, "refused": c.Refused, "gelf": c.ChunksRefused + c.ChunksGone,
		"unfinished": c.Cut,
	})
	metrics.Closed.SendAll(to, map[string]uint64{"idle": c.Idle, "max_connections": c.Displaced, "memory": c.Crowded})
	metrics.Intake.Send(to, float64(c.QueueBytes+c.LineBytes))
}
