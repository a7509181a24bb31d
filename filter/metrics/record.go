package metrics

import (
	"fmt"
	"math"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/tinylib/msgp/msgp"
)

// processMetrics are what a record tells of the process.
var processMetrics = []string{
	BuildInfo.Name, "process_resident_memory_bytes", "process_cpu_seconds_total", "go_memstats_heap_alloc_bytes", "go_goroutines",
}

// AppendRecord appends the metrics of the instance as a msgpack map: metrics by name, with a map by each label that they have,
// so that {"waf_records_total": {"clean": 10, "alert": 1}, "waf_alerts_total": {"critical": {"blocked": 1}}, …}. Of histograms it tells count, sum, and estimates of quantiles. An
// info metric, which is always 1, is the map of its labels.
func (i *Instance) AppendRecord(dst []byte) ([]byte, error) {
	families, err := i.registry.Gather()
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	i.process.mu.Lock()
	common := i.process.shared
	i.process.mu.Unlock()
	shared, err := common.Gather()
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	for _, f := range shared {
		if slices.Contains(processMetrics, f.GetName()) {
			families = append(families, f)
		}
	}
	dst = msgp.AppendMapHeader(dst, uint32(2+len(families)))
	dst = msgp.AppendString(msgp.AppendString(dst, "kind"), i.kind)
	dst = msgp.AppendString(msgp.AppendString(dst, "name"), i.name)
	for _, f := range families {
		dst = appendFamily(msgp.AppendString(dst, f.GetName()), f)
	}
	return dst, nil
}

func appendFamily(dst []byte, f *dto.MetricFamily) []byte {
	first := f.Metric[0]
	if strings.HasSuffix(f.GetName(), "_info") {
		labels := own(first)
		dst = msgp.AppendMapHeader(dst, uint32(len(labels)))
		for _, l := range labels {
			dst = msgp.AppendString(msgp.AppendString(dst, l.GetName()), l.GetValue())
		}
		return dst
	}
	return appendByLabel(dst, f.Metric, keysOf(f.GetName()))
}

// keysOf returns the labels of a family that are keys in a record, in the order of its maps. The text of a rule goes without saying:
// its id stands beside it.
func keysOf(name string) []string {
	for _, f := range Families {
		if f.Name == name {
			return slices.DeleteFunc(slices.Clone(f.Labels), func(label string) bool { return label == ruleText })
		}
	}
	return nil
}

// appendByLabel appends a map of metrics by the first of their labels, of maps by the next where there are more.
func appendByLabel(dst []byte, all []*dto.Metric, labels []string) []byte {
	if len(labels) == 0 {
		return appendValue(dst, sumOf(all))
	}
	var values []string
	groups := map[string][]*dto.Metric{}
	for _, m := range all {
		value := labelOf(m, labels[0])
		if groups[value] == nil {
			values = append(values, value)
		}
		groups[value] = append(groups[value], m)
	}
	dst = msgp.AppendMapHeader(dst, uint32(len(values)))
	for _, value := range values {
		dst = appendByLabel(msgp.AppendString(dst, value), groups[value], labels[1:])
	}
	return dst
}

// sumOf returns metrics that a record tells not apart as one: a rule's text may have changed. Only counters come in several.
func sumOf(all []*dto.Metric) *dto.Metric {
	if len(all) == 1 {
		return all[0]
	}
	sum := 0.0
	for _, m := range all {
		sum += m.GetCounter().GetValue()
	}
	return &dto.Metric{Counter: &dto.Counter{Value: &sum}}
}

func labelOf(m *dto.Metric, name string) string {
	for _, l := range m.Label {
		if l.GetName() == name {
			return l.GetValue()
		}
	}
	return ""
}

// own returns the labels of a metric besides the ones that tell instances apart.
func own(m *dto.Metric) (labels []*dto.LabelPair) {
	for _, l := range m.Label {
		if l.GetName() != "kind" && l.GetName() != "name" {
			labels = append(labels, l)
		}
	}
	return labels
}

func appendValue(dst []byte, m *dto.Metric) []byte {
	switch {
	case m.Counter != nil:
		return appendNumber(dst, m.Counter.GetValue())
	case m.Gauge != nil:
		return appendNumber(dst, m.Gauge.GetValue())
	}
	h := m.Histogram
	dst = msgp.AppendMapHeader(dst, 5)
	dst = msgp.AppendUint64(msgp.AppendString(dst, "count"), h.GetSampleCount())
	dst = appendNumber(msgp.AppendString(dst, "sum"), h.GetSampleSum())
	for _, q := range []struct {
		name string
		of   float64
	}{{"p50", 0.5}, {"p95", 0.95}, {"p99", 0.99}} {
		dst = appendNumber(msgp.AppendString(dst, q.name), quantile(h, q.of))
	}
	return dst
}

// appendNumber writes whole numbers as such.
func appendNumber(dst []byte, v float64) []byte {
	if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
		return msgp.AppendInt64(dst, int64(v))
	}
	return msgp.AppendFloat64(dst, v)
}

// quantile estimates a quantile as Prometheus does: values are taken to lie evenly within a bucket.
func quantile(h *dto.Histogram, q float64) float64 {
	rank := q * float64(h.GetSampleCount())
	if rank == 0 {
		return 0
	}
	var low, below float64
	for _, b := range h.Bucket {
		count := float64(b.GetCumulativeCount())
		if count >= rank {
			if math.IsInf(b.GetUpperBound(), 1) {
				return low
			}
			return low + (b.GetUpperBound()-low)*(rank-below)/(count-below)
		}
		low, below = b.GetUpperBound(), count
	}
	return low // beyond the last bound
}
