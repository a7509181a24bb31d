package wafprocessor

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tinylib/msgp/msgp"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/accesslog"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
	"github.com/fluent-bit-waf/fluent-bit-waf/otel/wafprocessor/internal/metadata"
)

// attack is the target of a request that the Core Rule Set alerts on.
const attack = "/?id=1'+union+select+password+from+users--"

type properties map[string]any

// started returns a running processor and what comes out of it.
func started(t testing.TB, p properties) (processor.Logs, *consumertest.LogsSink) {
	t.Helper()
	c := createDefaultConfig().(*Config)
	c.Properties = map[string]any{}
	for name, value := range p {
		if name == "alert_records" {
			c.AlertRecords = value.(bool)
			continue
		}
		c.Properties[name] = value
	}
	return startedWith(t, c)
}

func startedWith(t testing.TB, c *Config) (processor.Logs, *consumertest.LogsSink) {
	t.Helper()
	require.NoError(t, c.Validate())
	sink := &consumertest.LogsSink{}
	logs, err := NewFactory().CreateLogs(t.Context(), processortest.NewNopSettings(metadata.Type), c, sink)
	require.NoError(t, err)
	require.NoError(t, logs.Start(t.Context(), componenttest.NewNopHost()))
	t.Cleanup(func() { require.NoError(t, logs.Shutdown(context.Background())) })
	return logs, sink
}

// single returns a batch with one record.
func single(fill func(plog.LogRecord)) plog.Logs {
	logs := plog.NewLogs()
	resource := logs.ResourceLogs().AppendEmpty()
	resource.Resource().Attributes().PutStr("service.name", "shop")
	r := resource.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	r.SetTimestamp(pcommon.NewTimestampFromTime(time.Date(2026, 5, 30, 7, 16, 48, 5000, time.UTC)))
	fill(r)
	return logs
}

// request fills a record with the attributes of an HTTP request.
func request(target string) func(plog.LogRecord) {
	return func(r plog.LogRecord) {
		path, query, _ := strings.Cut(target, "?")
		a := r.Attributes()
		a.PutStr("http.request.method", "GET")
		a.PutStr("url.path", path)
		a.PutStr("url.query", query)
		a.PutStr("client.address", "198.51.100.23")
		a.PutStr("user_agent.original", "curl/8.14.1")
		a.PutInt("http.response.status_code", 200)
	}
}

// records returns those of all batches, the alerts of processors apart.
func records(sink *consumertest.LogsSink) (own, alerts []plog.LogRecord) {
	for _, logs := range sink.AllLogs() {
		for _, resource := range logs.ResourceLogs().All() {
			for _, scope := range resource.ScopeLogs().All() {
				for _, r := range scope.LogRecords().All() {
					if scope.Scope().Name() == metadata.ScopeName {
						alerts = append(alerts, r)
					} else {
						own = append(own, r)
					}
				}
			}
		}
	}
	return own, alerts
}

func valueOf(r plog.LogRecord, name string) any {
	if value, has := r.Attributes().Get(name); has {
		return value.AsRaw()
	}
	return nil
}

// layouts are the ways in which collectors hold a parsed record.
var layouts = map[string]func(testing.TB, plog.LogRecord, map[string]any){
	"attributes": func(t testing.TB, r plog.LogRecord, record map[string]any) {
		require.NoError(t, r.Attributes().FromRaw(record))
		if line, is := record["log"].(string); is { // the body, before it was parsed
			r.Body().SetStr(line)
			r.Attributes().Remove("log")
		}
	},
	"body": func(t testing.TB, r plog.LogRecord, record map[string]any) {
		require.NoError(t, r.Body().SetEmptyMap().FromRaw(record))
		r.Attributes().PutStr("log.file.name", "access.log")
	},
	"text": func(t testing.TB, r plog.LogRecord, record map[string]any) {
		text, err := json.Marshal(record)
		require.NoError(t, err)
		r.Body().SetStr(string(text))
		r.Attributes().PutStr("log.file.name", "access.log")
	},
}

