package pipeline

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/fieldmap"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/metrics"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record/recordtest"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/ruleset"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/telemetry"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

var (
	pairs        = recordtest.Pairs
	clean        = recordtest.Clean
	browserEvent = recordtest.Browser
	slowEvent    = recordtest.Slow
	newRequest   = recordtest.New
	attackOf     = recordtest.Attack
	waf          = recordtest.Verdict
)

// attackEvent is an attack that takes the engine little.
func attackEvent(n int) []byte { return attackOf(fmt.Sprintf("192.0.2.%d", n%256), n) }

var uncachedSlowEvents atomic.Int64

// uncachedSlowEvent is a slow event that no other is like. Tests share a verdict cache, in which the events of slowEvent may be.
func uncachedSlowEvent() []byte { return slowEvent(1_000_000 + int(uncachedSlowEvents.Add(1))) }

// largeAttack is an attack whose size alone shows that it keeps the engine busy.
func largeAttack(client, n int) []byte { return recordtest.Large(client, n, rules.LargeTransaction) }

// testFilter is a pipeline with what it shares with the rest of a filter.
type testFilter struct {
	*Pipeline
	rules  *ruleset.Current
	counts *telemetry.Counters
	panics *telemetry.Panics
	meter  *telemetry.Meter
}

// host has the rules that pipelines of the tests share.
var host ruleset.LastGood

// TestMain keeps the usual rules open: most tests have them, and the Core Rule Set takes half a second of a core to open.
func TestMain(m *testing.M) {
	usual, err := open(setting.Map{"inspect_budget": "off"}, func(telemetry.Level, string) {})
	if err != nil {
		panic(err)
	}
	code := m.Run()
	usual.Close() //nolint:errcheck // the process ends
	os.Exit(code)
}

// open opens a pipeline as a filter does. Where time counts, it has rules of its own, of which nothing is compiled or cached: verdicts that
// other tests have cached would spare the engine the work that the test is about.
func open(settings setting.Map, log telemetry.Logger) (*testFilter, error) {
	shared := &host
	if settings["mode"] == "async" || settings["inspect_budget"] != "off" {
		shared = nil
	}
	reload := setting.Property{Name: "reload_interval", Default: "off"}
	reader := setting.NewReader(settings, slices.Concat(rules.Properties(), telemetry.Properties(), Properties(), []setting.Property{reload}))
	c, ruleConfig, interval := ReadConfig(reader), rules.ReadConfig(reader), reader.Interval("reload_interval")
	choice, err := fieldmap.Open(c.FieldMap)
	if err := errors.Join(err, reader.Err()); err != nil {
		return nil, err
	}
	choice.Trust(c.Proxies)
	opened, err := ruleset.Open("", shared, ruleConfig)
	if err != nil {
		return nil, err
	}
	f := &testFilter{counts: telemetry.NewCounters(choice.Names(), log)}
	f.panics = telemetry.NewPanics(f.counts, log, c.Redactor)
	f.rules = opened.Use(log, f.panics)
	if f.meter, err = telemetry.Start(metrics.NewProcess(), telemetry.Config{}, "", "", f.counts, f.panics, log); err != nil {
		return nil, err
	}
	f.Pipeline = New(&c, Parts{Maps: choice, Rules: f.rules, Counts: f.counts, Engine: NewEngineSlots(), Meter: f.meter, Panics: f.panics, Log: log})
	f.rules.Start(interval)
	f.Start()
	return f, nil
}

// newFilter opens a pipeline that inspects everything, however busy the machine is, unless the settings say otherwise.
func newFilter(t testing.TB, settings setting.Map) *testFilter {
	t.Helper()
	all := setting.Map{"inspect_budget": "off"}
	maps.Copy(all, settings)
	f, err := open(all, func(level telemetry.Level, line string) { t.Log(level, line) })
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	return f
}

func (f *testFilter) Close() error {
	f.Pipeline.Close()
	f.rules.Stop()
	return errors.Join(f.meter.Close(), f.rules.Release())
}

func (f *testFilter) Counts() telemetry.Counts { return f.counts.Read() }

func process(f *testFilter, chunk []byte, tag string) *Outcome {
	var out Outcome
	f.Process(chunk, tag, &out)
	return &out
}

// ruleFor is a rule that alerts on a path.
func ruleFor(path string) string {
	return fmt.Sprintf("SecRule REQUEST_URI \"@contains /%s\" \"id:1,phase:1,deny,severity:CRITICAL\"\n", path)
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(name, []byte(text), 0o644))
}
