package inline

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli/clitest"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/syncbuffer"
)

func TestMain(m *testing.M) { clitest.Main(m, setting.Map{"rule_packs": "off"}) }

// start returns a running engine, and what it writes. Inspection has a minute unless settings give it another time.
func start(t *testing.T, settings setting.Map) (*Engine, *syncbuffer.Buffer) {
	t.Helper()
	all := setting.Map{"inspect_timeout": "1m"}
	maps.Copy(all, settings)
	out := &syncbuffer.Buffer{}
	r := setting.NewReader(all, Properties())
	e, err := Open(ReadSettings(r), all, r, &cli.Console{Host: clitest.Host, Out: out, Err: io.Discard})
	require.NoError(t, err)
	e.Run(t.Context())
	return e, out
}

// engine returns a running engine, and a function that ends it and returns the alerts that it has delivered.
func engine(t *testing.T, settings setting.Map) (e *Engine, end func() []map[string]any) {
	t.Helper()
	e, out := start(t, settings)
	return e, sync.OnceValue(func() (alerts []map[string]any) {
		e.Close()
		lines := json.NewDecoder(strings.NewReader(out.String()))
		for {
			var alert map[string]any
			if lines.Decode(&alert) != nil {
				return alerts
			}
			alerts = append(alerts, alert)
		}
	})
}

var (
	client = netip.MustParseAddrPort("203.0.113.9:5000")
	server = netip.MustParseAddrPort("10.0.0.1:80")
)

func request(target string) *Request {
	header := http.Header{"Accept": {"*/*"}, "User-Agent": {"curl/8.5.0"}}
	return &Request{Head: AppendRequestHead(nil, "GET", target, "HTTP/1.1", "shop.example", header), Client: client, Server: server}
}

const attack = "/?do='drop%20table'"

func TestABlockedRequestHasTheIDOfItsAlertInEveryFormatThatHasIDs(t *testing.T) {
	for _, format := range []string{"ecs", "ocsf", "modsecurity", "gelf"} {
		e, end := engine(t, setting.Map{"emit_format": format})
		d := e.Evaluate(t.Context(), request("/?q=shoes"))
		require.Equal(t, Decision{Reason: Clean, Inspected: []string{"uri", "headers", "body"}}, d)
		d = e.Evaluate(t.Context(), request(attack))
		require.True(t, d.Block)
		require.Equal(t, 403, d.Status)
		require.Equal(t, Attack, d.Reason)
		require.NotEmpty(t, d.Rules)
		alerts := end()
		require.Len(t, alerts, 1)
		text := mustJSON(t, alerts[0])
		require.Contains(t, text, d.Alert, format)
		require.Contains(t, strings.ToLower(text), "blocked", format)
	}
}

// What was done about an attack is said in the words of each format: by whom, and whether it was blocked or only reported.
func TestAlertsSayWhatWasDone(t *testing.T) {
	for _, c := range []struct{ engine, format, want string }{
		{"on", "modsecurity", `"producer":{"components":["OWASP_CRS/4.25.0"],"connector":"wafctl","modsecurity":"fluent-bit-waf","secrules_engine":"Enabled"}`},
		{"detect", "modsecurity", `"connector":"wafctl","modsecurity":"fluent-bit-waf","secrules_engine":"DetectionOnly"`},
		{"on", "modsecurity", `"reason":"blocked by wafctl"`},
		{"on", "ecs", `"action":"web-attack-blocked"`},
		{"on", "ecs", `"outcome":"failure"`},
		{"on", "ecs", `"type":["denied"]`},
		{"detect", "ecs", `"action":"web-attack-detected"`},
		{"detect", "ecs", `"type":["info"]`},
		{"on", "ocsf", `"action":"Denied","action_id":2`},
		{"on", "ocsf", `"disposition":"Blocked","disposition_id":2`},
		{"detect", "ocsf", `"action":"Observed","action_id":3`},
		{"detect", "ocsf", `"disposition":"Detected","disposition_id":15`},
		{"on", "gelf", `"_outcome":"blocked"`},
		{"detect", "gelf", `"_outcome":"attempted"`},
		{"on", "record", `"outcome":"blocked"`},
		{"detect", "record", `"reason":"the request passed, and the backend answered with status 403"`},
		{"on", "msa", `"retcode":"403"`},
	} {
		e, end := engine(t, setting.Map{"engine": c.engine, "emit_format": c.format})
		e.Begin(t.Context(), request(attack)).End(403) // by the application, unless the engine is on
		alerts := end()
		require.Len(t, alerts, 1)
		require.Contains(t, mustJSON(t, alerts[0]), c.want, c.format)
	}
}

