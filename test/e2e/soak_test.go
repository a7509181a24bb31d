//go:build e2e

package e2e

import (
	"bufio"
	"cmp"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corpus"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/loopback"
)

// soak is a pipeline with everything in it, under mixed traffic.
type soak struct {
	*pipeline
	*mixer
	page string // address of the metrics
	// What has come of the records, of the alerts that the filter emits, and of those that the output delivers.
	records, emitted, delivered *arrivals
}

// startSoak starts a pipeline from the input nano and a file through the filter, with an output that inspects once more.
func startSoak(t *testing.T, f fluentBit) *soak {
	t.Helper()
	s := &soak{}
	var all, alert, direct int
	s.records, all = listenLines(t)
	s.emitted, alert = listenLines(t)
	s.delivered, direct = listenLines(t)
	port, page := loopback.Port(t), loopback.Port(t)
	s.page = fmt.Sprintf("127.0.0.1:%d", page)
	toTCP := func(match string, port int) string {
		return fmt.Sprintf(`
    - name: tcp
      match: %s
      host: 127.0.0.1
      port: %d
      format: json_lines
      retry_limit: no_limits
`, match, port)
	}
	var site strings.Builder
	for name, value := range corpus.Settings {
		fmt.Fprintf(&site, "      %s: %s\n", name, strconv.Quote(value))
	}
	s.pipeline = f.start(t, tailing("", nanoInput(port, "threaded: off"), `
    - name: waf
      match: 'nano*'
      emit_tag: alert
      flood_window: 10s
      cache_size: 2M
      metrics_listen: `+s.page+"\n"+site.String(), fmt.Sprintf(`
    - name: waf
      match: 'nano*'
      alert_to: json+tcp://127.0.0.1:%d
      workers: 1
      cache_size: 2M
`, direct)+site.String()+toTCP("'nano*'", all)+toTCP("alert", alert)))
	s.mixer = mix(t, port, s.dir)
	return s
}

// saturate sends as fast as the pipeline takes it, and returns how many records a second that were.
func (s *soak) saturate(length time.Duration) float64 {
	const underway = 4000
	begin := time.Now()
	for time.Since(begin) < length {
		if s.sent-s.records.count() < underway {
			s.send()
		} else {
			time.Sleep(time.Millisecond)
		}
	}
	s.settled()
	return float64(s.sent) / time.Since(begin).Seconds()
}

// settled waits until everything that was sent has arrived.
func (s *soak) settled() {
	s.wait(fmt.Sprintf("%d records", s.sent), func() bool { return s.records.count() == s.sent })
}

// metrics returns a function that sums up all values of a metric whose labels contain some texts.
func (s *soak) metrics() func(name string, labels ...string) float64 {
	answer, err := http.Get("http://" + s.page + "/metrics")
	require.NoError(s.pipeline.t, err)
	defer answer.Body.Close()
	values := map[string]float64{}
	lines := bufio.NewScanner(answer.Body)
	for lines.Scan() {
		series, text, found := strings.Cut(lines.Text(), "} ")
		if !found {
			series, text, _ = strings.Cut(lines.Text(), " ")
			series += "{"
		}
		if !strings.HasPrefix(series, "#") {
			values[series], err = strconv.ParseFloat(text, 64)
			require.NoError(s.pipeline.t, err)
		}
	}
	require.NoError(s.pipeline.t, lines.Err())
	return func(name string, labels ...string) (sum float64) {
		for series, value := range values {
			if strings.HasPrefix(series, name+"{") && !slices.ContainsFunc(labels, func(l string) bool { return !strings.Contains(series, l) }) {
				sum += value
			}
		}
		return sum
	}
}

const (
	filterKind = `kind="filter"`
	outputKind = `kind="output"`
)

// reading is what one part of the time has shown.
type reading struct {
	holding
	p50, p99, engine time.Duration // from sending to arrival, and of an engine run in the filter
	perSecond, busy  float64       // records, cores
}

// watch sends at a rate, and tells with a line what each part of the time has shown.
func (s *soak) watch(rate float64, parts int, part time.Duration) (readings []reading) {
	t := s.pipeline.t
	before, begin := s.holds(), time.Now()
	arrived, runs, seconds := s.records.count(), 0.0, 0.0
	s.records.quantiles()
	for n := range parts {
		s.at(rate, begin.Add(time.Duration(n+1)*part))
		now := reading{holding: s.holds()}
		elapsed := time.Since(begin).Seconds() - float64(n)*part.Seconds()
		now.busy = (now.cpu - before.cpu).Seconds() / elapsed
		now.p50, now.p99 = s.records.quantiles()
		count := s.records.count()
		now.perSecond = float64(count-arrived) / elapsed
		of := s.metrics()
		ran, took := of("waf_inspection_seconds_count", filterKind, `path="full"`), of("waf_inspection_seconds_sum", filterKind, `path="full"`)
		now.engine = time.Duration((took - seconds) / max(1, ran-runs) * float64(time.Second))
		in, found := of("waf_records_total", filterKind), s.metrics()("waf_alerts_total", filterKind)
		require.LessOrEqual(t, float64(count), in, "records that have arrived are counted")
		require.LessOrEqual(t, in, float64(s.sent), "records that are counted were sent")
		require.LessOrEqual(t, of("waf_emits_total", filterKind), found, "alerts emitted, failed and suppressed")
		t.Logf("part %d of %s: %.0f records a second, after %d ms (p99 %d ms), an engine run %.1f ms, %.2f cores, resident %.1f MB, "+
			"anonymous %.1f MB, Go's heap %.1f MB, %d threads, %d descriptors; of all: alerts %.0f, suppressed %.0f, late %.0f, cached %.1f MB", n+1, part,
			now.perSecond, now.p50.Milliseconds(), now.p99.Milliseconds(), float64(now.engine.Microseconds())/1000, now.busy,
			megabytes(now.resident), megabytes(now.anonymous), of("go_memstats_heap_inuse_bytes")/(1<<20), now.threads, now.descriptors,
			found, of("waf_emits_total", filterKind, `result="suppressed"`), of("waf_late_records_total", filterKind),
			of("waf_cache_bytes", filterKind)/(1<<20))
		readings = append(readings, now)
		before, arrived, runs, seconds = now.holding, count, ran, took
	}
	return readings
}

