package wafprocessor

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/fluent-bit-waf/fluent-bit-waf/otel/wafprocessor/internal/metadatatest"
)

func TestTheCollectorsMetricsCountRecords(t *testing.T) {
	telemetry := componenttest.NewTelemetry()
	t.Cleanup(func() { require.NoError(t, telemetry.Shutdown(context.Background())) })
	p, err := NewFactory().CreateLogs(t.Context(), metadatatest.NewSettings(telemetry), createDefaultConfig(), consumertest.NewNop())
	require.NoError(t, err)
	require.NoError(t, p.Start(t.Context(), componenttest.NewNopHost()))
	for _, fill := range []func(plog.LogRecord){request("/"), request("/"), request(attack), func(r plog.LogRecord) { r.Body().SetStr("started") }} {
		require.NoError(t, p.ConsumeLogs(t.Context(), single(fill)))
	}
	result := func(name string, n int64) metricdata.DataPoint[int64] {
		return metricdata.DataPoint[int64]{Attributes: attribute.NewSet(attribute.String("result", name)), Value: n}
	}
	metadatatest.AssertEqualProcessorWafRecords(t, telemetry, []metricdata.DataPoint[int64]{
		result("clean", 2), result("alert", 1), result("not_http", 1), result("broken", 0), result("skipped", 0),
	}, metricdatatest.IgnoreTimestamp())
	none := []metricdata.DataPoint[int64]{{Value: 0}}
	metadatatest.AssertEqualProcessorWafLateRecords(t, telemetry, none, metricdatatest.IgnoreTimestamp())
	metadatatest.AssertEqualProcessorWafPanics(t, telemetry, none, metricdatatest.IgnoreTimestamp())
	metadatatest.AssertEqualProcessorWafSuppressedAlerts(t, telemetry, none, metricdatatest.IgnoreTimestamp())
	require.NoError(t, p.Shutdown(t.Context()))
}

// A collector makes a processor for each pipeline that names it.
func TestProcessorsOfSeveralPipelinesCountTogether(t *testing.T) {
	telemetry := componenttest.NewTelemetry()
	t.Cleanup(func() { require.NoError(t, telemetry.Shutdown(context.Background())) })
	for n := range 2 {
		p, err := NewFactory().CreateLogs(t.Context(), metadatatest.NewSettings(telemetry), createDefaultConfig(), consumertest.NewNop())
		require.NoError(t, err)
		require.NoError(t, p.Start(t.Context(), componenttest.NewNopHost()))
		defer func() { require.NoError(t, p.Shutdown(context.Background())) }()
		for range n + 1 {
			require.NoError(t, p.ConsumeLogs(t.Context(), single(request(attack))))
		}
	}
	metric, err := telemetry.GetMetric("otelcol_processor_waf_records")
	require.NoError(t, err)
	for _, point := range metric.Data.(metricdata.Sum[int64]).DataPoints {
		if result, _ := point.Attributes.Value("result"); result.AsString() == "alert" {
			require.EqualValues(t, 3, point.Value)
			return
		}
	}
	require.Fail(t, "no such point")
}
