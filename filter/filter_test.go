package filter

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tinylib/msgp/msgp"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record/recordtest"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

var (
	pairs        = recordtest.Pairs
	clean        = recordtest.Clean
	browserEvent = recordtest.Browser
)

// testHost is the host of newFilter. Its filters share rules, and tests that count allocations wait for engine runs of the tests before.
var testHost = NewHost()

// TestMain keeps the usual rules open: most tests have them, and the Core Rule Set takes half a second of a core to open.
func TestMain(m *testing.M) {
	usual, err := New(testHost, setting.Map{}, quiet)
	if err != nil {
		panic(err)
	}
	code := m.Run()
	usual.Close()
	os.Exit(code)
}

// newFilter returns a filter that inspects everything, however busy the machine is, unless the settings say otherwise.
func newFilter(t testing.TB, settings setting.Map) *Filter {
	t.Helper()
	all := setting.Map{"inspect_budget": "off"}
	maps.Copy(all, settings)
	f, err := New(testHost, all, func(level Level, line string) { t.Log(level, line) })
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	return f
}

// event returns a record as Fluent Bit hands it over: [[timestamp, {}], body].
func event(t testing.TB, body any) []byte {
	t.Helper()
	e := []byte{0x92, 0x92, 0xd7, 0x00, 0x66, 0x58, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x80}
	e, err := msgp.AppendIntf(e, body)
	require.NoError(t, err)
	return e
}

func sample(t testing.TB) []byte {
	t.Helper()
	text, err := os.ReadFile("../testdata/nano-sample.json")
	require.NoError(t, err)
	// Keys keep their order, so that golden outputs do not depend on that of a Go map.
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	var flat []string
	for {
		token, err := decoder.Token()
		if err != nil {
			break
		}
		if s, isText := token.(string); isText {
			flat = append(flat, s)
		}
	}
	return pairs(flat...)
}

func body(t testing.TB, e []byte) map[string]any {
	t.Helper()
	parsed, rest, err := record.Next(e)
	require.NoError(t, err)
	require.Empty(t, rest)
	v, _, err := msgp.ReadMapStrIntfBytes(parsed.Body, nil)
	require.NoError(t, err)
	return v
}

func process(f *Filter, chunk []byte, tag string) *Outcome {
	var out Outcome
	f.Process(chunk, tag, &out)
	return &out
}

func TestSampleBecomesTheAlertOfModSecurityForAnylog(t *testing.T) {
	f := newFilter(t, setting.Map{"emit_tag": "alert.$TAG"})
	out := process(f, sample(t), "nano")
	require.Len(t, out.Emits, 1)
	require.Equal(t, "alert.nano", out.Emits[0].Tag)
	require.Equal(t, 2, out.Emits[0].Severity)
	require.Equal(t, "10.64.1.254", out.Emits[0].Host)
	require.EqualValues(t, 0x66580000, out.Emits[0].Time.Unix())
	parsed, _, err := record.Next(out.Emits[0].Event)
	require.NoError(t, err)
	want, err := os.ReadFile("testdata/sample-msa.json")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		err = os.WriteFile("testdata/sample-msa.json", append(alert.JSON(parsed.Body), '\n'), 0o644)
		want = append(alert.JSON(parsed.Body), '\n')
	}
	require.NoError(t, err)
	require.Equal(t, string(want), string(alert.JSON(parsed.Body))+"\n")
}

func TestEnrichedRecordKeepsAllItsOtherBytes(t *testing.T) {
	in := sample(t)
	out := process(newFilter(t, nil), in, "nano")
	require.True(t, out.Changed)
	before, _, err := record.Next(in)
	require.NoError(t, err)
	after, _, err := record.Next(out.Data)
	require.NoError(t, err)
	require.Equal(t, before.Head, after.Head)
	added := record.AppendMapWith(nil, after.Body, "waf", nil)
	require.Equal(t, before.Body, added)

	waf := body(t, out.Data)["waf"].(map[string]any)
	require.Equal(t, true, waf["alert"])
	require.Equal(t, "930120", waf["rule_id"])
	require.Equal(t, []any{"920350", "930100", "930110", "930120", "932160"}, waf["rule_ids"])
	require.Equal(t, "CRITICAL", strings.ToUpper(waf["severity"].(string)))
	require.EqualValues(t, 2, waf["severity_number"])
	require.EqualValues(t, 33, waf["score"])
	require.Equal(t, "uri,headers,response", waf["inspected"])
	require.Equal(t, "OWASP_CRS/4.25.0", waf["rule_set"])
}

