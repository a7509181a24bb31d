// Package ruletest is the command "wafctl test": it runs rule tests in the YAML of go-ftw through the filter. Each
// request becomes a record, so that field maps and the prefilter are part of the test. Results are printed as lines
// and written as a JUnit report.
package ruletest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/tinylib/msgp/msgp"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/evaluation"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/ftw"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

func New(c *cli.Console, args []string) *cobra.Command {
	var (
		f       cli.Flags
		junit   string
		verbose bool
	)
	cmd := &cobra.Command{
		Use:   "test [flags] DIR|FILE…",
		Short: "Run rule tests",
		Long: `Run rule tests in the Core Rule Set's format (FTW YAML). Each request, with the response of the suite's backend, becomes a
log record as a Nano probe sends it, and the matched rules are compared with expect_ids, no_expect_ids and the patterns
for the log. Directories are searched for .yaml and .yml files.

Tests that expect only a status are skipped, because a log record gets no response.

The exit code is 0 if all tests pass, 1 if one fails, and 2 on errors.`,
		Example: `  wafctl test --rules crs,/etc/waf/own.conf /etc/waf/tests
  wafctl test --rules own.conf --junit report.xml tests/`,
		RunE: func(cmd *cobra.Command, names []string) error {
			f.Values["field_map"] = "nano"
			w, err := f.Open(c)
			if w != nil {
				defer w.Close()
			}
			var missing error
			if len(names) == 0 {
				missing = errors.New("no tests (want directories or files)")
			}
			if err := f.Usage(cmd, args, err, missing, cli.Writable("--junit", junit)); err != nil {
				return err
			}
			files, err := testFiles(names)
			if err != nil {
				return err
			}
			return runTests(c, w, files, junit, verbose)
		},
	}
	cli.Strict(cmd)
	cmd.Flags().StringVar(&junit, "junit", "", "write the results as JUnit XML to `FILE`, for CI")
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "also list passed and skipped tests")
	c.CodeOnly(cmd)
	f.AddEvaluating(cmd.Flags())
	cmd.Flags().Lookup("field-map").Hidden = true
	return cmd
}

// testFiles lists the files with tests that names stand for.
func testFiles(names []string) ([]string, error) {
	var files []string
	var problems []error
	for _, name := range names {
		before := len(files)
		err := filepath.WalkDir(name, func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			extension := filepath.Ext(path)
			if entry.Type().IsRegular() && (path == name || extension == ".yaml" || extension == ".yml") {
				files = append(files, path)
			}
			return nil
		})
		switch {
		case err != nil:
			problems = append(problems, fmt.Errorf("read tests: %w", err))
		case len(files) == before:
			problems = append(problems, fmt.Errorf("read tests: %s has no .yaml and .yml files", name))
		}
	}
	return files, errors.Join(problems...)
}

// testResult is what became of one test.
type testResult struct {
	file     string
	id       string
	failures []string // what was expected and did not come
	skipped  string   // why it was not evaluated
	took     time.Duration
}

func runTests(c *cli.Console, f *filter.Filter, files []string, junit string, verbose bool) error {
	var (
		results  []testResult
		problems []error
	)
	to := cli.LineWriter(c)
	for _, file := range files {
		found, err := testFile(f, file)
		if err != nil {
			problems = append(problems, err)
		}
		for _, r := range found {
			writeTest(c, to, &r, verbose)
		}
		results = append(results, found...)
	}
	s := summarize(results)
	fmt.Fprintf(to, "%s: %s, %s, %d skipped\n", cli.Count(len(results), "test"), c.Paint(cli.Green, fmt.Sprintf("%d passed", s.passed)),
		failedText(c, s.failed), s.skipped)
	problems = append(problems, to.Flush())
	if junit != "" {
		problems = append(problems, writeJUnit(junit, results))
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	if s.failed > 0 {
		return cli.ErrAlert
	}
	return nil
}

func failedText(c *cli.Console, n int) string {
	text := fmt.Sprintf("%d failed", n)
	if n == 0 {
		return text
	}
	return c.Paint(cli.Red, text)
}

// testSummary counts results.
type testSummary struct{ passed, failed, skipped int }

func summarize(results []testResult) (s testSummary) {
	for i := range results {
		switch r := &results[i]; {
		case r.skipped != "":
			s.skipped++
		case len(r.failures) > 0:
			s.failed++
		default:
			s.passed++
		}
	}
	return s
}

func testFile(f *filter.Filter, file string) ([]testResult, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read tests: %w", err)
	}
	tests, err := ftw.Parse(file, text)
	if err != nil {
		return nil, fmt.Errorf("read tests: %s: %w", file, err)
	}
	results := make([]testResult, len(tests))
	for i := range tests {
		if results[i], err = runTest(f, &tests[i]); err != nil {
			return nil, fmt.Errorf("run test: %s: %s: %w", file, tests[i].ID, err)
		}
		results[i].file = file
	}
	return results, nil
}

