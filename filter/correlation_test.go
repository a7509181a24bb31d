package filter

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tinylib/msgp/msgp"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// attackers are chunks of a log in which one source attacks, among clean requests of others, with the times of events.
func attackers(t testing.TB, chunks int) (all [][]byte) {
	return attackersRead(t, chunks, func(at time.Time) time.Time { return at }, "")
}

// attackersRead are attackers with events of the time at which each record was read, and records that name their time in a layout.
func attackersRead(t testing.TB, chunks int, read func(time.Time) time.Time, layout string) (all [][]byte) {
	at := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	payloads := []string{"1'%20OR%20'1'='1", "<script>alert(1)</script>", "../../etc/passwd", ";cat%20/etc/passwd", "1%20UNION%20SELECT%20a%20FROM%20b"}
	for c := range chunks {
		var chunk []byte
		for n := range 20 {
			at = at.Add(time.Second)
			source, uri := fmt.Sprintf("198.51.100.%d", n), fmt.Sprintf("/items/%d", c*20+n)
			if n%10 == 7 {
				source, uri = "203.0.113.9", fmt.Sprintf("/items/%d?q=%s&token=s3cr3t-value", n, payloads[(c+n)%len(payloads)])
			}
			chunk = record.AppendHead(chunk, read(at))
			body := msgp.AppendMapHeader(nil, 9)
			for _, p := range [][2]string{{"BEGIN_TIME", at.Format(layout)}, {"L7_PROTOCOL", "http"}, {"SRC_IP", source}, {"DST_IP", "10.2.0.7"}, {"DST_PORT", "80"}, {"METHOD", "GET"}, {"URL", uri},
				{"RETCODE", "200"}, {"REQ_HEADER", "GET " + uri + " HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: agent\r\nAccept: */*\r\n\r\n"}} {
				body = msgp.AppendString(msgp.AppendString(body, p[0]), p[1])
			}
			chunk = append(chunk, body...)
		}
		all = append(all, chunk)
	}
	return all
}

// told returns the events about incidents, and the ids of incidents that alerts name.
func correlatedIn(t testing.TB, f *Filter, chunks [][]byte) (events []string, named map[string]int) {
	named = map[string]int{}
	for _, chunk := range chunks {
		out := process(f, chunk, "nano")
		for i := range out.Emits {
			e := &out.Emits[i]
			text := string(e.Message().JSON)
			if e.Tag == "incident" {
				events = append(events, text)
				continue
			}
			var flat map[string]string
			require.NoError(t, json.Unmarshal([]byte(text), &flat))
			named[flat["incident_id"]]++
		}
	}
	return events, named
}

var withIncidents = setting.Map{"incidents": "on", "incident_tag": "incident", "emit_tag": "alert"}

func TestAlertsNameTheIncidentThatTheyBelongTo(t *testing.T) {
	f := newFilter(t, withIncidents)
	events, named := correlatedIn(t, f, attackers(t, 8))
	require.NotEmpty(t, events)
	var event map[string]string
	require.NoError(t, json.Unmarshal([]byte(events[0]), &event))
	require.Equal(t, "open", event["incident_status"])
	require.Equal(t, "203.0.113.9", event["sources"])
	require.Equal(t, "10.2.0.7:80", event["targets"])
	require.Equal(t, "campaign", event["incident_kinds"])
	require.NotContains(t, strings.Join(events, ""), "s3cr3t", "samples are redacted")
	require.Len(t, named, 2, "the first alerts belong to none yet")
	require.Greater(t, named[event["incident_id"]], 10)

	counts := f.Counts()
	require.Equal(t, uint64(16), counts.Alerts)
	require.True(t, f.IsEmitTag("incident"), "its own events are no records")
}

func TestRecordsCarryTheIncident(t *testing.T) {
	f := newFilter(t, setting.Map{"incidents": "on", "incident_tag": "incident"})
	chunks, last := attackers(t, 8), ""
	for _, chunk := range chunks {
		out := process(f, chunk, "nano")
		require.True(t, out.Changed)
		last = string(out.Data)
	}
	require.Contains(t, last, "incident")
}

// The same records give the same incidents on one core and many, in one chunk or many, and before and after a restart with a state file.
func TestIncidentsDoNotDependOnHowRecordsCome(t *testing.T) {
	chunks := attackers(t, 8)
	once, _ := correlatedIn(t, newFilter(t, withIncidents), chunks)
	require.NotEmpty(t, once)

	before := runtime.GOMAXPROCS(1)
	alone, _ := correlatedIn(t, newFilter(t, withIncidents), chunks)
	runtime.GOMAXPROCS(before)
	require.Equal(t, once, alone)

	var all []byte
	for _, chunk := range chunks {
		all = append(all, chunk...)
	}
	together, _ := correlatedIn(t, newFilter(t, withIncidents), [][]byte{all})
	require.Equal(t, once, together)

	kept := setting.Map{"incidents": "on", "incident_tag": "incident", "emit_tag": "alert", "incident_state": filepath.Join(t.TempDir(), "state")}
	first, err := New(testHost, kept, quiet)
	require.NoError(t, err)
	parts, _ := correlatedIn(t, first, chunks[:3])
	require.NoError(t, first.Close())
	second, err := New(testHost, kept, quiet)
	require.NoError(t, err)
	more, _ := correlatedIn(t, second, chunks[3:])
	require.NoError(t, second.Close())
	require.Equal(t, once, append(parts, more...))
}

