package filter

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/accesslog"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

const sqlInjection = "q=1%27%20or%201=1--"

// gateway is a record of an Azure Application Gateway.
func gateway(client, query string) map[string]any {
	return map[string]any{"properties": map[string]any{"clientIP": client, "httpMethod": "GET", "requestUri": "/", "requestQuery": query, "httpStatus": 200}}
}

func listOf(requests ...any) map[string]any {
	return map[string]any{"records": requests, "kubernetes": map[string]any{"pod_name": "p"}}
}

func lineOf(target string) map[string]any {
	return map[string]any{"log": accesslog.Lines()[0].Write(accesslog.Browser("GET", target)), "stream": "stdout"}
}

func TestRecordInsideAnotherIsInspectedAndTheOuterOneContinues(t *testing.T) {
	f := newFilter(t, setting.Map{"emit_tag": "alert.$TAG", "emit_format": "record"})
	out := process(f, logged(t, lineOf("/?"+sqlInjection)), "app")
	require.True(t, out.Changed)
	have := body(t, out.Data)
	require.Equal(t, "942100", have["waf"].(map[string]any)["rule_id"])
	require.Equal(t, lineOf("/?" + sqlInjection)["log"], have["log"])
	require.Equal(t, "stdout", have["stream"])
	require.Len(t, out.Emits, 1)
	require.Equal(t, "stdout", body(t, out.Emits[0].Event)["stream"])

	require.False(t, process(f, logged(t, lineOf("/")), "app").Changed)
	require.False(t, process(f, logged(t, map[string]any{"log": "started"}), "app").Changed)
	c := f.Counts()
	require.Equal(t, []uint64{3, 1, 1, 1}, []uint64{c.Records, c.Clean, c.Alerts, c.NotHTTP})
	require.Equal(t, []SourceCount{{Map: "access-log", Records: 2}, {Map: "none", Records: 1}}, c.Sources)
}

func TestSecretsOfRecordsInsideOthersAreRedacted(t *testing.T) {
	const secret = "Zq7Xy9Wv2Kp4Lm6"
	inner := `{"remote_addr":"192.0.2.1","request":"GET /?password=` + secret + `&` + sqlInjection + ` HTTP/1.1","http_cookie":"session=` + secret + `"}`
	for _, format := range []string{"record", "ecs", "msa", "modsecurity"} {
		f := newFilter(t, setting.Map{"emit_tag": "alert.$TAG", "emit_format": format})
		for _, fields := range []map[string]any{lineOf("/?password=" + secret + "&" + sqlInjection), {"log": inner}, listOf(gateway("192.0.2.1", "password="+secret+"&"+sqlInjection))} {
			out := process(f, logged(t, fields), "app")
			require.Len(t, out.Emits, 1)
			require.NotContains(t, string(out.Emits[0].Event), secret, format)
		}
	}
}

func TestEveryRecordOfAListIsInspected(t *testing.T) {
	for mode, settings := range map[string]setting.Map{"at once": {}, "within a budget": {"inspect_budget": "5s"}, "clean ones dropped": {"keep": "alerts"}} {
		t.Run(mode, func(t *testing.T) {
			settings["emit_tag"] = "alert.$TAG"
			f := newFilter(t, settings)
			chunk := slices.Concat(
				logged(t, map[string]any{"log": "before"}),
				logged(t, listOf(gateway("192.0.2.1", "a=b"), gateway("192.0.2.2", sqlInjection), gateway("192.0.2.3", "q=%3Cscript%3Ealert(1)%3C/script%3E"), map[string]any{"a": 1})),
				logged(t, listOf(gateway("192.0.2.4", "a=b"), gateway("192.0.2.5", "c=d"))),
				logged(t, listOf(map[string]any{"a": 1})),
				logged(t, map[string]any{"log": "behind"}))
			out := process(f, chunk, "azure")
			c := f.Counts()
			require.Equal(t, []uint64{9, 3, 2, 4}, []uint64{c.Records, c.Clean, c.Alerts, c.NotHTTP})
			require.Equal(t, []SourceCount{{Map: "azure", Records: 5}, {Map: "none", Records: 4}}, c.Sources)

			require.Len(t, out.Emits, 2)
			clients := []any{body(t, out.Emits[0].Event)["src_ip"], body(t, out.Emits[1].Event)["src_ip"]}
			require.Equal(t, []any{"192.0.2.2", "192.0.2.3"}, clients)

			require.True(t, out.Changed)
			var bodies []map[string]any
			for rest := out.Data; len(rest) > 0; {
				e, behind, err := record.Next(rest)
				require.NoError(t, err)
				bodies = append(bodies, body(t, e.Raw))
				rest = behind
			}
			kept := 5
			if settings["keep"] == "alerts" {
				kept = 4 // but for the list of clean requests
			}
			require.Len(t, bodies, kept)
			require.Equal(t, "before", bodies[0]["log"])
			require.Len(t, bodies[1]["records"], 4, "the record continues whole")
			require.Contains(t, bodies[1], "kubernetes")
			require.Contains(t, bodies[1]["waf"].(map[string]any), "rule_id")
			require.Equal(t, "behind", bodies[kept-1]["log"])
			for _, b := range bodies[2:] {
				require.NotContains(t, b, "waf")
			}
		})
	}
}