// plain returns a record as a JSON reader gives it, so that all layouts hold the same.
func plain(t testing.TB, record map[string]any) (all map[string]any) {
	t.Helper()
	text, err := json.Marshal(record)
	require.NoError(t, err)
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.UseNumber()
	require.NoError(t, decoder.Decode(&all))
	return whole(all).(map[string]any)
}

// whole makes whole numbers int64.
func whole(value any) any {
	switch v := value.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		n, _ := v.Float64()
		return n
	case map[string]any:
		for name := range v {
			v[name] = whole(v[name])
		}
	case []any:
		for i := range v {
			v[i] = whole(v[i])
		}
	}
	return value
}

func TestVerdictsEqualThoseOfTheFilterForEverySourceAndLayout(t *testing.T) {
	var requests []*accesslog.Request
	for _, a := range accesslog.Attacks() {
		requests = append(requests, a.Request)
	}
	for _, r := range accesslog.Clean() {
		requests = append(requests, r)
	}
	want, err := filter.New(nil, setting.Map{"inspect_budget": "off"}, func(filter.Level, string) {})
	require.NoError(t, err)
	defer want.Close()
	compared, alerting := 0, 0
	for layout, fill := range layouts {
		p, sink := started(t, nil)
		for _, source := range accesslog.Sources() {
			if strings.Contains(source.Title, "plain line, IIS") || strings.Contains(source.Title, "plain line, CloudFront") {
				continue // they need the line that announces their columns: see below
			}
			for _, r := range requests {
				sink.Reset()
				record := plain(t, source.Record(r))
				require.NoError(t, p.ConsumeLogs(t.Context(), single(func(r plog.LogRecord) { fill(t, r, record) })))
				event, err := msgp.AppendIntf([]byte{0x92, 0x92, 0xd7, 0x00, 0x66, 0x58, 0, 0, 0, 0, 0, 1, 0x80}, record)
				require.NoError(t, err)
				finding := want.Check(event)[0]
				own, alerts := records(sink)
				name := fmt.Sprintf("%s in %s: %v", source.Title, layout, record)
				require.Len(t, own, 1)
				if finding.Kind != filter.Alert {
					require.Nil(t, valueOf(own[0], "waf.alert"), name)
					require.Empty(t, alerts, name)
				} else {
					var ids []any
					for i := range finding.Alert.Details.Matches {
						ids = append(ids, fmt.Sprint(finding.Alert.Details.Matches[i].Rule.ID))
					}
					require.Equal(t, ids, valueOf(own[0], "waf.rule_ids"), name)
					require.EqualValues(t, finding.Alert.Details.Score, valueOf(own[0], "waf.score"), name)
					require.NotEmpty(t, alerts, name)
					alerting++
				}
				compared++
			}
		}
	}
	t.Logf("%d verdicts are equal, %d of them alerts", compared, alerting)
	require.Greater(t, alerting, 5000)
	require.Greater(t, compared-alerting, 1000)
}

func TestColumnsOfAFileAreRememberedForIt(t *testing.T) {
	p, sink := started(t, nil)
	lines := func(file string, lines ...string) plog.Logs {
		logs := plog.NewLogs()
		all := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
		for _, line := range lines {
			r := all.AppendEmpty()
			r.Body().SetStr(line)
			r.Attributes().PutStr("log.file.name", file)
		}
		return logs
	}
	require.NoError(t, p.ConsumeLogs(t.Context(), lines("a.log", "#Fields: date time cs-method cs-uri-stem cs-uri-query c-ip sc-status")))
	require.NoError(t, p.ConsumeLogs(t.Context(), lines("b.log", "#Fields: date time c-ip cs-method cs-uri-stem cs-uri-query sc-status")))
	require.NoError(t, p.ConsumeLogs(t.Context(), lines("a.log", "2026-05-30 07:16:48 GET / id=1'+union+select+password+from+users-- 198.51.100.23 200")))
	require.NoError(t, p.ConsumeLogs(t.Context(), lines("b.log", "2026-05-30 07:16:48 198.51.100.23 GET / id=1'+union+select+password+from+users-- 200")))
	_, alerts := records(sink)
	require.Len(t, alerts, 2)
}

