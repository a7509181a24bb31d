package ftw_test

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/corazawaf/coraza/v3"
	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/ftw"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

const (
	paranoiaLevels = 4
	// What passes, of the 4,639 tests that state rule ids, at the highest level: plain Coraza, and at least records with raw heads.
	plainPasses = 4634
	headsPass   = 4620
	// "go test" runs one test in thirty; FTW=all runs them all.
	sampled = 30
	// Coraza walks maps in random order, and for some bodies its ruling depends on it: how often it is asked again before a
	// difference counts.
	plainTries = 20
)

// TestCoreRuleSetSuite sends the regression suite of the Core Rule Set through the filter, as records with raw heads and as
// records with parsed parts only, and through plain Coraza. The first must agree with Coraza on every exchange.
func TestCoreRuleSetSuite(t *testing.T) {
	all, err := ftw.Read()
	require.NoError(t, err)
	whole := os.Getenv("FTW") == "all"
	tests := all
	if !whole {
		tests = nil
		for i := 0; i < len(all); i += sampled {
			tests = append(tests, all[i])
		}
	}
	listed, levels := readExceptions(t, all), ruleLevels(t)
	accusing := map[string]bool{}
	var rows strings.Builder
	rows.WriteString("paranoia\tform\tpassed\tlisted\tfailed\tidle\tdiffer\tper record\t\n")
	for paranoia := 1; paranoia <= paranoiaLevels; paranoia++ {
		t.Run(fmt.Sprintf("paranoia level %d", paranoia), func(t *testing.T) {
			r := newSuiteRun(t, tests, paranoia, levels)
			r.inspectAll(t)
			for _, f := range r.forms {
				r.report(t, &rows, f, listed)
			}
			for i, differs := range r.parts().differs {
				accusing[tests[i].ID] = accusing[tests[i].ID] || differs
			}
			if whole && paranoia == paranoiaLevels {
				require.Equal(t, plainPasses, r.passes(r.plain()))
				require.GreaterOrEqual(t, r.passes(r.heads()), headsPass)
			}
		})
	}
	for id := range listed[accused] {
		if whole && !accusing[id] {
			t.Errorf("%s is listed as accused with its parts only, but is not", id)
		}
	}
	t.Logf("%d of %d tests\n%s", len(tests), len(all), aligned(t, rows.String()))
	if whole {
		requireDocumented(t, rows.String())
	}
}

// requireDocumented compares the results, times apart, with the table on the page for users; UPDATE_GOLDEN=1 writes it.
func requireDocumented(t *testing.T, rows string) {
	t.Helper()
	const page, start, end = "../../docs/exactness.md", "<!-- suite -->\n", "<!-- /suite -->\n"
	var table strings.Builder
	for i, row := range strings.Split(strings.TrimSpace(rows), "\n") {
		cells := strings.Split(strings.TrimSuffix(row, "\t"), "\t")
		table.WriteString("| " + strings.Join(cells[:len(cells)-1], " | ") + " |\n")
		if i == 0 {
			table.WriteString(strings.Repeat("|---", len(cells)-1) + "|\n")
		}
	}
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	before, rest, found := strings.Cut(string(text), start)
	require.True(t, found, page)
	documented, after, found := strings.Cut(rest, end)
	require.True(t, found, page)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		require.NoError(t, os.WriteFile(page, []byte(before+start+table.String()+end+after), 0o644))
		return
	}
	require.Equal(t, table.String(), documented)
}

// aligned returns rows of cells between tabs as a table.
func aligned(t *testing.T, rows string) string {
	t.Helper()
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, err := io.WriteString(w, rows)
	require.NoError(t, err)
	require.NoError(t, w.Flush())
	return table.String()
}

// ruling is what an engine says of one exchange.
type ruling struct {
	ids               []int // detection rules in the order in which they matched
	evaluations       []int // rules that sum up scores
	inbound, outbound int   // anomaly scores
	text              string
}

func (r *ruling) has(id int) bool {
	return slices.Contains(r.ids, id) || slices.Contains(r.evaluations, id)
}

func (r *ruling) equal(o *ruling) bool {
	return slices.Equal(r.ids, o.ids) && r.inbound == o.inbound && r.outbound == o.outbound
}

// outcome is what became of a test.
type outcome uint8

const (
	idle outcome = iota // states nothing of the rules that are active
	passed
	failed
)

// judge compares a ruling with what a stage states of the rules that are active at a paranoia level.
func judge(s *ftw.Stage, r *ruling, paranoia int, levels map[int]int) outcome {
	result := idle
	state := func(holds bool) {
		if !holds {
			result = failed
		} else if result == idle {
			result = passed
		}
	}
	for _, id := range s.Expect {
		if levels[id] <= paranoia {
			state(r.has(id))
		}
	}
	for _, id := range s.NoExpect {
		if levels[id] <= paranoia {
			state(!r.has(id))
		}
	}
	if paranoia == paranoiaLevels && s.Pattern != "" {
		state(regexp.MustCompile(s.Pattern).MatchString(r.text))
	}
	if paranoia == paranoiaLevels && s.NotPattern != "" {
		state(!regexp.MustCompile(s.NotPattern).MatchString(r.text))
	}
	return result
}

