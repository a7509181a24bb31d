package filter

import (
	"path/filepath"
	"testing"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/delivery"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/metrics"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

func TestPanicOfACollectorCostsWhatItCollects(t *testing.T) {
	f := newFilter(t, setting.Map{"metrics_listen": "127.0.0.1:0"})
	f.Measure(metrics.Collecting(func(chan<- prometheus.Metric) { panic("metrics") }))
	values, _ := scrape(t, f)
	require.NotZero(t, values["waf_rules_loaded"])
	require.EqualValues(t, 1, f.Counts().Panics)
	_, err := f.meter.Instance.AppendRecord(nil)
	require.NoError(t, err)
	require.EqualValues(t, 2, f.Counts().Panics)
}

// A panic between two deliveries costs neither summaries nor the goroutine that delivers them.
func TestPanicOfSummariesLetsLaterOnesCome(t *testing.T) {
	o := newOutput(t, setting.Map{"flood_window": "1s", "alert_to": "file://" + filepath.Join(t.TempDir(), "alerts")})
	o.summaries.stop()
	o.summaries.running.Wait()
	o.log = func(Level, string) { panic("log") }
	o.summaries.waiting, o.summaries.counted = make([]delivery.Message, mostSummaries+1), 1
	o.summaries.start(o)
	eventually(t, "it panics", func() bool { return o.filter.Counts().Panics > 0 })
	o.summaries.stop()
	o.summaries.running.Wait()
	o.log = func(Level, string) {}
	o.summaries.start(o)
	eventually(t, "it delivers", func() bool { return o.filter.Counts().Summaries > 0 })
}

func TestPanicOfADeliveryIsCounted(t *testing.T) {
	o := newOutput(t, setting.Map{"alert_to": "stdout"})
	o.delivery.Close() //nolint:errcheck // another takes its place
	var err error
	o.delivery, err = delivery.Open("stdout", delivery.Options{Stdout: panicWriter{}, Caught: o.filter.Caught("delivery")})
	require.NoError(t, err)
	require.Error(t, o.Flush(t.Context(), from("192.0.2.7"), "nano"))
	require.EqualValues(t, 1, o.filter.Counts().Panics)
}

type panicWriter struct{}

func (panicWriter) Write([]byte) (int, error) { panic("writer") }
