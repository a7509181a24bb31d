package wafprocessor

import (
	"context"
	"errors"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/otel/wafprocessor/internal/metadata"
)

// observe has the collector's metrics show the counters of a filter.
func observe(settings component.TelemetrySettings, f *filter.Filter) (*metadata.TelemetryBuilder, error) {
	b, err := metadata.NewTelemetryBuilder(settings)
	if err != nil {
		return nil, err
	}
	counter := func(of func(filter.Counts) uint64) metric.Int64Callback {
		return func(_ context.Context, to metric.Int64Observer) error {
			to.Observe(int64(of(f.Counts())))
			return nil
		}
	}
	err = errors.Join(
		b.RegisterProcessorWafRecordsCallback(func(_ context.Context, to metric.Int64Observer) error {
			c := f.Counts()
			for _, kind := range []struct {
				result string
				n      uint64
			}{{"clean", c.Clean}, {"alert", c.Alerts}, {"not_http", c.NotHTTP}, {"broken", c.Broken}, {"skipped", c.Skipped}} {
				to.Observe(int64(kind.n), metric.WithAttributes(attribute.String("result", kind.result)))
			}
			return nil
		}),
		b.RegisterProcessorWafLateRecordsCallback(counter(func(c filter.Counts) uint64 { return c.Late })),
		b.RegisterProcessorWafSuppressedAlertsCallback(counter(func(c filter.Counts) uint64 { return c.Suppressed })),
		b.RegisterProcessorWafPanicsCallback(counter(func(c filter.Counts) uint64 { return c.Panics })),
	)
	if err != nil {
		b.Shutdown()
		return nil, err
	}
	return b, nil
}
