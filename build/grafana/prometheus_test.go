package grafana

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	client "github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/metrics"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/receive"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corpus"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/loopback"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/testtool"
)

// patience is how long the test waits for a query to return data.
const patience = 30 * time.Second

// instances are a filter, an output and a receiver with some traffic, and the address of their page of metrics.
func instances(t *testing.T) (address string) {
	t.Helper()
	address = loopback.Address(t)
	quiet := func(filter.Level, string) {}
	settings := setting.Map{"metrics_listen": address, "emit_tag": "alert", "inspect_budget": "off"}
	host := filter.NewHost()
	f, err := filter.NewNamed("filter waf.0", host, settings, quiet)
	require.NoError(t, err)
	o, err := filter.NewOutput("output waf.0", host, setting.Map{"alert_to": "file://" + filepath.Join(t.TempDir(), "alerts")}, quiet, io.Discard)
	require.NoError(t, err)
	o.MeasureFlushes(func() int { return 0 })
	receiver, err := receive.Open(receive.ReadSettings(setting.NewReader(setting.Map{}, receive.Properties())), func(string) {})
	require.NoError(t, err)
	f.Measure(receiver.Collector())
	f.Measure(metrics.Collecting(func(to chan<- client.Metric) { metrics.KafkaLag.Send(to, 7, "records", "0") })) // of wafctl run

	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for i := uint64(0); ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
			drive(t, f, o, i)
		}
	}()
	t.Cleanup(func() {
		close(stop)
		<-ended
		receiver.Close(0)
		require.NoError(t, f.Close())
		require.NoError(t, o.Close())
		require.NoError(t, host.Close())
	})
	return address
}

// drive runs a chunk through a filter and an output: one record often, one that is new, and an attack.
func drive(t *testing.T, f *filter.Filter, o *filter.Output, i uint64) {
	var chunk []byte
	for range 20 {
		known := corpus.Clean(0).Again(i)
		chunk = known.AppendEvent(chunk, corpus.ProbeLimit)
	}
	fresh, attack := corpus.Clean(i), corpus.Attack(i)
	chunk = attack.AppendEvent(fresh.AppendEvent(chunk, corpus.ProbeLimit), corpus.ProbeLimit)
	var out filter.Outcome
	f.Process(chunk, "nano", &out)
	for i := range out.Emits {
		f.EmitTaken(&out.Emits[i])
	}
	if err := o.Flush(context.Background(), chunk, "nano"); err != nil {
		t.Error(err)
	}
}

// prometheus starts a real one that scrapes an address and has the alert rules, and returns where it is.
func prometheus(t *testing.T, scraped string) (base string) {
	t.Helper()
	program := testtool.Program(t, "prometheus", "prometheus")
	dir := t.TempDir()
	rules, err := filepath.Abs("../prometheus/alerts.yaml")
	require.NoError(t, err)
	config := filepath.Join(dir, "prometheus.yml")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, `
global: {scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 1s}
rule_files: [%s]
scrape_configs: [{job_name: waf, static_configs: [{targets: ["%s"]}]}]
`, rules, scraped), 0o600))
	address := loopback.Address(t)
	log, err := os.Create(filepath.Join(dir, "log"))
	require.NoError(t, err)
	run := exec.Command(program, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address)
	run.Stdout, run.Stderr = log, log
	require.NoError(t, run.Start())
	t.Cleanup(func() {
		require.NoError(t, run.Process.Kill())
		run.Wait() //nolint:errcheck // it was killed
		require.NoError(t, log.Close())
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("log of Prometheus:\n%s", text)
		}
	})
	base = "http://" + address
	require.Eventually(t, func() bool {
		answer, err := http.Get(base + "/-/ready")
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	}, patience, 50*time.Millisecond, "Prometheus does not start")
	return base
}

// get asks Prometheus and decodes the data of its answer.
func get(t *testing.T, base, path string, parameters url.Values, data any) {
	t.Helper()
	answer, err := http.Get(base + path + "?" + parameters.Encode())
	require.NoError(t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, answer.StatusCode, "%s: %s", parameters, body)
	require.NoError(t, json.Unmarshal(body, &struct{ Data any }{data}))
}

// filled is a query with what Grafana puts in place of its variables.
func filled(expr string) string {
	return strings.NewReplacer("$__rate_interval", "10s", "$__range", "60s", "$job", ".*", "$instance", ".*", "$kind", ".*", "$name", ".*").Replace(expr)
}

// values returns the series that a query gives, with their last values; those that are no numbers are skipped.
func values(t *testing.T, base, expr string) map[string]float64 {
	t.Helper()
	var data struct {
		Result []struct {
			Metric map[string]string
			Value  [2]any
		}
	}
	get(t, base, "/api/v1/query", url.Values{"query": {filled(expr)}}, &data)
	all := map[string]float64{}
	for _, r := range data.Result {
		v, err := strconv.ParseFloat(r.Value[1].(string), 64)
		require.NoError(t, err)
		if !math.IsNaN(v) {
			all[fmt.Sprint(r.Metric)] = v
		}
	}
	return all
}

func TestEveryQueryReturnsDataOfARunningInstance(t *testing.T) {
	base := prometheus(t, instances(t))
	for _, p := range dashboards(t)["metrics.json"].Panels {
		for _, q := range p.Targets {
			var found map[string]float64
			ask := func() bool {
				found = values(t, base, q.Expr)
				return len(found) > 0
			}
			for end := time.Now().Add(patience); !ask() && time.Now().Before(end); time.Sleep(250 * time.Millisecond) {
			}
			require.NotEmpty(t, found, "%s: %s", p.Title, filled(q.Expr))
			t.Logf("%s: %v", p.Title, found)
		}
	}
	t.Run("variables", func(t *testing.T) {
		for _, v := range dashboards(t)["metrics.json"].Templating.List[1:] {
			selector, label, is := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(v.Definition, "label_values("), ")"), ", ")
			require.True(t, is, v.Definition)
			var labels []string
			get(t, base, "/api/v1/label/"+label+"/values", url.Values{"match[]": {filled(selector)}}, &labels)
			require.NotEmpty(t, labels, v.Name)
		}
	})
	t.Run("alert rules", func(t *testing.T) {
		type rule struct{ Name, Health, LastError string }
		var loaded struct{ Groups []struct{ Rules []rule } }
		unknown := func(r rule) bool { return r.Health == "unknown" }
		require.Eventually(t, func() bool {
			get(t, base, "/api/v1/rules", nil, &loaded)
			return len(loaded.Groups) == 1 && !slices.ContainsFunc(loaded.Groups[0].Rules, unknown)
		}, patience, 100*time.Millisecond)
		for _, rule := range loaded.Groups[0].Rules {
			require.Equal(t, "ok", rule.Health, "%s: %s", rule.Name, rule.LastError)
		}
	})
}

func TestAlertRulesFireWhenTheyShould(t *testing.T) {
	program := testtool.Program(t, "promtool", "prometheus")
	for _, args := range [][]string{{"check", "rules", "alerts.yaml"}, {"test", "rules", "alerts_test.yaml"}} {
		run := exec.Command(program, args...)
		run.Dir = "../prometheus"
		out, err := run.CombinedOutput()
		require.NoError(t, err, "promtool %v:\n%s", args, out)
	}
}
