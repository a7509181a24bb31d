package filter

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	coreruleset "github.com/corazawaf/coraza-coreruleset/v4"
	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/testsize"
)

// quick is an interval at which tests need not wait long.
const quick = "100ms"

// journal is a log that can be read while it is written.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) log(level Level, line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, fmt.Sprint(level, " ", line))
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Join(j.lines, "\n")
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	require.Eventually(t, done, 30*time.Second, 5*time.Millisecond, what)
}

// ruleFor is a rule that alerts on a path.
func ruleFor(path string) string {
	return fmt.Sprintf("SecRule REQUEST_URI \"@contains /%s\" \"id:1,phase:1,deny,severity:CRITICAL\"\n", path)
}

// writeFile replaces a file at once: a watch that looks in between would see an empty one.
func writeFile(t *testing.T, name, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(name+".new", []byte(text), 0o644))
	require.NoError(t, os.Rename(name+".new", name))
}

func TestChangedRulesTakeOverAndBrokenOnesDoNot(t *testing.T) {
	file := filepath.Join(t.TempDir(), "own.conf")
	writeFile(t, file, ruleFor("one"))
	var log journal
	host := newHost(t)
	f, err := NewNamed("waf.0", host, setting.Map{"rules": file, "reload_interval": quick, "inspect_budget": "off"}, log.log)
	require.NoError(t, err)
	alerts := func(path string) bool { return process(f, clean("/"+path), "nano").Changed }
	require.True(t, alerts("one"))

	writeFile(t, file, ruleFor("two"))
	eventually(t, "the new rule", func() bool { return alerts("two") })
	require.False(t, alerts("one"))
	eventually(t, "a line in the log", func() bool { return strings.Contains(log.String(), "3 rules were reloaded in ") })
	require.Contains(t, log.String(), "3 compared with the previous rules: 1 changed (1)")

	writeFile(t, file, "SecRule broken")
	eventually(t, "an error in the log", func() bool { return strings.Contains(log.String(), "STAY IN USE") })
	require.Contains(t, log.String(), "1 reload of rules: "+file+":1")
	require.True(t, alerts("two"))

	writeFile(t, file, ruleFor("two"))
	eventually(t, "no change", func() bool { return strings.Contains(log.String(), "rule files were written without changes") })
	require.NoError(t, os.Remove(file))
	eventually(t, "another error", func() bool { return strings.Count(log.String(), "STAY IN USE") == 2 })
	require.True(t, alerts("two"))

	writeFile(t, file, ruleFor("three"))
	eventually(t, "the last rule", func() bool { return alerts("three") })
	eventually(t, "the count", func() bool { return f.rules.Reloads().Done == 2 })
	require.EqualValues(t, 2, f.rules.Reloads().Failed)
	require.EqualValues(t, 1, f.rules.Reloads().Unchanged)
	require.NoError(t, f.Close())

	writeFile(t, file, "SecRule broken")
	f, err = NewNamed("waf.0", host, setting.Map{"rules": file, "inspect_budget": "off"}, log.log)
	require.NoError(t, err)
	require.True(t, alerts("three"), "the last good rules of an instance are those of its last reload")
	require.NoError(t, f.Close())
}

func TestFiltersWhoseRulesChangeTogetherShareTheNewSet(t *testing.T) {
	file := filepath.Join(t.TempDir(), "own.conf")
	writeFile(t, file, ruleFor("one"))
	filters := make([]*Filter, 3)
	for i := range filters {
		filters[i] = newFilter(t, setting.Map{"rules": file, "reload_interval": quick})
	}
	writeFile(t, file, ruleFor("two"))
	for _, f := range filters {
		eventually(t, "the new rule", func() bool { return f.rules.Reloads().Done == 1 })
		require.Same(t, filters[0].rules.Set(), f.rules.Set())
	}
}

func TestReloadIntervalIsChecked(t *testing.T) {
	for text, want := range map[string]string{
		"soon":       `malformed time "soon" (want off, or a time such as 10s or 5m, at least 100ms)`,
		"10 parsecs": `malformed time "10 parsecs"`,
		"-1s":        "-1s is out of range (at least 100ms, or off)",
		"1ms":        "1ms is out of range (at least 100ms, or off)",
	} {
		_, err := New(testHost, setting.Map{"reload_interval": text}, discard)
		require.ErrorContains(t, err, "property reload_interval: "+want)
	}
	var log journal
	f, err := New(testHost, setting.Map{"reload_interval": "10"}, log.log)
	require.NoError(t, err)
	require.Contains(t, log.String(), "no rule is from a file")
	require.NoError(t, f.Close())
}

// coreRules writes the Core Rule Set into a directory with a file of own rules at its end, and returns the property and the file.
func coreRules(t *testing.T) (property, own string) {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, coreruleset.FS))
	own = filepath.Join(dir, "own.conf")
	writeFile(t, own, ruleFor("0"))
	return strings.Join([]string{
		filepath.Join(dir, "@crs-setup.conf.example"), filepath.Join(dir, "@owasp_crs", "*.conf"), own,
	}, ","), own
}

// longestWait is how long records may wait for a reload.
const longestWait = 50 * time.Millisecond

// fullLoad is from how many runnable processes a core on the time that a record takes is that of waiting for a core.
const fullLoad = 3

// loadOfCores returns how many processes wanted each core in the last minute.
func loadOfCores(t *testing.T) float64 {
	t.Helper()
	text, err := os.ReadFile("/proc/loadavg")
	require.NoError(t, err)
	var load float64
	_, err = fmt.Sscan(string(text), &load)
	require.NoError(t, err)
	return load / float64(runtime.NumCPU())
}

