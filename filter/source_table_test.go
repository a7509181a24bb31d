package filter

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/fieldmap"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/intake"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/accesslog"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corpus"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/testsize"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// logged returns the chunk with the record of a source.
func logged(t testing.TB, fields map[string]any) []byte {
	t.Helper()
	text, err := json.Marshal(fields)
	require.NoError(t, err)
	var d intake.Decoder
	chunk, n, err := d.AppendEvents(nil, text, time.Unix(1717053408, 0))
	require.NoError(t, err)
	require.Equal(t, 1, n)
	return chunk
}

func matched(f Finding) (ids []int) {
	if f.Verdict != nil {
		for _, m := range f.Verdict.Matches {
			ids = append(ids, m.Rule.ID)
		}
	}
	return ids
}

func TestRecordsOfEverySourceAreReadWithItsMap(t *testing.T) {
	for _, s := range accesslog.Sources() {
		f := newFilter(t, nil)
		for name, r := range accesslog.Clean() {
			require.NotEqual(t, NotHTTP, f.Check(logged(t, s.Record(r)))[0].Kind, "%s: %s", s.Title, name)
		}
		require.Equal(t, []SourceCount{{Map: s.Map, Records: uint64(len(accesslog.Clean()))}}, f.Counts().Sources, s.Title)
	}
}

// TestSourcesTable requires that clean requests do not alert in any log, and that attacks do wherever the log has them. The
// result is docs/sources.md, which make equality compares: higher paranoia levels, most attacks and most of the corpus are only for it.
func TestSourcesTable(t *testing.T) {
	table := newSourceTable()
	f := newFilter(t, nil)
	for _, s := range accesslog.Sources() {
		for i, a := range accesslog.Attacks() {
			if i%testsize.Of(3, 1) != 0 {
				continue
			}
			found := f.Check(logged(t, s.Record(a.Request)))[0]
			want := Clean
			if s.Has(a.Part) {
				want = Alert
			}
			require.Equal(t, want, found.Kind, "%s: %s, %s: rules %v", s.Title, a.Class, a.Name, matched(found))
			table.count(s, a, found.Kind == Alert)
		}
	}
	for paranoia := 1; paranoia <= testsize.Of(1, 4); paranoia++ {
		f := newFilter(t, setting.Map{"blocking_paranoia": fmt.Sprint(paranoia)})
		for _, s := range accesslog.Sources() {
			for name, r := range accesslog.Clean() {
				found := f.Check(logged(t, s.Record(r)))[0]
				if paranoia == 1 {
					require.Equal(t, Clean, found.Kind, "%s: %s: rules %v", s.Title, name, matched(found))
				}
				table.countClean(s, paranoia, found.Kind == Alert)
			}
		}
	}
	defaults := newFilter(t, nil)
	f = newFilter(t, setting.Map{"preset": "api"})
	for at, s := range accesslog.Sources() {
		for i := uint64(0); i < corpusSize; i += uint64(testsize.Of(10, 1)) {
			c := corpus.Clean(i)
			r := logged(t, s.Record(accesslog.FromHead(c.RequestHead, c.RequestBody, c.Status)))
			found := f.Check(r)[0]
			require.Equal(t, Clean, found.Kind, "%s: %s %s: rules %v", s.Title, c.Method, c.Target, matched(found))
			if at == 0 && defaults.Check(r)[0].Kind == Alert {
				table.byDefault++
			}
		}
	}
	if !testsize.Full() {
		return
	}
	const path = "../docs/sources.md"
	if os.Getenv("UPDATE_GOLDEN") != "" {
		require.NoError(t, os.MkdirAll("../docs", 0o755))
		require.NoError(t, os.WriteFile(path, []byte(table.String()), 0o644))
	}
	have, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, table.String(), string(have), "EQUALITY=1 UPDATE_GOLDEN=1 go test ./filter -run TestSourcesTable writes it anew")
}

// corpusSize is how many transactions of the corpus of clean traffic go through each source.
const corpusSize = 300

type sourceTable struct {
	classes []string
	attacks map[string]int            // by class
	alerts  map[string]map[string]int // by title of the source and class
	clean   map[string][5]int         // clean requests that alert, by title and paranoia level

	byDefault int // transactions of the corpus that alert without the preset, in the log of the first source
}

func newSourceTable() *sourceTable {
	table := &sourceTable{attacks: map[string]int{}, alerts: map[string]map[string]int{}, clean: map[string][5]int{}}
	for _, a := range accesslog.Attacks() {
		if !slices.Contains(table.classes, a.Class) {
			table.classes = append(table.classes, a.Class)
		}
		table.attacks[a.Class]++
	}
	return table
}

func (table *sourceTable) count(s accesslog.Source, a accesslog.Attack, alert bool) {
	if table.alerts[s.Title] == nil {
		table.alerts[s.Title] = map[string]int{}
	}
	if alert {
		table.alerts[s.Title][a.Class]++
	}
}

func (table *sourceTable) countClean(s accesslog.Source, paranoia int, alert bool) {
	counts := table.clean[s.Title]
	if alert {
		counts[paranoia]++
	}
	table.clean[s.Title] = counts
}

