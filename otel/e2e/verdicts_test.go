//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/accesslog"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corpus"
)

// verdict is what a line of "wafctl check --output json" says of a record.
type verdict struct {
	Alert   bool
	RuleIDs []string `json:"rule_ids"`
	Score   int
}

// checked returns what wafctl finds in the records of a file.
func checked(t *testing.T, file string, flags ...string) (all []verdict) {
	t.Helper()
	text, err := exec.Command(wafctl, append(append([]string{"check", "--output", "json"}, flags...), file)...).Output()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 { // something alerts
		require.NoError(t, err)
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var v verdict
		require.NoError(t, json.Unmarshal(lines.Bytes(), &v))
		if !v.Alert {
			v = verdict{} // of what does not alert, records say nothing
		}
		all = append(all, v)
	}
	return all
}

// verdictOf returns what the attributes of a record say.
func verdictOf(r plog.LogRecord) (v verdict) {
	a := r.Attributes().AsRaw()
	if v.Alert, _ = a["waf.alert"].(bool); !v.Alert {
		return v
	}
	for _, id := range a["waf.rule_ids"].([]any) {
		v.RuleIDs = append(v.RuleIDs, id.(string))
	}
	v.Score = int(a["waf.score"].(int64))
	return v
}

func requests() (all []*accesslog.Request) {
	for _, a := range accesslog.Attacks() {
		all = append(all, a.Request)
	}
	for _, r := range accesslog.Clean() {
		all = append(all, r)
	}
	for i := range uint64(2000) {
		for _, c := range []corpus.Record{corpus.Clean(i), corpus.Attack(i)} {
			all = append(all, &accesslog.Request{
				Method: c.Method, Target: c.Target, Protocol: "HTTP/1.1", Status: c.Status,
				Headers: []accesslog.Header{{Name: "Host", Value: c.Host}, {Name: "User-Agent", Value: c.Agent}, {Name: "Referer", Value: c.Referer}},
			})
		}
	}
	return all
}

// sourceOf returns a source of the access log by its title.
func sourceOf(t *testing.T, title string) accesslog.Source {
	t.Helper()
	all := accesslog.Sources()
	i := slices.IndexFunc(all, func(s accesslog.Source) bool { return s.Title == title })
	require.GreaterOrEqual(t, i, 0)
	return all[i]
}

func compare(t *testing.T, want []verdict, own, alerts []plog.LogRecord) {
	t.Helper()
	require.Len(t, own, len(want))
	alerting := 0
	for i := range own {
		require.Equal(t, want[i], verdictOf(own[i]), "record %d: %s %v", i, own[i].Body().AsString(), own[i].Attributes().AsRaw())
		if want[i].Alert {
			alerting++
		}
	}
	require.Len(t, alerts, alerting)
	require.Greater(t, alerting, 100)
	t.Logf("%d verdicts are those of wafctl check, %d of them alerts", len(own), alerting)
}

// inOrderOf returns records in the order of their lines: the exporter sends several batches at a time.
func inOrderOf(t *testing.T, lines []string, records []plog.LogRecord) (sorted []plog.LogRecord) {
	t.Helper()
	byLine := map[string][]plog.LogRecord{}
	for _, r := range records {
		line := r.Body().AsString()
		if r.Body().Type() == pcommon.ValueTypeMap {
			text, err := json.Marshal(r.Body().AsRaw())
			require.NoError(t, err)
			line = string(text)
		}
		byLine[line] = append(byLine[line], r)
	}
	for _, line := range lines {
		all := byLine[line]
		require.NotEmpty(t, all, line)
		sorted, byLine[line] = append(sorted, all[0]), all[1:]
	}
	return sorted
}