func TestLinesSayWhatWasDone(t *testing.T) {
	for mode, want := range map[string]string{"on": " act=blocked ", "detect": " act=attempted "} {
		e, out := start(t, setting.Map{"engine": mode, "emit_format": "cef"})
		e.Begin(t.Context(), request(attack)).End(403)
		e.Close()
		require.Contains(t, out.String(), want)
	}
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return string(text)
}

func TestDetectReportsWithTheStatusOfTheResponse(t *testing.T) {
	e, end := engine(t, setting.Map{"engine": "detect"})
	tx := e.Begin(t.Context(), request(attack))
	require.False(t, tx.Block)
	require.Equal(t, Attack, tx.Reason)
	tx.End(404)
	tx.End(500)
	alerts := end()
	require.Len(t, alerts, 1)
	require.Contains(t, mustJSON(t, alerts[0]), "404")
}

func TestTheAlertOfABlockedRequestClaimsNoResponse(t *testing.T) {
	e, end := engine(t, setting.Map{"emit_format": "record"})
	e.Evaluate(t.Context(), request(attack))
	require.Contains(t, mustJSON(t, end()[0]), `"inspected":"uri,headers"`)
}

func TestOffInspectsNothing(t *testing.T) {
	e, end := engine(t, setting.Map{"engine": "off"})
	require.Equal(t, Decision{Reason: Disabled}, e.Evaluate(t.Context(), request(attack)))
	require.Empty(t, end())
}

func TestAlertsBelowTheThresholdBlockNothing(t *testing.T) {
	e, end := engine(t, setting.Map{"alert_on": "match", "anomaly_inbound": "100"})
	d := e.Evaluate(t.Context(), request(attack))
	require.False(t, d.Block)
	require.Equal(t, Attack, d.Reason)
	require.Len(t, end(), 1)
}

func TestTheResponseIsEvaluatedWithItsRequest(t *testing.T) {
	e, end := engine(t, setting.Map{})
	tx := e.Begin(t.Context(), request("/"))
	require.False(t, tx.Block)
	tx.Respond(t.Context(), &Response{
		Status: 200, Head: AppendResponseHead(nil, "HTTP/1.1", 200, http.Header{"Content-Type": {"text/html"}}),
		Body: []byte("You have an error in your SQL syntax; check the manual that corresponds to your MySQL server version"),
	})
	require.True(t, tx.Block)
	require.NotEmpty(t, tx.Alert)
	require.Equal(t, []string{"uri", "headers", "body", "response"}, tx.Inspected)
	require.Len(t, end(), 1)
}

func TestAnAttackThatWasOnlyReportedIsNotForgottenWithAResponse(t *testing.T) {
	e, end := engine(t, setting.Map{"engine": "detect"})
	tx := e.Begin(t.Context(), request(attack))
	tx.Respond(t.Context(), &Response{Status: 200, Head: AppendResponseHead(nil, "HTTP/1.1", 200, http.Header{"Content-Type": {"text/html"}}), Body: []byte("ok")})
	tx.End(200)
	require.Equal(t, Attack, tx.Reason)
	require.Len(t, end(), 1)
}

func TestABodyThatNobodyHasSeenIsNotCalledClean(t *testing.T) {
	e, _ := engine(t, setting.Map{})
	r := request("/")
	r.Unseen = true
	require.Equal(t, []string{"uri", "headers"}, e.Evaluate(t.Context(), r).Inspected)
}

// The decoded body of a chunked request may look like frames itself: the backend gets it as it is, and so must the rules.
func TestABodyThatLooksLikeFramesIsInspectedAsItIs(t *testing.T) {
	e, _ := engine(t, setting.Map{})
	header := http.Header{"Accept": {"*/*"}, "User-Agent": {"curl"}, "Content-Type": {"application/x-www-form-urlencoded"}, "Transfer-Encoding": {"chunked"}}
	r := &Request{
		Head: AppendRequestHead(nil, "POST", "/", "HTTP/1.1", "shop.example", header), Client: client, Server: server, Chunked: true,
		Body: []byte("2\r\nq=\r\n0\r\n\r\n&q=' union select password from users--"),
	}
	require.True(t, e.Evaluate(t.Context(), r).Block)
}

