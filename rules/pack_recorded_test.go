package rules

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corpus"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/recorded"
)

// recordedTraffic records what no generator has written: browsers and crawlers over the documentation that is installed, as many
// pages as RECORDED says, every tenth in the browser, and always webhooks, clients of the web and tools of operators.
func recordedTraffic(t *testing.T) (records []corpus.Record) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 25*time.Minute)
	defer cancel()
	pages, _ := strconv.Atoi(os.Getenv("RECORDED"))
	all := recorded.Pages()
	all = all[:min(pages, len(all))]
	for name, record := range map[string]func() ([]corpus.Record, error){
		"webhooks": func() ([]corpus.Record, error) { return recorded.Webhooks(ctx) },
		"clients":  func() ([]corpus.Record, error) { return recorded.Clients(ctx) },
		"browser":  func() ([]corpus.Record, error) { return recorded.Browse(ctx, all[:len(all)/10]) },
		"crawler":  func() ([]corpus.Record, error) { return recorded.Crawl(ctx, all) },
	} {
		found, err := record()
		if err != nil {
			t.Logf("%s: %v", name, err) // not installed, or cut short
		}
		records = append(records, found...)
	}
	return records
}

// recordingPath is a recording of webhooks, clients and tools, one record a line.
const recordingPath = "testdata/recorded.ndjson"

// keepRecording writes the recording anew, without pages of others.
func keepRecording(t *testing.T, records []corpus.Record) {
	t.Helper()
	var b bytes.Buffer
	to := json.NewEncoder(&b)
	to.SetEscapeHTML(false)
	for i := range records {
		if records[i].Kind != "browser" && records[i].Kind != "crawler" {
			require.NoError(t, to.Encode(&records[i]))
		}
	}
	require.NoError(t, os.MkdirAll("testdata", 0o755))
	require.NoError(t, os.WriteFile(recordingPath, b.Bytes(), 0o644))
}

func TestPacksAreQuietOnTheRecordingOfClientsAndTools(t *testing.T) {
	text, err := os.ReadFile(recordingPath)
	require.NoError(t, err)
	settings := ownOnly(t)
	settings["exclude_rules"] = "200000-200099"
	set, records := open(t, settings), 0
	for line := range bytes.Lines(text) {
		var r corpus.Record
		require.NoError(t, json.Unmarshal(line, &r))
		records++
		v, err := set.Inspect(fromCorpus(t, &r))
		require.NoError(t, err)
		require.False(t, v.Blocked, "%s: %s %s: %v", r.Kind, r.Method, r.Target, ids(v))
	}
	require.Greater(t, records, 180)
}

// The packs alert on fewer than one in 2,000 records of traffic that was recorded: make recorded.
func TestPacksAreQuietOnRecordedTraffic(t *testing.T) {
	if os.Getenv("RECORDED") == "" {
		t.Skip("RECORDED is not set to a number of pages")
	}
	settings := ownOnly(t)
	settings["exclude_rules"] = "200000-200099" // the engine's own rules about bodies are not those of the packs
	set := open(t, settings)
	records := recordedTraffic(t)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		keepRecording(t, records)
	}
	kinds, alerts, matches := map[string]int{}, 0, 0
	byRule := map[int]int{}
	for i := range records {
		kinds[records[i].Kind]++
		v, err := set.Inspect(fromCorpus(t, &records[i]))
		require.NoError(t, err)
		for _, m := range v.Matches {
			byRule[m.Rule.ID]++
		}
		if len(v.Matches) > 0 {
			matches++
		}
		if v.Blocked {
			alerts++
			t.Logf("%s: %s %s: %v", records[i].Kind, records[i].Method, records[i].Target, v.Matches[0].Wording())
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		t.Logf("%7d %s", kinds[kind], kind)
	}
	t.Logf("%d records: %d alerts, %d with a match; by rule: %v", len(records), alerts, matches, byRule)
	require.NotEmpty(t, records)
	require.LessOrEqual(t, 2000*alerts, len(records), "alerts")
}