func TestListOfCleanRecordsContinuesAsItCame(t *testing.T) {
	f := newFilter(t, nil)
	out := process(f, logged(t, listOf(gateway("192.0.2.4", "a=b"), gateway("192.0.2.5", "c=d"))), "azure")
	require.False(t, out.Changed)

	forged := listOf(gateway("192.0.2.4", "a=b"))
	forged["waf"] = map[string]any{"rule_id": "1"}
	out = process(f, logged(t, forged), "azure")
	require.True(t, out.Changed)
	require.NotContains(t, body(t, out.Data), "waf", "a verdict that came is not believed")
}

func TestListsInTheBackground(t *testing.T) {
	f := newFilter(t, setting.Map{"emit_tag": "alert.$TAG", "mode": "async", "alert_key": "off"})
	emits := process(f, logged(t, listOf(gateway("192.0.2.1", "a=b"), gateway("192.0.2.2", sqlInjection))), "one").Emits
	emits = append(emits, process(f, logged(t, listOf(gateway("192.0.2.3", sqlInjection), gateway("192.0.2.4", "a=b"))), "two").Emits...)
	require.Eventually(t, func() bool { emits = f.Due(emits); return len(emits) == 2 }, 10*time.Second, time.Millisecond)
	require.Equal(t, []string{"alert.one", "alert.two"}, []string{emits[0].Tag, emits[1].Tag})
	require.Eventually(t, func() bool { return f.Counts().Records == 4 }, 10*time.Second, time.Millisecond)
}

func TestRestOfAnEndlessListCountsAsBroken(t *testing.T) {
	f := newFilter(t, nil)
	requests := make([]any, 10_005)
	for i := range requests {
		requests[i] = map[string]any{"a": 1}
	}
	process(f, logged(t, listOf(requests...)), "azure")
	require.Equal(t, []uint64{10_000, 1}, []uint64{f.Counts().NotHTTP, f.Counts().Broken})
}

func TestCheckFindsEveryRecordOfAList(t *testing.T) {
	f := newFilter(t, nil)
	found := f.Check(logged(t, listOf(gateway("192.0.2.1", "a=b"), gateway("192.0.2.2", sqlInjection))))
	require.Len(t, found, 1)
	require.Equal(t, Alert, found[0].Kind)
	require.Equal(t, "192.0.2.2", found[0].Alert.ClientIP)
	require.Len(t, found[0].Parts, 2)
	require.Equal(t, []Kind{Clean, Alert}, []Kind{found[0].Parts[0].Kind, found[0].Parts[1].Kind})
	alone := f.Check(found[0].Parts[1].Event)
	require.Equal(t, Alert, alone[0].Kind)
	require.Empty(t, alone[0].Parts)
}

// plainLines are records of a log in the extended format.
func plainLines(t *testing.T, all ...string) (chunk []byte) {
	for _, one := range all {
		chunk = append(chunk, logged(t, map[string]any{"log": one})...)
	}
	return chunk
}

func TestColumnsHoldForTheLinesBehindThemUnderTheSameTag(t *testing.T) {
	const (
		shortColumns = "#Fields: c-ip cs-method cs-uri-stem"
		otherColumns = "#Fields: cs-uri-stem cs-method c-ip"
		attack       = "192.0.2.1 GET /a/../../etc/passwd"
		other        = "/a/../../etc/passwd GET 192.0.2.1"
	)
	f := newFilter(t, nil)
	alerts := func(tag string, all ...string) uint64 {
		before := f.Counts().Alerts
		process(f, plainLines(t, all...), tag)
		return f.Counts().Alerts - before
	}
	require.EqualValues(t, 0, alerts("a", attack), "nothing is known of the columns")
	require.EqualValues(t, 1, alerts("a", attack, shortColumns, attack))
	require.EqualValues(t, 2, alerts("a", attack, attack, other))
	require.EqualValues(t, 0, alerts("b", attack), "another tag")
	require.EqualValues(t, 2, alerts("a", attack, otherColumns, attack, other))
	require.EqualValues(t, 1, alerts("a", attack, other))
	require.EqualValues(t, 1, alerts("b", shortColumns, attack, other))
	require.EqualValues(t, 0, f.Counts().Broken)

	many := []string{shortColumns}
	for i := range 2000 { // more than one thread works on them
		many = append(many, fmt.Sprintf("192.0.2.1 GET /%d/../../etc/passwd", i))
	}
	require.EqualValues(t, 2000, alerts("c", many...))
}

// The columns of lines are looked up by threads that read other chunks.
func TestColumnsMayChangeWhileOthersRead(t *testing.T) {
	f := newFilter(t, nil)
	var running sync.WaitGroup
	for i := range 4 {
		running.Go(func() {
			for range 50 {
				process(f, plainLines(t, "#Fields: c-ip cs-method cs-uri-stem", "192.0.2.1 GET /"), fmt.Sprint("tag", i%2))
			}
		})
	}
	running.Wait()
	require.EqualValues(t, []uint64{200, 200}, []uint64{f.Counts().Clean, f.Counts().NotHTTP})
}

func TestCutLineIsInspectedInPart(t *testing.T) {
	f := newFilter(t, nil)
	whole := lineOf("/?" + sqlInjection)["log"].(string)
	cut := whole[:strings.Index(whole, " HTTP/")+3]
	out := process(f, logged(t, map[string]any{"log": cut}), "app")
	require.True(t, out.Changed)
	require.Equal(t, []any{"headers"}, body(t, out.Data)["waf"].(map[string]any)["partial"])
	require.EqualValues(t, 1, f.Counts().Partial)
}