func TestSQLInjectionAlertsWithDefaultSettings(t *testing.T) {
	out := process(newFilter(t, nil), clean("/?do='drop%20table'"), "nano")
	require.True(t, out.Changed)
	require.Contains(t, body(t, out.Data)["waf"].(map[string]any)["rule_ids"], "942360")
}

func TestRecordsThatPassUntouched(t *testing.T) {
	nested := append([]byte{0x92, 0x92, 0x01, 0x80}, append(make([]byte, 0, 1<<20), strings.Repeat("\x91", 1<<20)+"\xc0"...)...)
	group := []byte{0x92, 0x92, 0xd7, 0x00, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0x80, 0x80}
	for name, chunk := range map[string][]byte{
		"clean request":       clean("/index.html"),
		"other protocol":      pairs("L7_PROTOCOL", "mysql", "METHOD", "GET", "URL", "/?a=../../etc/passwd"),
		"missing method":      pairs("URL", "/?a=../../etc/passwd"),
		"missing URL":         pairs("METHOD", "GET"),
		"body that is no map": event(t, []any{"a"}),
		"deeply nested body":  nested,
		"start of a group":    group,
		"truncated msgpack":   clean("/")[:40],
		"no msgpack":          []byte("\xc1\xc1\xc1"),
		"empty chunk":         nil,
	} {
		t.Run(name, func(t *testing.T) {
			f := newFilter(t, setting.Map{"emit_tag": "alert"})
			out := process(f, chunk, "nano")
			require.False(t, out.Changed)
			require.Empty(t, out.Emits)
			c := f.Counts()
			require.Equal(t, c.Records, c.Clean+c.Alerts+c.NotHTTP+c.Broken+c.Skipped)
			require.Zero(t, c.Panics)
		})
	}
}

func TestVerdictFromOutsideIsNotBelieved(t *testing.T) {
	f := newFilter(t, nil)
	forged := pairs("METHOD", "GET", "waf", "forged", "URL", "/index.html", "DOMAIN", "shop.example", "AGENT", "Mozilla/5.0", "waf", "again")
	out := process(f, forged, "nano")
	require.True(t, out.Changed)
	require.NotContains(t, body(t, out.Data), "waf")
	require.Equal(t, "shop.example", body(t, out.Data)["DOMAIN"])

	attack := pairs("METHOD", "GET", "waf", "forged", "URL", "/?a=../../etc/passwd")
	out = process(f, attack, "nano")
	require.IsType(t, map[string]any{}, body(t, out.Data)["waf"])
	require.Len(t, body(t, out.Data), 3)
}

func TestKeepAlertsDropsCleanRecordsOnly(t *testing.T) {
	f := newFilter(t, setting.Map{"keep": "alerts", "alert_key": "off"})
	other := pairs("message", "not http")
	attack := clean("/?a=../../etc/passwd")
	var chunk []byte
	for _, e := range [][]byte{clean("/a"), other, clean("/b"), attack, clean("/c")} {
		chunk = append(chunk, e...)
	}
	out := process(f, chunk, "nano")
	require.True(t, out.Changed)
	require.Equal(t, append(append([]byte{}, other...), attack...), out.Data)

	out = process(f, clean("/a"), "nano")
	require.True(t, out.Changed)
	require.Empty(t, out.Data)
}