func megabytes(kilobytes int) float64 { return float64(kilobytes) / 1024 }

// accountedFor requires that everything that was sent is accounted for, once it has arrived.
func (s *soak) accountedFor() {
	t := s.pipeline.t
	var of func(name string, labels ...string) float64
	total := func(name string, labels ...string) int { return int(of(name, labels...)) }
	s.wait("each alert to be emitted, failed or suppressed, and to arrive", func() bool {
		of = s.metrics()
		// A destination has an alert a moment before the plugin knows that it was taken.
		settled := func(kind string) bool { return total("waf_emits_total", kind) == total("waf_alerts_total", kind) }
		return total("waf_records_total", outputKind) == s.sent && settled(filterKind) && settled(outputKind) &&
			s.emitted.total() == total("waf_emits_total", filterKind, `result="taken"`)+total("waf_summaries_total", filterKind) &&
			s.delivered.total() == total("waf_alerts_total", outputKind)
	})
	s.records.mu.Lock()
	defer s.records.mu.Unlock()
	t.Logf("%d records, %d of them through the file: %v", s.sent, s.inFile, s.records.fates)
	require.Equal(t, s.sent, s.records.distinct)
	require.Zero(t, s.records.repeats+s.records.unmarked)
	require.Equal(t, s.sent-s.inFile, total("waf_intake_total", `what="record`))
	require.Zero(t, total("waf_intake_lost_total")-total("waf_intake_lost_total", `reason="not_json"`))
	require.Zero(t, total("waf_panics_total"))
	require.Zero(t, total("waf_emits_total", `result="failed"`))
	for _, kind := range []string{filterKind, outputKind} {
		require.Equal(t, s.sent, total("waf_records_total", kind), "all results together")
		require.Equal(t, total("waf_records_total", kind, `result="alert"`), total("waf_alerts_total", kind))
	}
	marked, onClean := map[string]int{}, 0
	for f, n := range s.records.fates {
		marked[f.verdict] += n
		switch f.sort {
		case attack, again:
			require.NotEqual(t, none, f.verdict, "attacks that nothing tells of")
		case repeated, unique, upload, bulky:
			if f.verdict == alerts {
				onClean += n
			}
		}
	}
	require.LessOrEqual(t, onClean, s.sent/1000, "alerts on clean records")
	require.Equal(t, marked[alerts], total("waf_alerts_total", filterKind))
	require.Equal(t, marked[late], total("waf_late_records_total", filterKind))
	require.Equal(t, s.attacks, s.delivered.fates[fate{attack, none}]+s.delivered.fates[fate{again, none}], "attacks that the output delivered")
	require.Zero(t, s.delivered.repeats+s.delivered.unmarked)
	require.NotZero(t, total("waf_emits_total", filterKind, `result="suppressed"`))
}

// flat requires that the last quarter of the time holds no more than the second, and is not slower.
func flat(t *testing.T, readings []reading) {
	t.Helper()
	quarter := len(readings) / 4
	second, last := readings[quarter:2*quarter], readings[3*quarter:]
	median := func(of []reading, value func(reading) int) int {
		values := make([]int, len(of))
		for i := range of {
			values[i] = value(of[i])
		}
		return middle(values)
	}
	for _, bound := range []struct {
		what  string
		more  int
		value func(reading) int
	}{
		{"kB of resident memory", 5 << 10, func(r reading) int { return r.resident }},
		{"kB of memory of its own", 5 << 10, func(r reading) int { return r.anonymous }},
		{"threads", 1, func(r reading) int { return r.threads }},
		{"descriptors", 2, func(r reading) int { return r.descriptors }},
		{"ms from sending to arrival", 100, func(r reading) int { return int(r.p50.Milliseconds()) }},
	} {
		from, to := median(second, bound.value), median(last, bound.value)
		t.Logf("%s: median %d in the second quarter, %d in the last", bound.what, from, to)
		require.LessOrEqual(t, to, from+bound.more, bound.what)
	}
}

// soakTime returns for how many parts of what length a Fluent Bit is watched: for the time of SURVIVE the newest one.
func soakTime(t *testing.T, f fluentBit) (parts int, part time.Duration) {
	t.Helper()
	newest := slices.MaxFunc(fluentBits, func(a, b fluentBit) int { return cmp.Compare(a.version, b.version) })
	if !longForm() || f != newest {
		return 3, time.Second
	}
	length, err := time.ParseDuration(os.Getenv("SURVIVE"))
	require.NoError(t, err, "SURVIVE (want a time such as 10m)")
	return 60, length / 60
}

// Half of what the machine can, for the time of SURVIVE.
func TestSurvivesMixedTrafficForAWhile(t *testing.T) {
	onEach(t, func(t *testing.T, f fluentBit) {
		parts, part := soakTime(t, f)
		s := startSoak(t, f)
		capacity := s.saturate(max(3*time.Second, part/2))
		t.Logf("Fluent Bit %s takes %.0f records a second, and gets half of that", f.version, capacity)
		readings := s.watch(capacity/2, parts, part)
		s.settled()
		s.accountedFor()
		if parts > 3 {
			flat(t, readings)
		}
		s.stop()
	})
}
