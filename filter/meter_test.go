package filter

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/metrics"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/receive"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/loopback"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// scrape reads the page of metrics of a filter. Values are by name and labels, kind and name skipped: waf_records_total{clean}.
func scrape(t *testing.T, f *Filter) (values map[string]float64, families map[string]*dto.MetricFamily) {
	t.Helper()
	answer, err := http.Get("http://" + f.meter.Address() + "/metrics")
	require.NoError(t, err)
	defer answer.Body.Close()
	require.Equal(t, http.StatusOK, answer.StatusCode)
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err = parser.TextToMetricFamilies(answer.Body)
	require.NoError(t, err)
	values = map[string]float64{}
	for name, family := range families {
		for _, m := range family.Metric {
			labels, own := "", true
			for _, l := range m.Label {
				switch l.GetName() {
				case "kind":
				case "name":
					own = own && l.GetValue() == f.meter.Instance.Name()
				default:
					labels += "," + l.GetValue()
				}
			}
			if !own {
				continue
			}
			key := name
			if labels != "" {
				key += "{" + labels[1:] + "}"
			}
			values[key] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return values, families
}

func measured(t *testing.T, name string, settings setting.Map) *Filter {
	t.Helper()
	settings = maps.Clone(settings)
	settings["metrics_listen"], settings["inspect_budget"] = "127.0.0.1:0", "off"
	f, err := NewNamed(name, newHost(t), settings, discard)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	return f
}

func TestPageOfMetricsTellsWhatHappened(t *testing.T) {
	f := measured(t, "filter waf.7", setting.Map{"emit_tag": "alert"})
	attack := clean("/?f=../../etc/passwd&q=1'+or+'1'='1")
	var chunk []byte
	for range 2 {
		chunk = append(append(chunk, attack...), clean("/a")...)
	}
	chunk = append(chunk, pairs("L7_PROTOCOL", "dns")...)
	chunk = append(chunk, 0xc1)
	var out *Outcome
	for _, next := range [][]byte{attack, clean("/a"), chunk} { // verdicts are cached before they are asked for again
		out = process(f, next, "nano")
		for i := range out.Emits {
			f.EmitTaken(&out.Emits[i])
		}
	}
	f.EmitFailed(&out.Emits[0])
	process(f, out.Emits[0].Event, "alert")

	f.MeasurePanics(func() int64 { return 3 })
	values, families := scrape(t, f)
	for name, want := range map[string]float64{
		"waf_records_total{clean}": 3, "waf_records_total{alert}": 3, "waf_records_total{not_http}": 1,
		"waf_records_total{broken}": 1, "waf_records_total{skipped}": 1,
		"waf_alerts_total{attempted,critical}": 3, "waf_alert_categories_total{lfi,attempted}": 3, "waf_alert_categories_total{sqli,attempted}": 3,
		"waf_alert_rules_total{SQL Injection Attack Detected via libinjection,942100}": 3, "waf_alert_rules_total{OS File Access Attempt,930120}": 3, "waf_alert_score": 3,
		"waf_inspections_total{cache}": 4, "waf_inspections_total{full}": 1, "waf_inspections_total{gate}": 1,
		"waf_inspection_seconds{full}": 1, "waf_inspection_seconds{gate}": 1,
		"waf_late_records_total": 0, "waf_emits_total{taken}": 3, "waf_emits_total{failed}": 1, "waf_panics_total": 3,
		"waf_rules_loaded": float64(f.rules.Set().Rules()), "waf_rules_current": 1, "waf_rules_skipped": 0,
		"waf_cache_evictions_total": 0,
		"waf_rules_info{" + fmt.Sprintf("%.16s", f.rules.Set().ID()) + "," + f.RuleSet() + "}": 1,
	} {
		value, found := values[name]
		require.True(t, found, "%s: %v", name, slices.Sorted(maps.Keys(values)))
		require.Equal(t, want, value, name)
	}
	require.Positive(t, values["waf_gate_candidates_total"])
	require.GreaterOrEqual(t, values["waf_cache_entries"], 2.0)
	require.Positive(t, values["waf_cache_bytes"])
	require.InEpsilon(t, 16<<20, values["waf_cache_limit_bytes"], 0.001)
	require.InDelta(t, time.Now().Unix(), values["waf_rules_loaded_timestamp_seconds"], 60)
	require.Positive(t, values["go_goroutines"])
	require.Contains(t, families, "go_memstats_heap_alloc_bytes")
	require.Contains(t, families, "process_resident_memory_bytes")
}

func TestAccountingHoldsAtAnyMoment(t *testing.T) {
	f := measured(t, "filter waf.7", setting.Map{"rules": ownFile(t, ruleFor("attack"))})
	const threads, chunks = 4, 300
	var group sync.WaitGroup
	for range threads {
		group.Go(func() {
			for i := range chunks {
				process(f, append(append(clean("/attack"), clean(fmt.Sprint("/", i))...), pairs("L7_PROTOCOL", "dns")...), "nano")
			}
		})
	}
	done := make(chan struct{})
	go func() { defer close(done); group.Wait() }()
	last := 0.0
	for ended := false; !ended; {
		select {
		case <-done:
			ended = true
		default:
		}
		values, _ := scrape(t, f)
		sum := 0.0
		for _, result := range []string{"clean", "alert", "not_http", "broken", "skipped"} {
			sum += values["waf_records_total{"+result+"}"]
		}
		require.GreaterOrEqual(t, sum, last)
		last = sum
		c := f.Counts()
		require.Equal(t, c.Records, c.Clean+c.Alerts+c.NotHTTP+c.Broken+c.Skipped)
	}
	require.Equal(t, 3.0*threads*chunks, last)
	values, _ := scrape(t, f)
	ways := values["waf_inspections_total{cache}"] + values["waf_inspections_total{gate}"] + values["waf_inspections_total{full}"]
	require.Equal(t, 2.0*threads*chunks, ways)
	require.Equal(t, values["waf_inspections_total{gate}"], values["waf_inspection_seconds{gate}"])
	require.Equal(t, values["waf_inspections_total{full}"], values["waf_inspection_seconds{full}"])
	require.Equal(t, values["waf_records_total{alert}"], values["waf_alerts_total{attempted,critical}"])
}

// ownFile writes a file of rules.
func ownFile(t *testing.T, rules string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "own.conf")
	writeFile(t, file, rules)
	return file
}

func TestAllInstancesAreOnOnePage(t *testing.T) {
	address := loopback.Address(t)
	settings := setting.Map{"rules": ownFile(t, ruleFor("attack")), "metrics_listen": address, "inspect_budget": "off"}
	host := newHost(t)
	open := func(name string) *Filter {
		f, err := NewNamed(name, host, settings, discard)
		require.NoError(t, err)
		return f
	}
	page := func() string { return loopback.Get(t, "http://"+address+"/metrics") }
	goroutines := runtime.NumGoroutine()
	first, second, third := open("filter waf.0"), open("filter waf.1"), open("filter waf.1")
	process(second, clean("/attack"), "nano")
	text := page()
	require.Contains(t, text, `waf_records_total{kind="filter",name="waf.0",result="alert"} 0`)
	require.Contains(t, text, `waf_records_total{kind="filter",name="waf.1",result="alert"} 1`)
	require.Contains(t, text, `waf_records_total{kind="filter",name="waf.1#2",result="alert"} 0`)

	require.NoError(t, first.Close())
	require.NoError(t, third.Close())
	require.NotContains(t, page(), `name="waf.0"`)
	require.NoError(t, second.Close())
	_, err := net.Dial("tcp", address)
	require.Error(t, err, "the page ends with its last instance")
	http.DefaultClient.CloseIdleConnections()
	eventually(t, "the goroutines to end", func() bool { return runtime.NumGoroutine() <= goroutines+1 }) // one waits

	taken, err := net.Listen("tcp", address)
	require.NoError(t, err)
	defer taken.Close()
	_, err = NewNamed("filter waf.0", testHost, settings, discard)
	require.ErrorContains(t, err, "property metrics_listen: listen: listen tcp "+address)
}

func TestMetricsPropertiesAreChecked(t *testing.T) {
	for property, c := range map[string]struct{ value, want string }{
		"metrics_listen":   {"2021", `malformed address "2021" (want HOST:PORT or off)`},
		"metrics_tag":      {"metrics.$TAG", `malformed tag "metrics.$TAG" (want one without $, * and spaces)`},
		"metrics_interval": {"off", `off while metrics_tag is "m" (want a time such as 60s)`},
	} {
		_, err := New(testHost, setting.Map{"rules": ownFile(t, ruleFor("a")), "metrics_tag": "m", property: c.value}, discard)
		require.ErrorContains(t, err, "property "+property+": "+c.want)
	}
}

func TestMetricsAreEmittedAsARecord(t *testing.T) {
	f := measured(t, "filter waf.7", setting.Map{"rules": ownFile(t, ruleFor("attack")), "metrics_tag": "metrics.waf", "metrics_interval": quick})
	_, wanted := f.Emitter()
	require.True(t, wanted, "the host has to prepare for emitting")
	process(f, append(clean("/attack"), clean("/")...), "nano")
	var out *Outcome
	eventually(t, "the interval", func() bool { out = process(f, nil, "nano"); return len(out.Emits) > 0 })
	require.Len(t, out.Emits, 1)
	e := &out.Emits[0]
	require.Equal(t, "metrics.waf", e.Tag)
	f.EmitTaken(e)
	f.EmitFailed(e)
	require.Zero(t, f.Counts().Emitted+f.Counts().Failed, "it is no alert")

	record := body(t, e.Event)
	require.Equal(t, "filter", record["kind"])
	require.Equal(t, "waf.7", record["name"])
	require.Equal(t, map[string]any{"alert": int64(1), "clean": int64(1), "not_http": int64(0), "broken": int64(0), "skipped": int64(0)},
		record["waf_records_total"])
	require.Equal(t, map[string]any{"attempted": int64(1), "blocked": int64(0), "likely succeeded": int64(0)},
		record["waf_alerts_total"].(map[string]any)["critical"])
	require.Len(t, record["waf_alert_rules_total"], 1, "by id alone")
	require.Equal(t, int64(1), record["waf_rules_loaded"].(int64)-int64(f.rules.Set().Rules())+1)
	require.Equal(t, f.RuleSet(), record["waf_rules_info"].(map[string]any)["rule_set"])
	times := record["waf_inspection_seconds"].(map[string]any)["full"].(map[string]any)
	require.Positive(t, times["count"])
	require.Greater(t, times["p99"], 0.0)
	require.GreaterOrEqual(t, times["p99"], times["p50"])
	require.Positive(t, record["process_resident_memory_bytes"])
	for name := range record {
		if name == "kind" || name == "name" || strings.HasPrefix(name, "process_") || strings.HasPrefix(name, "go_") {
			continue
		}
		require.True(t, slices.ContainsFunc(metrics.Families, func(f *metrics.Family) bool { return f.Name == name }), name)
	}
	message := e.Message()
	require.Contains(t, string(message.JSON), `"waf_records_total":{`)

	again := process(f, e.Event, "metrics.waf")
	require.False(t, again.Changed)
	require.EqualValues(t, 1, f.Counts().Skipped, "its own metrics are nothing to evaluate")
}

// docs/metrics.md has a row for each metric, in the order of the table: | `name` | type | labels | meaning |.
func TestDocumentationListsAllMetrics(t *testing.T) {
	var want []string
	for _, f := range metrics.Families {
		labels := make([]string, len(f.Labels))
		for i, l := range f.Labels {
			labels[i] = "`" + l + "`"
		}
		want = append(want, fmt.Sprintf("| `%s` | %s | %s | %s", f.Name, f.TypeName(), strings.Join(labels, ", "), f.Help))
	}
	text, err := os.ReadFile("../docs/metrics.md")
	require.NoError(t, err)
	rows := regexp.MustCompile("(?m)^\\| `waf_.*$").FindAllString(string(text), -1)
	require.Len(t, rows, len(want))
	for i, row := range rows {
		require.True(t, strings.HasPrefix(row, want[i]), "row of %s:\n%s\nwant it to begin with\n%s", metrics.Families[i].Name, row, want[i])
	}
}

func TestEveryMetricOfTheTableIsOnAPage(t *testing.T) {
	file := filepath.Join(t.TempDir(), "alerts")
	o, err := NewOutput("output waf.3", testHost, setting.Map{
		"rules": ownFile(t, ruleFor("attack")), "metrics_listen": "127.0.0.1:0", "alert_to": "file://" + file,
	}, discard, io.Discard)
	require.NoError(t, err)
	defer func() { require.NoError(t, o.Close()) }()
	o.MeasureFlushes(func() int { return 2 })
	place, err := receive.ReadPlace("udp://127.0.0.1:0")
	require.NoError(t, err)
	received := receive.ReadSettings(setting.NewReader(setting.Map{}, receive.Properties()))
	received.Places = []receive.Place{place}
	receiver, err := receive.Open(received, func(string) {})
	require.NoError(t, err)
	defer receiver.Close(0)
	o.filter.Measure(receiver.Collector())
	o.filter.Measure(metrics.Collecting(func(to chan<- prometheus.Metric) { metrics.KafkaLag.Send(to, 1, "records", "0") })) // of wafctl run
	require.NoError(t, o.Flush(context.Background(), append(clean("/attack"), clean("/attack")...), "nano"))
	values, families := scrape(t, o.filter)
	for _, f := range metrics.Families {
		found := families[f.Name]
		require.NotNil(t, found, f.Name)
		require.Equal(t, f.TypeName(), strings.ToLower(found.GetType().String()), f.Name)
		require.Equal(t, f.Help, found.GetHelp())
		for _, label := range f.Labels {
			require.True(t, slices.ContainsFunc(found.Metric[0].Label, func(l *dto.LabelPair) bool { return l.GetName() == label }),
				"%s has no label %s", f.Name, label)
		}
		delete(families, f.Name)
	}
	for name := range families {
		require.NotRegexp(t, "^waf_", name, "not in the table")
	}
	require.Equal(t, 2.0, values["waf_delivered_total{file://"+file+"}"])
	require.Equal(t, 0.0, values["waf_delivery_waiting{file://"+file+"}"])
	require.Equal(t, 2.0, values["waf_flushes_waiting"])
}

func TestBrokenRulesShowInTheMetrics(t *testing.T) {
	file := ownFile(t, ruleFor("one"))
	f := measured(t, "filter waf.7", setting.Map{"rules": file, "reload_interval": "24h"})
	states := func() []float64 {
		values, _ := scrape(t, f)
		return []float64{
			values["waf_rules_current"], values["waf_rules_reloads_total{done}"], values["waf_rules_reloads_total{failed}"],
			values["waf_rules_reloads_total{unchanged}"],
		}
	}
	require.Equal(t, []float64{1, 0, 0, 0}, states())
	writeFile(t, file, "SecRule broken")
	f.rules.Reload()
	require.Equal(t, []float64{0, 0, 1, 0}, states())
	writeFile(t, file, ruleFor("one"))
	f.rules.Reload()
	require.Equal(t, []float64{1, 0, 1, 1}, states())
	writeFile(t, file, ruleFor("two"))
	f.rules.Reload()
	require.Equal(t, []float64{1, 1, 1, 1}, states())
	values, _ := scrape(t, f)
	require.Positive(t, values["waf_rules_reload_seconds"])
	require.InDelta(t, time.Now().Unix(), values["waf_rules_reload_timestamp_seconds"], 60)
}