func TestManyRecordsStayInOrder(t *testing.T) {
	f := newFilter(t, setting.Map{"emit_tag": "alert", "emit_format": "record"})
	var chunk []byte
	for i := range 100 {
		path := fmt.Sprintf("/item/%d", i)
		if i%10 == 3 {
			path += "?file=../../etc/passwd"
		}
		chunk = append(chunk, clean(path)...)
	}
	out := process(f, chunk, "nano")
	rest := out.Data
	for i := range 100 {
		e, next, err := record.Next(rest)
		require.NoError(t, err)
		rest = next
		b := body(t, e.Raw)
		require.True(t, strings.HasPrefix(b["URL"].(string)+"?", fmt.Sprintf("/item/%d?", i)), "%v", b["URL"])
		require.Equal(t, i%10 == 3, b["waf"] != nil)
	}
	require.Empty(t, rest)
	require.Len(t, out.Emits, 10)
	require.Contains(t, body(t, out.Emits[1].Event)["URL"], "/item/13?")
}

func TestOwnAlertsAreNotEvaluatedAgain(t *testing.T) {
	f := newFilter(t, setting.Map{"emit_tag": "alert.$TAG[1]", "emit_format": "record"})
	out := process(f, clean("/?a=../../etc/passwd"), "in.nano")
	require.Equal(t, "alert.nano", out.Emits[0].Tag)
	again := process(f, out.Emits[0].Event, out.Emits[0].Tag)
	require.False(t, again.Changed)
	require.Empty(t, again.Emits)
	require.EqualValues(t, 1, f.Counts().Skipped)
}

func TestConcurrentChunksGetTheSameVerdicts(t *testing.T) {
	f := newFilter(t, nil)
	chunk := append(clean("/?a=../../etc/passwd"), clean("/ok")...)
	want := process(f, chunk, "nano").Data
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			var out Outcome
			for range 5 {
				f.Process(chunk, "nano", &out)
				require.Equal(t, want, out.Data)
			}
		})
	}
	group.Wait()
}

func TestAllProblemsOfAConfigurationAreReported(t *testing.T) {
	_, err := New(testHost, setting.Map{
		"rules": "missing.conf", "alert_on": "everything", "emit_limit": "ten", "keep": "none", "blocking_paranoia": "5",
		"exclude_rules": "942100,x", "field_map": "missing.key", "emit_tag": "$TAG", "include_payload": "maybe",
	}, nil)
	require.Error(t, err)
	for _, want := range []string{
		`property rules: unknown source "missing.conf" (want crs, a file, a glob or a directory): no such file or directory`,
		`property alert_on: unknown value "everything" (want score or match)`,
		`property emit_limit: malformed size "ten"`,
		`property keep: unknown value "none" (want all or alerts)`,
		`property blocking_paranoia: 5 is out of range (1 to 4)`,
		`property exclude_rules: malformed rule "x"`,
		`property field_map: field map "missing.key" (want auto, nano, gelf, `,
		`property emit_tag: tag "$TAG" has no fixed text`,
		`property include_payload: malformed switch "maybe" (want on or off)`,
	} {
		require.ErrorContains(t, err, want)
	}
}

func TestCheckFindsWhatEachRecordIs(t *testing.T) {
	f := newFilter(t, nil)
	found := f.Check(slices.Concat(sample(t), clean("/"), pairs("message", "not http"), []byte("\xc1")))
	require.Len(t, found, 4)
	require.Equal(t, []Kind{Alert, Clean, NotHTTP, Broken},
		[]Kind{found[0].Kind, found[1].Kind, found[2].Kind, found[3].Kind})
	require.Equal(t, 930120, found[0].Alert.Rule.Rule.ID)
	told := found[0].Alert.Details
	require.Equal(t, []any{2, "2024-05-30 07:16:48.917", "403", "blocked"}, []any{told.Severity, told.Begin, told.Status, string(told.Outcome)})
	found[0].Alert.Rule, found[0].Alert.Details = nil, nil
	require.Equal(t, &Summary{
		ClientIP: "192.168.1.105", ClientPort: "46152", ServerIP: "192.168.1.55", ServerPort: "80",
		Method: "GET", Host: "192.168.1.55", URI: "/?t=../../etc/passwd",
	}, found[0].Alert)
	for _, f := range found[1:] {
		require.Nil(t, f.Alert)
	}
}