// form is one way in which the exchanges of the suite reach an engine.
type form struct {
	name    string
	inspect func(*ftw.Stage) (ruling, error)
	results []outcome // by test
	differs []bool    // by test: rulings that must not be, compared with plain Coraza
	spent   atomic.Int64
}

// suiteRun is the suite at one paranoia level.
type suiteRun struct {
	paranoia int
	levels   map[int]int // paranoia level of each rule
	tests    []ftw.Test
	filter   *filter.Filter
	waf      coraza.WAF
	forms    []*form
}

func newSuiteRun(t *testing.T, tests []ftw.Test, paranoia int, levels map[int]int) *suiteRun {
	r := &suiteRun{paranoia: paranoia, levels: levels, tests: tests, waf: newReference(t, paranoia)}
	var err error
	r.filter, err = filter.New(nil, suiteSettings(paranoia), func(filter.Level, string) {})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.filter.Close()) })
	add := func(name string, inspect func(*ftw.Stage) (ruling, error)) {
		r.forms = append(r.forms, &form{
			name: name, inspect: inspect, results: make([]outcome, len(tests)), differs: make([]bool, len(tests)),
		})
	}
	add("plain", func(s *ftw.Stage) (ruling, error) { return inspectAsConnector(r.waf, s) })
	add("heads", func(s *ftw.Stage) (ruling, error) { return inspectRecord(r.filter, headRecord(s)) })
	add("parts", func(s *ftw.Stage) (ruling, error) { return inspectRecord(r.filter, partRecord(s)) })
	return r
}

func (r *suiteRun) plain() *form { return r.forms[0] }
func (r *suiteRun) heads() *form { return r.forms[1] }
func (r *suiteRun) parts() *form { return r.forms[2] }

// suiteSettings are the settings that the suite's authors run it with.
func suiteSettings(paranoia int) setting.Map {
	return setting.Map{
		"blocking_paranoia": fmt.Sprint(paranoia), "validate_utf8_encoding": "1", "arg_name_length": "100", "arg_length": "400",
		"total_arg_length": "64000", "max_num_args": "255", "max_file_size": "64100", "combined_file_sizes": "65535",
		"rule_packs": "off",
	}
}

// inspectAll inspects all tests in all forms, on all cores.
func (r *suiteRun) inspectAll(t *testing.T) {
	var next atomic.Int64
	var group sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(r.tests) {
					return
				}
				for j := range r.tests[i].Stages {
					r.inspectStage(t, i, &r.tests[i].Stages[j])
				}
			}
		})
	}
	group.Wait()
}

func (r *suiteRun) inspectStage(t *testing.T, test int, s *ftw.Stage) {
	want, got, less := r.ask(t, r.plain(), test, s), r.ask(t, r.heads(), test, s), r.ask(t, r.parts(), test, s)
	for range plainTries {
		if want.equal(&got) {
			break
		}
		want = r.ask(t, r.plain(), test, s)
	}
	if !want.equal(&got) {
		r.heads().differs[test] = true
		t.Errorf("%s differs from plain Coraza: rules %v (want %v), scores %d and %d (want %d and %d)", r.tests[test].ID,
			got.ids, want.ids, got.inbound, got.outbound, want.inbound, want.outbound)
	}
	// A record that says less must not accuse an exchange that is clean.
	if len(want.ids) == 0 && len(less.ids) > 0 {
		r.parts().differs[test] = true
	}
}

// ask has a stage inspected in one form and keeps what this means for its test.
func (r *suiteRun) ask(t *testing.T, f *form, test int, s *ftw.Stage) ruling {
	start := time.Now()
	found, err := f.inspect(s)
	f.spent.Add(int64(time.Since(start)))
	if err != nil {
		t.Errorf("%s as %s: %v", r.tests[test].ID, f.name, err)
		f.results[test] = failed
		return found
	}
	f.results[test] = max(f.results[test], judge(s, &found, r.paranoia, r.levels))
	return found
}

// passes counts the tests that state rule ids and pass.
func (r *suiteRun) passes(f *form) (n int) {
	for i := range r.tests {
		if f.results[i] == passed && r.tests[i].StatesIDs() {
			n++
		}
	}
	return n
}

// report writes a line of the table. A test must pass or be listed, and not both.
func (r *suiteRun) report(t *testing.T, rows *strings.Builder, f *form, listed exceptions) {
	var counts [failed + 1]int
	unlisted, differing := 0, 0
	for i := range r.tests {
		id := r.tests[i].ID
		reason, isListed := listed[f.name][id]
		if r.tests[i].StatesIDs() {
			counts[f.results[i]]++
		}
		switch {
		case f.results[i] == failed && !isListed:
			unlisted++
			t.Errorf("%s as %s fails and is not listed", id, f.name)
		case f.results[i] == passed && isListed:
			t.Errorf("%s as %s passes, but is listed: %s", id, f.name, reason)
		}
		if f.differs[i] {
			differing++
			if f == r.parts() && listed[accused][id] == "" {
				t.Errorf("%s as %s matches rules and is clean with the heads, and is not listed", id, f.name)
			}
		}
	}
	fmt.Fprintf(rows, "%d\t%s\t%d\t%d\t%d\t%d\t%d\t%v\t\n", r.paranoia, f.name, counts[passed], counts[failed]-min(unlisted, counts[failed]),
		unlisted, counts[idle], differing, (time.Duration(f.spent.Load()) / time.Duration(len(r.tests))).Round(time.Microsecond))
}
