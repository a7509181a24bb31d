package rules

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corpus"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

// cleanRecords is how many records without an attack the packs have to judge.
const cleanRecords = 20_000

// falseMatches counts the records of a part of the corpus that alert, and those on which a rule matches.
func falseMatches(t *testing.T, settings setting.Map, step uint64) (records, alerts, matches int) {
	t.Helper()
	set := open(t, settings)
	for i := uint64(0); i < cleanRecords; i += step {
		r := corpus.Clean(i)
		if i%2 == 1 { // as a probe sends it
			r.RequestBody, r.ResponseBody = cutBody(r.RequestBody), cutBody(r.ResponseBody)
		}
		v, err := set.Inspect(fromCorpus(t, &r))
		require.NoError(t, err)
		records++
		if v.Blocked {
			alerts++
			t.Logf("%s %s: %v", r.Method, r.Target, ids(v))
		}
		if len(v.Matches) > 0 {
			matches++
		}
	}
	return records, alerts, matches
}

func cutBody(body string) string { return body[:min(len(body), corpus.ProbeLimit)] }

func TestPacksAreQuietOnCleanTraffic(t *testing.T) {
	settings := ownOnly(t)
	// The engine's own rules about broken bodies are not those of the packs; a cut body is one.
	settings["exclude_rules"] = "200000-200099"
	records, alerts, matches := falseMatches(t, settings, 1)
	t.Logf("%d clean records: %.2f alerts and %.2f matches of a rule in 1,000", records, 1000*float64(alerts)/float64(records),
		1000*float64(matches)/float64(records))
	require.Equal(t, cleanRecords, records)
	require.Less(t, alerts, records/1000)
	require.Less(t, matches, records/200)

	settings["prefilter"], settings["cache_size"] = "off", "0"
	_, judged, _ := falseMatches(t, settings, 37)
	require.Less(t, judged, 2, "the engine alone says the same")
}