// A log that is read from its beginning is read within seconds. Times that name no zone could be of any hour.
func TestRecordsThatAreReadLateCountWhenTheyWereWritten(t *testing.T) {
	once, _ := correlatedIn(t, newFilter(t, withIncidents), attackers(t, 8))
	now := time.Date(2026, 3, 3, 9, 0, 0, 0, time.UTC)
	for layout, late := range map[string]time.Time{time.RFC3339: now, time.RFC1123Z: now.Add(time.Hour), time.DateTime: now} {
		got, _ := correlatedIn(t, newFilter(t, withIncidents), attackersRead(t, 8, func(time.Time) time.Time { return late }, layout))
		if layout == time.DateTime {
			require.NotEqual(t, seenIn(t, once), seenIn(t, got))
		} else {
			require.Equal(t, seenIn(t, once), seenIn(t, got), layout)
		}
	}
}

// seenIn returns when incidents began and ended, and what they are about. Their samples name alerts, whose ids depend on the record.
func seenIn(t *testing.T, events []string) (all [][4]string) {
	t.Helper()
	for _, text := range events {
		var e map[string]string
		require.NoError(t, json.Unmarshal([]byte(text), &e))
		all = append(all, [4]string{e["incident_id"], e["first_seen"], e["last_seen"], e["msg"]})
	}
	return all
}

func quiet(Level, string) {}

func TestIncidentsAloneCanBeSent(t *testing.T) {
	f := newFilter(t, setting.Map{"incidents": "on", "incident_tag": "incident", "emit_tag": "alert", "alert_detail": "incidents"})
	events, named := correlatedIn(t, f, attackers(t, 8))
	require.NotEmpty(t, events)
	require.Empty(t, named)
	require.Equal(t, f.Counts().Alerts, f.Counts().Suppressed)
}

func TestIncidentsAreFoundBesideThePipeline(t *testing.T) {
	f := newFilter(t, setting.Map{"incidents": "on", "incident_tag": "incident", "emit_tag": "alert", "mode": "async", "alert_key": "off"})
	chunks := attackers(t, 8)
	events, _ := correlatedIn(t, f, chunks)
	require.Eventually(t, func() bool {
		for _, e := range f.Due(nil) {
			if e.Tag == "incident" {
				events = append(events, string(e.Message().JSON))
			}
		}
		return len(events) > 0
	}, 10*time.Second, 20*time.Millisecond)
}

func TestAnOutputThatTriesAgainCountsRecordsOnce(t *testing.T) {
	var out strings.Builder
	o, err := NewOutput("", testHost, setting.Map{"incidents": "on", "alert_to": "stdout"}, quiet, &out)
	require.NoError(t, err)
	chunks := attackers(t, 8)
	for _, chunk := range chunks {
		for range 3 { // the destination does not take it in time
			_ = o.filter.pipeline.Alerts(chunk, "nano", batchName(chunk, "nano"))
		}
		require.NoError(t, o.Flush(context.Background(), chunk, "nano"))
	}
	require.NoError(t, o.Close())
	require.Equal(t, 1, strings.Count(out.String(), `"incident_status":"open"`))
}

func TestFilesThatCannotKeepAStatePreventStartup(t *testing.T) {
	dir := t.TempDir()
	database := filepath.Join(dir, "tail.db")
	require.NoError(t, os.WriteFile(database, []byte("SQLite format 3\x00"), 0o600))
	socket := filepath.Join(dir, "socket")
	listener, err := net.Listen("unix", socket)
	require.NoError(t, err)
	defer listener.Close()
	for path, want := range map[string]string{
		dir:                               dir + ": is a directory (want a file)",
		database:                          database + ": is not a state file (want a state file, or a name that no file has)",
		filepath.Join(dir, "none", "new"): "no file can be created in " + dir + "/none: no such file or directory",
		socket:                            socket + ": is not a regular file (want a file)",
	} {
		for _, more := range []string{"incident_tag", "incident_digest_tag"} {
			_, err := NewNamed("", testHost, setting.Map{"incidents": "on", more: "i", "incident_state": path}, quiet)
			require.ErrorContains(t, err, "property incident_state: "+path)
			require.ErrorContains(t, err, want)
		}
	}
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 2, "nothing is renamed or created")
}

// What a power failure leaves of a state is set aside, as the page says.
func TestADamagedStateDoesNotPreventStartup(t *testing.T) {
	for name, text := range map[string]string{"cut": "WAFI", "empty": "", "lost": strings.Repeat("\x00", 1000)} {
		path := filepath.Join(t.TempDir(), "state")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		f, err := NewNamed("", testHost, setting.Map{"incidents": "on", "incident_tag": "i", "incident_state": path}, quiet)
		require.NoError(t, err, name)
		require.NoError(t, f.Close())
	}
}

