// Package survive throws at the filter what a hostile network can send, and looks whether everything that was promised still
// holds: records pass, nothing is a silent clean, time and memory have bounds, and the counters add up.
//
// With SURVIVE set to a time, such as 10m, everything has its full size, and what runs for a while runs for that long.
package survive

import (
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tinylib/msgp/msgp"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// host is what filters share.
var host = filter.NewHost()

// TestMain keeps the usual rules open: most filters have them, and the Core Rule Set takes half a second of a core to open.
func TestMain(m *testing.M) {
	usual, err := filter.New(host, setting.Map{}, func(filter.Level, string) {})
	if err != nil {
		panic(err)
	}
	code := m.Run()
	usual.Close()
	os.Exit(code)
}

// duration is how long tests that run for a while do, 0 for the short form of all tests.
func duration(t testing.TB) time.Duration {
	text := os.Getenv("SURVIVE")
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	require.NoError(t, err, "SURVIVE (want a time such as 10m)")
	return d
}

// sized returns the full size of a hostile record, or that of the short form.
func sized(t testing.TB, full, short int) int {
	if duration(t) > 0 {
		return full
	}
	return short
}

// open returns a filter that inspects everything, however busy the machine is, unless the settings say otherwise. With a budget it has rules of
// its own: verdicts that other tests have cached would spare the engine the work that the test is about.
func open(t testing.TB, settings setting.Map) *filter.Filter {
	t.Helper()
	all := setting.Map{"inspect_budget": "off"}
	for name, value := range settings {
		all[name] = value
	}
	shared := host
	if all["inspect_budget"] != "off" {
		shared = nil
	}
	f, err := filter.New(shared, all, func(level filter.Level, line string) {
		if test, is := t.(*testing.T); is { // while it fuzzes, a testing.F may not log
			test.Log(level, line)
		}
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	return f
}

// event returns a record with texts, as Fluent Bit hands it over.
func event(keysAndValues ...string) []byte {
	b := msgp.AppendMapHeader(nil, uint32(len(keysAndValues)/2))
	for _, s := range keysAndValues {
		b = msgp.AppendString(b, s)
	}
	return withBody(b)
}

// withBody returns a record with a body in msgpack.
func withBody(body []byte) []byte {
	return append([]byte{0x92, 0x92, 0xd7, 0x00, 0x66, 0x58, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x80}, body...)
}

// addsUp requires that every record is counted once, and every alert once where alerts are emitted.
func addsUp(t testing.TB, f *filter.Filter, records int) {
	t.Helper()
	c := f.Counts()
	require.EqualValues(t, records, c.Records, "%s", c)
	require.Equal(t, c.Records, c.Clean+c.Alerts+c.NotHTTP+c.Broken+c.Skipped, "%s", c)
	if sent := c.Emitted + c.Failed + c.Suppressed; sent > 0 {
		require.Equal(t, c.Alerts, sent, "%s", c)
	}
	require.Zero(t, c.Panics, "%s", c)
}

// pass has a filter process a chunk, and takes the alerts as a host does.
func pass(f *filter.Filter, chunk []byte, out *filter.Outcome) {
	f.Process(chunk, "nano", out)
	for i := range out.Emits {
		f.EmitTaken(&out.Emits[i])
	}
}

// fate is what has become of one record.
type fate struct {
	kind    string // clean, alert, late, broken or not http
	partial []string
	rules   []string
}

// silent reports whether nothing tells that an attack went by.
func (r fate) silent() bool { return r.kind == "clean" && r.partial == nil }

// process has a filter process one record, and requires that it continues with all its bytes, whatever is added.
func process(t testing.TB, f *filter.Filter, one []byte) (r fate) {
	t.Helper()
	before := f.Counts()
	sent := slices.Clone(one)
	var out filter.Outcome
	f.Process(one, "nano", &out)
	require.Equal(t, sent, one, "the chunk is the host's")
	c := f.Counts()
	require.Equal(t, before.Records+1, c.Records)
	addsUp(t, f, int(c.Records))
	switch {
	case c.Alerts > before.Alerts:
		r.kind = "alert"
	case c.Clean > before.Clean:
		r.kind = "clean"
	case c.Broken > before.Broken:
		r.kind = "broken"
	case c.Late > before.Late:
		r.kind = "late"
	case c.NotHTTP > before.NotHTTP:
		r.kind = "not http"
	}
	if !out.Changed {
		return r
	}
	was, _, err := record.Next(one)
	require.NoError(t, err)
	is, rest, err := record.Next(out.Data)
	require.NoError(t, err)
	require.Empty(t, rest)
	require.Equal(t, was.Head, is.Head)
	require.True(t, slices.Equal(was.Body, record.AppendMapWith(nil, is.Body, "waf", nil)), "other bytes of the record")
	verdict := mapOf(t, is.Body)
	r.partial, r.rules = texts(verdict["partial"]), texts(verdict["rule_ids"])
	return r
}

// mapOf returns what stands under the key of verdicts.
func mapOf(t testing.TB, body []byte) map[string]any {
	t.Helper()
	for pairs, _ := record.ReadMap(body); pairs.Next(); {
		if pairs.Key == "waf" {
			verdict, _, err := msgp.ReadMapStrIntfBytes(pairs.Value, nil)
			require.NoError(t, err)
			return verdict
		}
	}
	require.Fail(t, "the record was changed without a verdict")
	return nil
}

func texts(list any) (all []string) {
	values, _ := list.([]any)
	for _, v := range values {
		all = append(all, v.(string))
	}
	return all
}

// allocated returns how many bytes of memory a function has asked for, all in all.
func allocated(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