// The machine may be busy with other things for longer than a record may wait: what records wait without a reload is on top of
// what they may wait for one, and the best of some reloads counts.
func TestNoRecordIsLostOrWaitsLongForAReload(t *testing.T) {
	const attempts = 6
	property, own := coreRules(t)
	f := newFilter(t, setting.Map{"rules": property, "reload_interval": quick})
	attack := clean("/?f=../../etc/passwd")
	sent, alerts := 0, 0
	var out Outcome
	// flow sends records until something has come about, and returns the longest that one took.
	flow := func(done func() bool) (wait time.Duration) {
		for !done() {
			chunk := browserEvent(sent, sent%2 == 0)
			if sent%50 == 0 {
				chunk = attack
			}
			start := time.Now()
			f.Process(chunk, "nano", &out)
			wait = max(wait, time.Since(start))
			sent++
			if out.Changed {
				alerts++
			}
			time.Sleep(200 * time.Microsecond)
			require.Less(t, sent, 1_000_000, "no reload")
		}
		return wait
	}
	var added []time.Duration // by each reload
	for attempt := range attempts {
		end := time.Now().Add(500 * time.Millisecond)
		without := flow(func() bool { return time.Now().After(end) })
		before := f.rules.Reloads().Done
		writeFile(t, own, ruleFor(fmt.Sprint(attempt+1)))
		with := flow(func() bool { return f.rules.Reloads().Done > before })
		t.Logf("longest wait of a record: %v, in a reload %v", without, with)
		if added = append(added, with-without); with-without < longestWait && attempt >= 1 {
			break
		}
	}
	if load := loadOfCores(t); load > fullLoad {
		t.Logf("%.1f processes want each core: how long records waited (%v) says nothing of reloads", load, added)
	} else {
		require.Less(t, slices.Min(added), longestWait, "in each reload: %v", added)
	}
	counts := f.Counts()
	require.EqualValues(t, sent, counts.Records)
	require.EqualValues(t, sent-alerts, counts.Clean)
	require.EqualValues(t, alerts, counts.Alerts)
	require.Equal(t, (sent+49)/50, alerts, "every attack is found, whatever the rules are")
}

// A rule set takes some 15 MB; what stays of each would show after a few.
func TestReloadsLeaveNothingBehind(t *testing.T) {
	const warmUp, grows = 6, 4 << 20
	reloads := testsize.Of(20, 50)
	dir := t.TempDir()
	data := filepath.Join(dir, "words.data")
	own := filepath.Join(dir, "own.conf")
	many := func(n int) string {
		var b strings.Builder
		b.WriteString(`SecRule ARGS "@pmFromFile words.data" "id:1,phase:2,deny,severity:2"` + "\n")
		for i := range 60 {
			fmt.Fprintf(&b, "SecRule ARGS:a%d \"@rx (?:select|union|%d).{1,50}from%d\" \"id:%d,phase:2,deny,severity:2\"\n", i, n, n, 100+i)
		}
		return b.String()
	}
	broken := 0
	change := func(n int) {
		text := many(n)
		if n%3 == 0 {
			broken++
			text += "SecRule ARGS \"@rx (?=broken\" \"id:9,phase:2,deny\"\n"
		}
		writeFile(t, data, strings.Repeat(fmt.Sprintf("word%d\n", n), 100))
		writeFile(t, own, text)
	}
	change(1)
	f := newFilter(t, setting.Map{"rules": own, "reload_interval": "24h"})
	reload := func(n int) {
		change(n)
		process(f, browserEvent(n, true), "nano")
		f.rules.Reload()
	}
	for n := range warmUp {
		reload(2 + n)
	}
	before, goroutines := heap(), runtime.NumGoroutine()
	for n := range reloads {
		reload(2 + warmUp + n)
	}
	grown := heap() - before
	t.Logf("%d bytes more after %d reloads", grown, reloads)
	require.Greater(t, broken, reloads/4)
	require.EqualValues(t, broken, f.rules.Reloads().Failed)
	require.EqualValues(t, warmUp+reloads-broken, f.rules.Reloads().Done)
	require.Less(t, grown, int64(grows))
	for end := time.Now().Add(30 * time.Second); runtime.NumGoroutine() > goroutines && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
	}
	require.LessOrEqual(t, runtime.NumGoroutine(), goroutines)
}

func TestReloadsWhileManyThreadsEvaluate(t *testing.T) {
	file := filepath.Join(t.TempDir(), "own.conf")
	writeFile(t, file, ruleFor("0"))
	f := newFilter(t, setting.Map{"rules": file, "reload_interval": "24h"})
	stop := make(chan struct{})
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			var out Outcome
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
					f.Process(clean(fmt.Sprint("/", i%20)), "nano", &out)
					time.Sleep(100 * time.Microsecond) // the rules are compiled sooner
				}
			}
		})
	}
	for n := range 5 {
		writeFile(t, file, ruleFor(fmt.Sprint(n+1)))
		f.rules.Reload()
		require.EqualValues(t, n+1, f.rules.Reloads().Done)
	}
	close(stop)
	group.Wait()
	counts := f.Counts()
	require.EqualValues(t, counts.Records, counts.Clean+counts.Alerts)
	require.Zero(t, counts.Panics)
	require.Positive(t, counts.Alerts)
}
