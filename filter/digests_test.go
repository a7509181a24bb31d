package filter

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

var (
	asNode       = setting.Map{"incidents": "on", "incident_digest_tag": "digest", "emit_tag": "alert"}
	asAggregator = setting.Map{"incidents": "on", "incident_tag": "incident"}
)

// digestsOf returns the events with digests of chunks that nodes get in turns.
func digestsOf(t testing.TB, nodes int, chunks [][]byte) (all [][]byte) {
	t.Helper()
	var filters []*Filter
	for range nodes {
		filters = append(filters, newFilter(t, asNode))
	}
	take := func(emits []Emit) {
		for _, e := range emits {
			if e.Tag == "digest" {
				all = append(all, e.Event)
				continue
			}
			require.Equal(t, "alert", e.Tag)
			require.NotContains(t, string(e.Event), "incident_id")
		}
	}
	for i, chunk := range chunks {
		take(process(filters[i%nodes], chunk, "nano").Emits)
	}
	for _, f := range filters {
		take(f.Left())
		require.True(t, f.IsEmitTag("digest"))
	}
	require.GreaterOrEqual(t, len(all), nodes)
	return all
}

// incidentsIn returns the events about incidents that an aggregator makes of chunks, as JSON.
func incidentsIn(t testing.TB, f *Filter, chunks [][]byte) (events []string) {
	t.Helper()
	emits := []Emit{}
	for _, chunk := range chunks {
		out := process(f, chunk, "digest")
		require.False(t, out.Changed, "digests go on as they came")
		emits = append(emits, out.Emits...)
	}
	for _, e := range append(emits, f.Left()...) {
		require.Equal(t, "incident", e.Tag)
		events = append(events, string(e.Message().JSON))
	}
	return events
}

// inAnyOrder returns events without the order in their lists, which begin with what came first: nodes here send all that they have one after the
// other.
func inAnyOrder(t testing.TB, events []string) (all []map[string]string) {
	t.Helper()
	for _, text := range events {
		var event map[string]string
		require.NoError(t, json.Unmarshal([]byte(text), &event))
		for _, name := range []string{"rules", "categories", "sample_alerts"} {
			list := strings.Split(event[name], ",")
			slices.Sort(list)
			event[name] = strings.Join(list, ",")
		}
		all = append(all, event)
	}
	return all
}

func TestAnAggregatorFindsTheIncidentsOfAllNodes(t *testing.T) {
	chunks := attackers(t, 8)
	want := incidentsIn(t, newFilter(t, asAggregator), digestsOf(t, 1, chunks))
	require.NotEmpty(t, want)
	var event map[string]string
	require.NoError(t, json.Unmarshal([]byte(want[0]), &event))
	require.Equal(t, "203.0.113.9", event["sources"])
	require.NotContains(t, strings.Join(want, ""), "s3cr3t", "samples are redacted")

	f := newFilter(t, asAggregator)
	digests := digestsOf(t, 4, chunks)
	got := incidentsIn(t, f, append(digests, digests[1], digests[3]))
	require.Equal(t, inAnyOrder(t, want), inAnyOrder(t, got))
	require.Equal(t, uint64(len(digests)+2), f.Counts().Skipped)
	require.Zero(t, f.Counts().NotHTTP)
}

func TestADigestThatIsNotOursIsRefused(t *testing.T) {
	digests := digestsOf(t, 1, attackers(t, 8))
	var problems []string
	f, err := New(testHost, setting.Map{"incidents": "on", "incident_tag": "incident", "incident_rules": file(t, "salt: another\n")}, func(level Level, line string) {
		if level == LevelWarn {
			problems = append(problems, line)
		}
	})
	require.NoError(t, err)
	defer f.Close()
	require.Empty(t, incidentsIn(t, f, digests), "it is signed with another salt")
	require.Empty(t, incidentsIn(t, f, [][]byte{pairs("waf_digest", "AQ"), pairs("waf_digest", "no base64!")}))
	require.Len(t, problems, 1, "the others are counted")
	require.Contains(t, problems[0], "a digest is ignored: digest: wrong signature")
}