func TestAnAlertIsARecordOfItsResourceAndTrace(t *testing.T) {
	p, sink := started(t, nil)
	require.NoError(t, p.ConsumeLogs(t.Context(), single(func(r plog.LogRecord) {
		request(attack)(r)
		r.SetTraceID([16]byte{1, 2})
		r.SetSpanID([8]byte{3})
		r.SetObservedTimestamp(7)
	})))
	logs := sink.AllLogs()[0]
	require.Equal(t, 1, logs.ResourceLogs().Len())
	require.Equal(t, 2, logs.ResourceLogs().At(0).ScopeLogs().Len())
	own, alerts := records(sink)
	require.Equal(t, true, valueOf(own[0], "waf.alert"))
	require.Equal(t, "critical", valueOf(own[0], "waf.severity"))
	require.EqualValues(t, valueOf(own[0], "waf.score"), valueOf(own[0], "waf.scores.inbound_pl1"), own[0].Attributes().AsRaw())
	require.Len(t, alerts, 1)
	a := alerts[0]
	require.Equal(t, "waf.alert", a.EventName())
	require.Equal(t, plog.SeverityNumberError2, a.SeverityNumber())
	require.Equal(t, "critical", a.SeverityText())
	require.Equal(t, own[0].Timestamp(), a.Timestamp())
	require.EqualValues(t, 7, a.ObservedTimestamp())
	require.Equal(t, own[0].TraceID(), a.TraceID())
	require.Equal(t, own[0].SpanID(), a.SpanID())
	require.Equal(t, own[0].Attributes().AsRaw(), a.Attributes().AsRaw(), "nothing in it is secret")
}

func TestAlertsOfABatchBelongToTheirRecordsAndResources(t *testing.T) {
	p, sink := started(t, properties{"emit_format": "ecs"})
	logs := plog.NewLogs()
	for resource := range byte(3) {
		r := logs.ResourceLogs().AppendEmpty()
		r.Resource().Attributes().PutInt("n", int64(resource))
		for scope := range byte(2) {
			all := r.ScopeLogs().AppendEmpty().LogRecords()
			for i := range byte(5) {
				one := all.AppendEmpty()
				target := "/"
				if i%2 == resource%2 {
					target = fmt.Sprintf("/%d%d%d%s", resource, scope, i, attack)
				}
				request(target)(one)
				one.SetTraceID([16]byte{resource + 1, scope + 1, i + 1})
			}
		}
	}
	require.NoError(t, p.ConsumeLogs(t.Context(), logs))
	seen := 0
	for resource, r := range sink.AllLogs()[0].ResourceLogs().All() {
		require.Equal(t, 3, r.ScopeLogs().Len())
		for _, a := range r.ScopeLogs().At(2).LogRecords().All() {
			id := a.TraceID()
			require.EqualValues(t, resource+1, id[0])
			url := a.Body().Map().AsRaw()["url"].(map[string]any)
			require.Equal(t, fmt.Sprintf("/%d%d%d/", id[0]-1, id[1]-1, id[2]-1), url["path"])
			seen++
		}
	}
	require.Equal(t, 2*(3+2+3), seen)
}

func TestACopyHasNoSecretsAndItsFieldsWhereTheyWere(t *testing.T) {
	p, sink := started(t, nil)
	secret := "7WvJ9pQz4LkX2mNs8TbR"
	for layout, fill := range layouts {
		sink.Reset()
		record := map[string]any{
			"request_method": "GET", "request_uri": attack + "&password=" + secret, "remote_addr": "198.51.100.23", "status": int64(200),
			"http_cookie": "session=" + secret, "http_user_agent": "curl/8",
		}
		require.NoError(t, p.ConsumeLogs(t.Context(), single(func(r plog.LogRecord) {
			fill(t, r, record)
			r.Attributes().PutStr("env", "prod")
		})))
		own, alerts := records(sink)
		require.Len(t, alerts, 1, layout)
		require.Equal(t, "prod", valueOf(alerts[0], "env"))
		require.Equal(t, own[0].Body().Type(), alerts[0].Body().Type())
		text := fmt.Sprint(alerts[0].Body().AsRaw(), alerts[0].Attributes().AsRaw())
		require.NotContains(t, text, secret)
		require.Contains(t, text, "union+select")
		require.Contains(t, fmt.Sprint(own[0].Body().AsRaw(), own[0].Attributes().AsRaw()), secret, "the record itself stays as it is")
		if layout == "body" {
			require.Equal(t, int64(200), alerts[0].Body().Map().AsRaw()["status"])
			require.Nil(t, valueOf(alerts[0], "status"))
		}
	}
}