func TestVerdictsOnALogOfNginxAreThoseOfWafctl(t *testing.T) {
	for title, field := range map[string]string{"plain line, nginx combined": "log", "nginx, JSON": ""} {
		source := sourceOf(t, title)
		var lines []string
		for _, r := range requests() {
			record := source.Record(r)
			line, isPlain := record[field].(string)
			if !isPlain {
				text, err := json.Marshal(record)
				require.NoError(t, err)
				line = string(text)
			}
			lines = append(lines, line)
		}
		file := written(t, "access.log", strings.Join(lines, "\n")+"\n")
		b := newBackend(t)
		p := start(t, "../config.yaml", "ACCESS_LOG="+file, "OTLP_ENDPOINT="+b.URL)
		want := checked(t, file)
		own, alerts := b.received(t, len(want))
		compare(t, want, inOrderOf(t, lines, own), alerts)
		p.stop(t)
	}
}

const overOTLP = `
receivers:
  otlp:
    protocols:
      http: {endpoint: "${env:LISTEN}"}
processors:
  waf:
    rules: "${env:RULES:-crs}"
    rule_packs: "${env:PACKS:-lateral-movement,sensitive-data}"
exporters:
  otlp_http:
    endpoint: "${env:OTLP_ENDPOINT}"
    sending_queue: {enabled: false}
service:
  pipelines:
    logs: {receivers: [otlp], processors: [waf], exporters: [otlp_http]}
`

func TestVerdictsOnAttributesOverOTLPAreThoseOfWafctl(t *testing.T) {
	source := sourceOf(t, "OpenTelemetry")
	logs := plog.NewLogs()
	all := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	var text strings.Builder
	for _, r := range requests() {
		record := source.Record(r)
		for name, value := range record {
			if n, is := value.(int); is {
				record[name] = int64(n)
			}
		}
		line, err := json.Marshal(record)
		require.NoError(t, err)
		fmt.Fprintln(&text, string(line))
		require.NoError(t, all.AppendEmpty().Attributes().FromRaw(record))
	}
	b, listen := newBackend(t), address(t)
	p := start(t, written(t, "config.yaml", overOTLP), "LISTEN="+listen, "OTLP_ENDPOINT="+b.URL)
	want := checked(t, written(t, "records.ndjson", text.String()))
	post(t, listen, logs)
	own, alerts := b.received(t, len(want))
	compare(t, want, own, alerts)
	p.stop(t)
	require.Contains(t, p.log.String(), fmt.Sprintf("records %d: clean ", len(want)))
}

func TestBrokenRulesAfterAReloadLeaveThoseOfBefore(t *testing.T) {
	rules := written(t, "own.conf", `SecRule REQUEST_FILENAME "@streq /seen" "id:1,phase:1,deny,log,msg:'seen'"`+"\n")
	b, listen := newBackend(t), address(t)
	p := start(t, written(t, "config.yaml", overOTLP), "LISTEN="+listen, "OTLP_ENDPOINT="+b.URL, "RULES="+rules, "PACKS=off")
	send := func() {
		logs := plog.NewLogs()
		a := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().Attributes()
		a.PutStr("http.request.method", "GET")
		a.PutStr("url.path", "/seen")
		post(t, listen, logs)
	}
	send()
	_, alerts := b.received(t, 1)
	require.Len(t, alerts, 1)
	require.NoError(t, os.WriteFile(rules, []byte("SecRule\n"), 0o600))
	require.NoError(t, p.Process.Signal(syscall.SIGHUP))
	p.await(t, "Everything is ready", 2)
	require.Contains(t, p.log.String(), "THE RULES FROM BEFORE THE RELOAD STAY IN USE")
	send()
	_, alerts = b.received(t, 2)
	require.Len(t, alerts, 2)
	p.stop(t)
}

func TestAConfigurationIsValidatedBeforeItRuns(t *testing.T) {
	file := written(t, "config.yaml", strings.Replace(overOTLP, "rules:", "emit_tag: x\n    blocking_paranoai: 2\n    rules:", 1))
	validate := exec.Command(collector, "validate", "--config", file)
	validate.Env = append(os.Environ(), "LISTEN=127.0.0.1:4318", "OTLP_ENDPOINT=http://127.0.0.1:4319")
	text, err := validate.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(text), "property emit_tag does not exist here")
	require.Contains(t, string(text), "did you mean blocking_paranoia?")
}