func file(t testing.TB, text string) string {
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// A node that ends before it could send its digests sends them after its next start, and so does one that is killed after that: an aggregator
// that starts again knows them.
func TestDigestsOutliveRestarts(t *testing.T) {
	dir, chunks := t.TempDir(), attackers(t, 12)
	node := setting.Map{"incidents": "on", "incident_digest_tag": "digest", "incident_state": filepath.Join(dir, "node")}
	first, err := New(testHost, node, quiet)
	require.NoError(t, err)
	var digests [][]byte
	for _, chunk := range chunks[:2] { // the time of the second attack is still to be decided on
		for _, e := range process(first, chunk, "nano").Emits { // half a minute may just be over
			digests = append(digests, e.Event)
		}
	}
	require.NoError(t, first.Close())
	for range 2 {
		killed, err := New(newHost(t), node, quiet)
		require.NoError(t, err)
		for _, e := range killed.Due(nil) {
			digests = append(digests, e.Event)
		}
	}
	require.GreaterOrEqual(t, len(digests), 2)
	last, later := len(digests)-1, digestsOf(t, 1, chunks[9:])
	found := func(f *Filter, chunks [][]byte) (events []string) {
		for _, chunk := range chunks {
			for _, e := range process(f, chunk, "digest").Emits {
				events = append(events, string(e.Message().JSON))
			}
		}
		return events
	}
	want := found(newFilter(t, asAggregator), append(digests[:last:last], later...))
	require.NotEmpty(t, want)

	aggregator := setting.Map{"incidents": "on", "incident_tag": "incident", "incident_state": filepath.Join(dir, "aggregator")}
	one, err := New(testHost, aggregator, quiet)
	require.NoError(t, err)
	got := found(one, digests[:last])
	require.Less(t, len(got), len(want), "it waits for those of other nodes")
	require.NoError(t, one.Close())
	require.Equal(t, want, append(got, found(newFilter(t, aggregator), append(digests[last:], later...))...))
}

func TestADigestThatTheHostDoesNotTakeIsSentAgain(t *testing.T) {
	f := newFilter(t, asNode)
	process(f, attackers(t, 1)[0], "nano")
	left := f.Left()
	require.Len(t, left, 1)
	f.EmitFailed(&left[0])
	require.Zero(t, f.Counts().Failed)
	again := f.Due(nil)
	require.Len(t, again, 1)
	require.Equal(t, left[0].Message().JSON, again[0].Message().JSON)
}

func TestDigestsThatTheHostDoesNotTakeForAnHourAreCounted(t *testing.T) {
	f := measured(t, "waf.digests", asNode)
	process(f, attackers(t, 1)[0], "nano")
	left := f.Left()
	for range 125 {
		f.EmitFailed(&left[0])
	}
	require.Len(t, f.Due(nil), 120)
	values, _ := scrape(t, f)
	require.EqualValues(t, 5, values["waf_digests_total{lost}"])
}

func TestAnOutputDeliversDigestsAndMergesThem(t *testing.T) {
	var sent, found strings.Builder
	o, err := NewOutput("", testHost, setting.Map{"incidents": "on", "incident_digest_tag": "digest", "alert_to": "stdout"}, quiet, &sent)
	require.NoError(t, err)
	for _, chunk := range attackers(t, 8) {
		require.NoError(t, o.Flush(context.Background(), chunk, "nano"))
	}
	require.NoError(t, o.Close())
	lines := strings.Split(strings.TrimSpace(sent.String()), "\n")
	last := lines[len(lines)-1]
	require.Contains(t, last, `{"waf_digest":"`)
	var record map[string]string
	require.NoError(t, json.Unmarshal([]byte(last), &record))

	o, err = NewOutput("", testHost, setting.Map{"incidents": "on", "alert_to": "stdout"}, quiet, &found)
	require.NoError(t, err)
	require.NoError(t, o.Flush(context.Background(), pairs("waf_digest", record["waf_digest"]), "digest"))
	require.NoError(t, o.Close())
	require.Equal(t, 1, strings.Count(found.String(), `"incident_status":"open"`))
}

func TestDigestsHaveADestination(t *testing.T) {
	for to, sends := range map[string]map[bool]string{
		"forward://host?tag=t&only=digests":                   {false: `property alert_to: destination "forward://host": nothing sends digests for only=digests (want incident_digest_tag)`},
		"stdout, forward://host?tag=t&only=digests":           {false: "nothing sends digests"},
		"syslog+udp://host,gelf+tcp://host":                   {true: "property alert_to: no destination takes the digests of incident_digest_tag: syslog and GELF"},
		"SYSLOG+udp://host":                                   {true: "no destination takes"},
		"syslog+udp://host, stdout":                           {},
		"syslog+udp://host,forward://host?tag=t&only=digests": {false: "nothing sends digests"},
	} {
		for _, sent := range []bool{false, true} {
			settings := setting.Map{"incidents": "on", "alert_to": to}
			if sent {
				settings["incident_digest_tag"] = "digest"
			}
			o, err := NewOutput("", testHost, settings, quiet, io.Discard)
			if want := sends[sent]; want != "" {
				require.ErrorContains(t, err, want, to)
				continue
			}
			require.NoError(t, err, to)
			require.NoError(t, o.Close())
		}
	}
}

func TestDigestsTakeThePlaceOfIncidents(t *testing.T) {
	for want, settings := range map[string]setting.Map{
		"property incident_digest_tag: digests take the place": {"incidents": "on", "incident_tag": "i", "incident_digest_tag": "d"},
		"property incident_digest_tag: requires incidents on":  {"incident_digest_tag": "d"},
		`property incident_digest_tag: malformed tag "a b"`:    {"incidents": "on", "incident_digest_tag": "a b"},
	} {
		_, err := NewNamed("", testHost, settings, quiet)
		require.ErrorContains(t, err, want)
	}
}