func TestInspectionThatTakesTooLongFollowsOnError(t *testing.T) {
	body := bytes.Repeat([]byte("a=' or 1=1 union select&"), 40_000)
	for onError, blocked := range map[string]bool{"pass": false, "block": true} {
		header := http.Header{"Accept": {"*/*"}, "User-Agent": {"curl"}, "Content-Type": {"application/x-www-form-urlencoded"}}
		r := &Request{Head: AppendRequestHead(nil, "POST", "/", "HTTP/1.1", "shop.example", header), Body: body, Client: client, Server: server}
		var e *Engine
		var end func() []map[string]any
		var d Decision
		begin := time.Now()
		for range 5 { // a test that stands still for as long as inspection takes gets the verdict
			e, end = engine(t, setting.Map{"on_error": onError, "inspect_timeout": "1ms", "cache_size": "0"})
			begin = time.Now()
			if d = e.Evaluate(t.Context(), r); d.Reason != Attack {
				break
			}
			end()
		}
		require.Less(t, time.Since(begin), 10*time.Second)
		t.Logf("on_error %s: a body of 1 MB is decided about after %v, with an inspect_timeout of 1ms", onError, time.Since(begin).Round(time.Millisecond))
		require.Equal(t, TimedOut, d.Reason)
		require.Equal(t, blocked, d.Block)
		require.Empty(t, d.Inspected)
		require.EqualValues(t, 1, e.Totals().Uninspected)
		if blocked {
			require.Equal(t, 503, d.Status)
		}
		end()
	}
}

func TestOnlyTrustedProxiesAreBelieved(t *testing.T) {
	e, _ := engine(t, setting.Map{"trusted_proxies": "10.0.0.0/8", "engine": "off"})
	for name, c := range map[string]struct{ peer, header, want string }{
		"a stranger":                   {"203.0.113.9:5", "1.2.3.4", "203.0.113.9:5"},
		"a proxy":                      {"10.0.0.7:5", "1.2.3.4", "1.2.3.4:0"},
		"a proxy, as IPv6":             {"[::ffff:10.0.0.7]:5", "1.2.3.4", "1.2.3.4:0"},
		"two proxies":                  {"10.0.0.7:5", "9.9.9.9, 1.2.3.4, 10.0.0.8", "1.2.3.4:0"},
		"a proxy that reports nothing": {"10.0.0.7:5", "", "10.0.0.7:5"},
		"a proxy that reports rubbish": {"10.0.0.7:5", "<script>", "10.0.0.7:5"},
	} {
		got := e.Client(netip.MustParseAddrPort(c.peer), http.Header{"X-Forwarded-For": {c.header}})
		require.Equal(t, c.want, got.String(), name)
	}
}

func TestIncidentsSeeEveryTransaction(t *testing.T) {
	e, end := engine(t, setting.Map{"incidents": "on"})
	for range 3 {
		e.Evaluate(t.Context(), request("/"))
	}
	require.True(t, e.Filter().Correlates())
	require.EqualValues(t, 3, e.Filter().Counts().Clean)
	e.Evaluate(t.Context(), request(attack))
	require.NotEmpty(t, end())
}

func TestFloodControlSumsAlertsUp(t *testing.T) {
	e, end := engine(t, setting.Map{"flood_window": "1m"})
	for range 5 {
		require.NotEmpty(t, e.Evaluate(t.Context(), request(attack)).Alert)
	}
	require.Len(t, end(), 2, "the first, and a summary")
	require.EqualValues(t, 4, e.Filter().Counts().Suppressed)
}

func TestEverySettingOfTheFilterIsInheritedOrExcluded(t *testing.T) {
	mine := Properties()
	for _, p := range filter.Properties() {
		found := 0
		for _, q := range mine {
			if q.Name == p.Name {
				found++
			}
		}
		require.LessOrEqual(t, found, 1, p.Name)
	}
}

func TestTheLastDigestsAreSentAtTheEnd(t *testing.T) {
	e, end := engine(t, setting.Map{"incidents": "on", "incident_digest_tag": "digest"})
	e.Evaluate(t.Context(), request("/"))
	sent := end()
	require.Len(t, sent, 1)
	require.Contains(t, sent[0], "waf_digest")
}