// A file that a filter of the other kind has written is set aside, whichever it is.
func TestAStateOfTheOtherKindIsSetAside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	for _, tag := range []string{"incident_tag", "incident_digest_tag", "incident_tag"} {
		var log journal
		f, err := NewNamed("", testHost, setting.Map{"incidents": "on", tag: "i", "incident_state": path}, log.log)
		require.NoError(t, err)
		require.NoError(t, f.Close())
		if before, err := os.ReadFile(path + ".bad"); err == nil {
			require.Contains(t, log.String(), "renamed to "+path+".bad")
			require.Equal(t, tag == "incident_digest_tag", strings.HasPrefix(string(before), "WAFINC"))
		}
	}
	require.FileExists(t, path+".bad")
}

func TestEachMistakenThresholdIsOneProblem(t *testing.T) {
	rules := file(t, "campaign:\n  windw: 60s\n  records: 0\n")
	_, err := NewNamed("", testHost, setting.Map{"incidents": "on", "incident_tag": "i", "incident_rules": rules}, quiet)
	require.EqualError(t, err, "property incident_rules: "+rules+":2: unknown threshold campaign.windw (did you mean window?)\n"+
		"property incident_rules: "+rules+":3: campaign.records: 0 is out of range (expected more than 0)")
}

// Nodes may have another digest_every than an aggregator knows of.
func TestAnAggregatorThatMayNotWaitLongEnoughIsWarnedOf(t *testing.T) {
	for text, want := range map[string]string{
		"digest_wait: 20s":                   "digest_wait 20s is too short for digest_every 30s (want 42s or more)",
		"digest_every: 60s":                  "digest_wait 45s is too short for digest_every 1m",
		"digest_wait: 20s\ndigest_every: 3s": "",
	} {
		for _, tag := range []string{"incident_tag", "incident_digest_tag"} {
			var log journal
			f, err := NewNamed("", testHost, setting.Map{"incidents": "on", tag: "i", "incident_rules": file(t, text)}, log.log)
			require.NoError(t, err)
			require.NoError(t, f.Close())
			if want == "" || tag == "incident_digest_tag" {
				require.NotContains(t, log.String(), "digest_wait")
				continue
			}
			require.Contains(t, log.String(), want)
		}
	}
}

func TestTwoFiltersDoNotShareAState(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "state"), filepath.Join(dir, "link")
	require.NoError(t, os.Symlink(dir, link))
	host := newHost(t)
	start := func(name, state string) (*Filter, error) {
		return NewNamed(name, host, setting.Map{"incidents": "on", "incident_tag": "i", "incident_state": state}, quiet)
	}
	first, err := start("filter waf.0", file)
	require.NoError(t, err)
	for _, same := range []string{file, filepath.Join(dir, ".", "state"), filepath.Join(link, "state")} {
		_, err = start("filter waf.1", same)
		require.EqualError(t, err, "property incident_state: "+file+": filter waf.0 keeps its state there (want a file of its own)")
		_, err = NewOutput("output waf.0", host, setting.Map{"incidents": "on", "alert_to": "stdout", "incident_state": same}, quiet, &strings.Builder{})
		require.ErrorContains(t, err, "filter waf.0 keeps its state there")
	}
	other, err := start("filter waf.1", filepath.Join(dir, "other"))
	require.NoError(t, err)
	again, err := start("filter waf.0", file)
	require.NoError(t, err, "a host that starts a filter again has not ended it yet")
	require.NoError(t, first.Close())
	_, err = start("filter waf.1", file)
	require.ErrorContains(t, err, "keeps its state there", "it is that of the filter that was started again")
	require.NoError(t, again.Close())
	last, err := start("filter waf.1", file)
	require.NoError(t, err)
	for _, f := range []*Filter{other, last} {
		require.NoError(t, f.Close())
	}
}

func TestIncidentPropertiesThatMeanNothingPreventStartup(t *testing.T) {
	for want, settings := range map[string]setting.Map{
		"property incidents: on requires incident_tag":   {"incidents": "on"},
		"property incident_state: requires incidents on": {"incident_state": "/tmp/x"},
		"property alert_detail: requires incidents on":   {"alert_detail": "incidents"},
		`property incident_tag: malformed tag "a.$TAG"`:  {"incidents": "on", "incident_tag": "a.$TAG"},
		`property incident_exclude: exclusion "who=me"`:  {"incidents": "on", "incident_tag": "i", "incident_exclude": "who=me"},
		"property incident_learning: 1s is out of range": {"incidents": "on", "incident_tag": "i", "incident_learning": "1s"},
	} {
		_, err := NewNamed("", testHost, settings, quiet)
		require.ErrorContains(t, err, want)
	}
	_, err := NewOutput("", testHost, setting.Map{"incidents": "on", "alert_to": "stdout", "incident_tag": "x"}, quiet, &strings.Builder{})
	require.ErrorContains(t, err, "belongs to the filter waf")
}