const sourcesHead = `# Sources

Which attacks the log of each source reveals, with default settings: %[2]d attacks and %[3]d clean requests of browsers and apps, logged as each program logs them.
A test (%[1]s) writes this page.

Rules about data that a log does not have are skipped for its records: without the Accept header in the log, nothing shows that a client did not send one.

## Sources

| logged parts | sources and their field maps |
|---|---|
`

const sourcesAttacks = `
## Attacks that alert

"6 of 9": the other three attacks of this class are in parts that are not logged.

`

const sourcesClean = `
## False positives

Of the %d clean requests, none alerts in any log at paranoia level 1, the default. Higher levels need [tuning](tuning.md): %s.

With %s none of %d generated clean transactions (a shop, REST and GraphQL services, uploads, health checks, scrapes, Kubernetes) alerts at level 1 in any
log. With default settings %d of them alert in the log of a Nano probe, because CRS considers PUT, PATCH, DELETE, API media types and GraphQL queries
violations ([APIs](tuning.md#apis)).
`

// String writes the page.
func (table *sourceTable) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, sourcesHead, "`TestSourcesTable`", len(accesslog.Attacks()), len(accesslog.Clean()))
	// Sources that log the same parts show the same attacks, as TestSourcesTable requires of each of them.
	sources, first := map[string][]string{}, map[string]string{}
	var logs []string
	for _, s := range accesslog.Sources() {
		parts := partNames(s.Logs)
		if sources[parts] == nil {
			logs, first[parts] = append(logs, parts), s.Title
		}
		sources[parts] = append(sources[parts], fmt.Sprintf("%s (`%s`)", s.Title, s.Map))
	}
	for _, parts := range logs {
		fmt.Fprintf(&b, "| %s | %s |\n", parts, strings.Join(sources[parts], "; "))
	}
	b.WriteString(sourcesAttacks)
	b.WriteString("| logged parts | " + strings.Join(table.classes, " | ") + " |\n|---|" + strings.Repeat("---|", len(table.classes)) + "\n")
	for _, parts := range logs {
		b.WriteString("| " + parts + " | " + strings.Join(table.shares(first[parts]), " | ") + " |\n")
	}
	fmt.Fprintf(&b, sourcesClean, len(accesslog.Clean()), table.cleanByLevel(), "`preset: api`", corpusSize, table.byDefault)
	return b.String()
}

// cleanByLevel writes how many clean requests alert at each paranoia level above the default.
func (table *sourceTable) cleanByLevel() string {
	var levels []string
	for level := 2; level <= 4; level++ {
		least, most := len(accesslog.Clean()), 0
		for _, counts := range table.clean {
			least, most = min(least, counts[level]), max(most, counts[level])
		}
		text := fmt.Sprintf("%d at level %d", most, level)
		if least < most {
			text = fmt.Sprintf("%d to %s", least, text)
		}
		levels = append(levels, text)
	}
	return strings.Join(levels, ", ")
}

// shares returns how many attacks of each class alert in the log of a source.
func (table *sourceTable) shares(title string) (all []string) {
	for _, class := range table.classes {
		text := fmt.Sprint(table.alerts[title][class])
		if n := table.attacks[class]; table.alerts[title][class] < n {
			text += fmt.Sprintf(" of %d", n)
		}
		all = append(all, text)
	}
	return all
}

func partNames(parts []accesslog.Part) string {
	words := make([]string, len(parts))
	for i, p := range parts {
		words[i] = string(p)
	}
	return strings.Join(words, ", ")
}

func TestGateChangesNoVerdictOfAnySource(t *testing.T) {
	filtered, plain := newFilter(t, nil), newFilter(t, setting.Map{"gate": "off", "cache_size": "0"})
	var chunk []byte
	seen := map[string]bool{}
	for _, s := range accesslog.Sources() {
		if seen[partNames(s.Logs)] && !testsize.Full() {
			continue // other sources that log the same have the same rules
		}
		seen[partNames(s.Logs)] = true
		for i, a := range accesslog.Attacks() {
			if i%6 == 0 {
				chunk = append(chunk, logged(t, s.Record(a.Request))...)
			}
		}
		for _, name := range []string{"login form", "page", "call of an app"} {
			chunk = append(chunk, logged(t, s.Record(accesslog.Clean()[name]))...)
		}
	}
	want := plain.Check(chunk)
	for range 2 { // the second time with what the prefilter has learned and the cache has kept
		for i, found := range filtered.Check(chunk) {
			require.Equal(t, matched(want[i]), matched(found))
			require.Equal(t, want[i].Kind, found.Kind)
		}
	}
}

func TestReadingAnySourceAllocatesNothingOnceItIsKnown(t *testing.T) {
	maps, err := fieldmap.Open("auto")
	require.NoError(t, err)
	var s struct {
		values      fieldmap.Values
		transaction rules.Transaction
	}
	for _, source := range accesslog.Sources() {
		for name, r := range accesslog.Clean() {
			event, _, err := record.Next(logged(t, source.Record(r)))
			require.NoError(t, err)
			read := func() bool {
				return maps.Read(event.Meta, event.Body, &s.values) != fieldmap.NoMap && s.values.Transaction(&s.transaction)
			}
			require.True(t, read())
			require.Zero(t, testing.AllocsPerRun(20, func() { read() }), "%s: %s", source.Title, name)
		}
	}
}