func TestAnAlertNamesTheWorkloadAndKeepsTheTrace(t *testing.T) {
	in := func() plog.Logs {
		logs := single(request(attack))
		a := logs.ResourceLogs().At(0).Resource().Attributes()
		a.PutStr("k8s.namespace.name", "shop")
		a.PutStr("k8s.pod.name", "web-7d9f")
		a.PutStr("k8s.pod.label.app", "web")
		logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).SetTraceID([16]byte{1})
		return logs
	}
	p, sink := started(t, properties{"emit_format": "ecs"})
	require.NoError(t, p.ConsumeLogs(t.Context(), in()))
	_, alerts := records(sink)
	orchestrator := alerts[0].Body().Map().AsRaw()["orchestrator"].(map[string]any)
	require.Equal(t, "shop", orchestrator["namespace"])
	p, sink = started(t, nil)
	require.NoError(t, p.ConsumeLogs(t.Context(), in()))
	own, alerts := records(sink)
	require.Equal(t, own[0].Attributes().AsRaw(), alerts[0].Attributes().AsRaw(), "a copy has no other fields than its record")
	require.Equal(t, pcommon.ValueTypeEmpty, alerts[0].Body().Type())
}

func TestFormatsOfAlerts(t *testing.T) {
	for format, check := range map[string]func(body pcommon.Value){
		"ecs":  func(b pcommon.Value) { require.Contains(t, b.Map().AsRaw(), "rule") },
		"ocsf": func(b pcommon.Value) { require.Contains(t, b.Map().AsRaw(), "class_uid") },
		"msa":  func(b pcommon.Value) { require.Equal(t, "modsecurity", b.Map().AsRaw()["alert_engine"]) },
		"CEF":  func(b pcommon.Value) { require.True(t, strings.HasPrefix(b.Str(), "CEF:0|"), b.AsString()) },
	} {
		p, sink := started(t, properties{"emit_format": format})
		require.NoError(t, p.ConsumeLogs(t.Context(), single(request(attack))))
		_, alerts := records(sink)
		require.Len(t, alerts, 1, format)
		check(alerts[0].Body())
		require.Equal(t, true, valueOf(alerts[0], "waf.alert"))
	}
}

func TestVerdictsAndAlertRecordsAreSwitchedSeparately(t *testing.T) {
	for _, c := range []struct {
		properties properties
		verdict    string
		alerts     int
	}{
		{properties{"alert_records": false}, "waf.alert", 0},
		{properties{"alert_key": "security"}, "security.alert", 1},
		{properties{"alert_key": "off"}, "", 1},
		{properties{"alert_key": "off", "alert_records": false}, "", 0},
	} {
		p, sink := started(t, c.properties)
		require.NoError(t, p.ConsumeLogs(t.Context(), single(request(attack))))
		own, alerts := records(sink)
		require.Len(t, alerts, c.alerts)
		if c.verdict == "" {
			require.Equal(t, 6, own[0].Attributes().Len())
		} else {
			require.Equal(t, true, valueOf(own[0], c.verdict))
		}
		for _, a := range alerts {
			name := "waf.alert"
			if c.verdict != "" {
				name = c.verdict
			}
			require.Equal(t, true, valueOf(a, name))
		}
	}
}