func runTest(f *filter.Filter, t *ftw.Test) (testResult, error) {
	r := testResult{id: t.ID}
	if !t.StatesRules() {
		r.skipped = "it does not mention rules"
		return r, nil
	}
	start := time.Now()
	for i := range t.Stages {
		s := &t.Stages[i]
		x, err := f.Explain(nanoEvent(s))
		if err != nil {
			return r, err
		}
		for _, failure := range compare(s, x) {
			if len(t.Stages) > 1 {
				failure = fmt.Sprintf("stage %d: %s", i+1, failure)
			}
			r.failures = append(r.failures, failure)
		}
	}
	r.took = time.Since(start)
	return r, nil
}

// compare returns what a stage expects and the rules that matched do not fulfill.
func compare(s *ftw.Stage, x *filter.Explanation) (failures []string) {
	if x.Rules == nil {
		return []string{"the request cannot be logged as an HTTP transaction: its method or target is empty"}
	}
	matched := func(id int) bool {
		return slices.ContainsFunc(x.Rules.Matched, func(m rules.Matched) bool { return m.ID == id })
	}
	for _, id := range s.Expect {
		if !matched(id) {
			failures = append(failures, fmt.Sprintf("rule %d did not match; %s", id, matchedText(x)))
		}
	}
	for _, id := range s.NoExpect {
		if matched(id) {
			failures = append(failures, fmt.Sprintf("rule %d matched", id))
		}
	}
	log := logText(x)
	for _, p := range []struct {
		pattern string
		want    bool
	}{{s.Pattern, true}, {s.NotPattern, false}} {
		if p.pattern == "" {
			continue
		}
		expression, err := regexp.Compile(p.pattern)
		switch {
		case err != nil:
			failures = append(failures, err.Error())
		case expression.MatchString(log) != p.want && p.want:
			failures = append(failures, fmt.Sprintf("the log does not match %q; %s", p.pattern, matchedText(x)))
		case expression.MatchString(log) != p.want:
			failures = append(failures, fmt.Sprintf("the log matches %q", p.pattern))
		}
	}
	return failures
}

func matchedText(x *filter.Explanation) string {
	ids := evaluation.MatchedIDs(x.Rules.Verdict)
	if len(ids) == 0 {
		return "no detection rule did"
	}
	return "matched: " + strings.Trim(fmt.Sprint(ids), "[]")
}

// logText writes what matched as ModSecurity's error log has it, for the patterns of tests: rules with nolog have no line there.
func logText(x *filter.Explanation) string {
	var b strings.Builder
	for i := range x.Rules.Matched {
		m := &x.Rules.Matched[i]
		if !m.Logged {
			continue
		}
		data := strings.NewReplacer("\r", `\r`, "\n", `\n`).Replace(m.Data)
		fmt.Fprintf(&b, "[id \"%d\"] [msg \"%s\"] [data \"%s\"]", m.ID, m.Message, data)
		for _, tag := range m.Tags {
			fmt.Fprintf(&b, " [tag \"%s\"]", tag)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// The connection of all tests, in addresses that are kept for documentation.
const (
	testClient, testClientPort = "192.0.2.10", "40123"
	testServer, testServerPort = "198.51.100.20", "80"
)

// nanoEvent returns a stage as the record that a Nano probe makes of it, in the form of an event of a chunk.
func nanoEvent(s *ftw.Stage) []byte {
	fields := [][2]string{
		{"SRC_IP", testClient}, {"SRC_PORT", testClientPort}, {"DST_IP", testServer}, {"DST_PORT", testServerPort},
		{"METHOD", s.Request.Method}, {"URL", s.Request.URI}, {"DOMAIN", s.Request.Header("Host")},
		{"REQ_HEADER", s.Request.Head()}, {"REQ_BODY", s.Request.Body},
		{"RETCODE", strconv.Itoa(s.Response.Status)}, {"RSP_HEADER", s.Response.Head()}, {"RSP_BODY", s.Response.Body},
		{"L7_PROTOCOL", "http"},
	}
	event := []byte{0x92, 0x92, 0x00, 0x80} // [[0, {}], body]
	event = msgp.AppendMapHeader(event, uint32(len(fields)))
	for _, f := range fields {
		event = msgp.AppendString(msgp.AppendString(event, f[0]), f[1])
	}
	return event
}