func TestAVerdictFromOutsideIsRemoved(t *testing.T) {
	p, sink := started(t, nil)
	for _, target := range []string{"/", attack} {
		require.NoError(t, p.ConsumeLogs(t.Context(), single(func(r plog.LogRecord) {
			request(target)(r)
			r.Attributes().PutStr("waf.rule_id", "1")
			r.Attributes().PutStr("waf.forged", "1")
			r.Attributes().PutStr("waf", "1")
			r.Attributes().PutStr("wafer", "stays")
		})))
	}
	own, _ := records(sink)
	for _, r := range own {
		require.Nil(t, valueOf(r, "waf"))
		require.Nil(t, valueOf(r, "waf.forged"))
		require.NotEqual(t, "1", valueOf(r, "waf.rule_id"))
		require.Equal(t, "stays", valueOf(r, "wafer"))
	}
	require.Equal(t, true, valueOf(own[1], "waf.alert"))
}

func TestAlertsOfAnotherProcessorPass(t *testing.T) {
	first, sink := started(t, properties{"emit_format": "ecs"})
	require.NoError(t, first.ConsumeLogs(t.Context(), single(request(attack))))
	second, out := started(t, nil)
	require.NoError(t, second.ConsumeLogs(t.Context(), sink.AllLogs()[0]))
	_, alerts := records(out)
	require.Len(t, alerts, 2, "the first one's and the second one's")
	require.Contains(t, alerts[0].Body().Map().AsRaw(), "rule")
}

func TestEveryTypeOfValuePasses(t *testing.T) {
	p, sink := started(t, nil)
	fill := func(v pcommon.Value) {
		m := v.SetEmptyMap()
		m.PutStr("text", "a")
		m.PutInt("int", -1)
		m.PutDouble("double", 1.5)
		m.PutBool("bool", true)
		m.PutEmptyBytes("bytes").FromRaw([]byte{0, 0xff})
		m.PutEmpty("empty")
		m.PutEmptySlice("slice").AppendEmpty().SetEmptyMap().PutStr("a", "b")
		deep := m.PutEmpty("deep")
		for range 200 {
			deep = deep.SetEmptySlice().AppendEmpty()
		}
	}
	bodies := []func(pcommon.Value){
		fill,
		func(v pcommon.Value) { fill(v.SetEmptySlice().AppendEmpty()) },
		func(v pcommon.Value) { v.SetInt(1) },
		func(v pcommon.Value) { v.SetEmptyBytes().FromRaw([]byte("x")) },
		func(pcommon.Value) {},
	}
	logs := plog.NewLogs()
	all := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for _, body := range bodies {
		for _, target := range []string{"/", attack} {
			r := all.AppendEmpty()
			request(target)(r)
			fill(r.Attributes().PutEmpty("nested"))
			body(r.Body())
		}
	}
	before := plog.NewLogs()
	logs.CopyTo(before)
	require.NoError(t, p.ConsumeLogs(t.Context(), logs))
	own, alerts := records(sink)
	require.Len(t, alerts, len(bodies))
	for i, r := range own {
		want := before.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(i)
		r.Attributes().RemoveIf(func(name string, _ pcommon.Value) bool { return isVerdict(name, "waf") })
		require.Equal(t, want.Attributes().AsRaw(), r.Attributes().AsRaw())
		require.Equal(t, want.Body().AsRaw(), r.Body().AsRaw())
	}
	require.Equal(t, int64(-1), alerts[0].Body().Map().AsRaw()["int"])
}

func TestRepeatsAreSummarizedWhileNoRecordsComeAndAtTheEnd(t *testing.T) {
	p, sink := started(t, properties{"flood_window": "1s"})
	for range 3 {
		require.NoError(t, p.ConsumeLogs(t.Context(), single(request(attack))))
	}
	_, alerts := records(sink)
	require.Len(t, alerts, 1)
	require.Eventually(t, func() bool { _, alerts = records(sink); return len(alerts) == 2 }, 10*time.Second, 10*time.Millisecond)
	require.EqualValues(t, 2, valueOf(alerts[1], "waf.count"))
	require.NotContains(t, alerts[1].Body().Map().AsRaw(), "waf")

	p, sink = started(t, properties{"flood_window": "1h"})
	for range 5 {
		require.NoError(t, p.ConsumeLogs(t.Context(), single(request(attack))))
	}
	require.NoError(t, p.Shutdown(t.Context()))
	_, alerts = records(sink)
	require.Len(t, alerts, 2)
	require.EqualValues(t, 4, valueOf(alerts[1], "waf.count"))
}

func TestIncidentsAreRecords(t *testing.T) {
	p, sink := started(t, properties{"incidents": true, "incident_learning": "off"})
	for i := range 200 {
		require.NoError(t, p.ConsumeLogs(t.Context(), single(func(r plog.LogRecord) {
			request(fmt.Sprintf("/page%d%s", i, attack))(r)
			r.SetTimestamp(pcommon.NewTimestampFromTime(time.Now()))
		})))
	}
	_, alerts := records(sink)
	names := map[string]int{}
	for _, a := range alerts {
		names[a.EventName()]++
	}
	require.Equal(t, 200, names["waf.alert"])
	require.Positive(t, names["waf.incident"])
}

func TestARecordPassesWhenTheProcessorPanics(t *testing.T) {
	p, sink := started(t, nil)
	logs := single(request(attack))
	logs.MarkReadOnly() // has pdata panic at the first attribute
	require.NoError(t, p.ConsumeLogs(t.Context(), logs))
	own, alerts := records(sink)
	require.Len(t, own, 1)
	require.Empty(t, alerts)
	require.NoError(t, p.ConsumeLogs(t.Context(), single(request(attack))))
	_, alerts = records(sink)
	require.Len(t, alerts, 1, "the next batch is inspected")
}

func TestRulesChangeWhileRecordsFlow(t *testing.T) {
	file := filepath.Join(t.TempDir(), "own.conf")
	write := func(path string) {
		rule := fmt.Sprintf(`SecRule REQUEST_FILENAME "@streq %s" "id:1,phase:1,deny,log,msg:'seen'"`+"\n", path)
		require.NoError(t, os.WriteFile(file, []byte(rule), 0o600))
	}
	write("/old")
	p, sink := started(t, properties{"rules": file, "rule_packs": "off", "reload_interval": "100ms"})
	alerts := func(target string) bool {
		sink.Reset()
		require.NoError(t, p.ConsumeLogs(t.Context(), single(request(target))))
		_, all := records(sink)
		return len(all) > 0
	}
	require.True(t, alerts("/old"))
	require.False(t, alerts("/new"))
	write("/new")
	require.Eventually(t, func() bool { return alerts("/new") }, 20*time.Second, 20*time.Millisecond)
	require.False(t, alerts("/old"))

	require.NoError(t, p.Shutdown(t.Context()))
	require.NoError(t, os.WriteFile(file, []byte("SecRule\n"), 0o600))
	p, sink = started(t, properties{"rules": file, "rule_packs": "off"}) // as after a reload of the collector
	require.True(t, alerts("/new"), "the rules of before stay in use")
}

func TestBatchesComeFromManyGoroutinesUntilTheShutdown(t *testing.T) {
	p, sink := started(t, nil)
	var sending sync.WaitGroup
	for range 4 {
		sending.Go(func() {
			for i := range 50 {
				if err := p.ConsumeLogs(context.Background(), single(request(attack))); err != nil {
					t.Error(err)
				}
				if i == 25 {
					if err := p.Shutdown(context.Background()); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	sending.Wait()
	own, alerts := records(sink)
	require.Len(t, own, 200)
	require.GreaterOrEqual(t, len(alerts), 25)
}

func TestShutdownDoesNotWaitForever(t *testing.T) {
	c := createDefaultConfig().(*Config)
	p := newProcessor(processortest.NewNopSettings(metadata.Type), c, consumertest.NewNop())
	require.NoError(t, p.start(t.Context(), componenttest.NewNopHost()))
	p.running.RLock() // a batch that is being inspected
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, p.shutdown(ctx), context.DeadlineExceeded)
	p.running.RUnlock()
	require.Eventually(t, func() bool { p.running.RLock(); defer p.running.RUnlock(); return p.filter == nil }, 10*time.Second, time.Millisecond)
}
