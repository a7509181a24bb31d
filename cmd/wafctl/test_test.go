package main

import (
	"encoding/xml"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/ruletest"
	"github.com/stretchr/testify/require"
)

func TestRuleTestsAreRun(t *testing.T) {
	report := filepath.Join(t.TempDir(), "report.xml")
	got := wafctl(nil, nil, "test", byRules, "--junit", report, "testdata/ftw")
	require.Equal(t, cli.ExitAlert, got.code, got.err)
	golden(t, "test.txt", got.out)
	golden(t, "test-verbose.txt", wafctl(nil, nil, "test", "-v", byRules, "testdata/ftw").out)

	text, err := os.ReadFile(report)
	require.NoError(t, err)
	golden(t, "junit.xml", regexp.MustCompile(`time="[0-9.]+"`).ReplaceAllString(string(text), `time="0.001"`))
	var parsed struct {
		Suites []ruletest.JUnitSuite `xml:"testsuite"`
	}
	require.NoError(t, xml.Unmarshal(text, &parsed))
	require.Len(t, parsed.Suites, 2)
	require.Equal(t, 3, parsed.Suites[0].Tests)
	require.Equal(t, 1, parsed.Suites[0].Failures)
	require.Equal(t, 1, parsed.Suites[1].Skipped)
}

func TestRuleTestsOfOneFilePass(t *testing.T) {
	path := filepath.Join(t.TempDir(), "one.test")
	require.NoError(t, os.WriteFile(path, []byte(`{rule_id: 101, tests: [{test_id: 1, stages: [{input: {method: DELETE}, output: {log: {expect_ids: [101]}}}]}]}`), 0o600))
	got := wafctl(nil, nil, "test", byRules, path)
	require.Equal(t, result{out: "1 test: 1 passed, 0 failed, 0 skipped\n"}, got)
}

func TestPatternsOfRuleTestsSeeWhatIsLogged(t *testing.T) {
	dir := t.TempDir()
	rules := filepath.Join(dir, "own.conf")
	require.NoError(t, os.WriteFile(rules, []byte(`SecAction "id:1,phase:1,pass,nolog,msg:'quiet'"
SecRule ARGS:a "@streq x" "id:2,phase:2,deny,log,msg:'loud'"
SecRule ARGS:a "@streq x" "id:3,phase:2,deny,nolog,msg:'quiet, and a detection'"
`), 0o600))
	for name, c := range map[string]struct {
		uri, log, failure string
	}{
		"nothing is logged":          {"/", `no_match_regex: '\[id "\d+"\]'`, ""},
		"a rule is":                  {"/?a=x", `match_regex: '\[id "2"\] \[msg "loud"\]'`, ""},
		"and that is no clean log":   {"/?a=x", `no_match_regex: '\[id "\d+"\]'`, `the log matches "\\[id \"\\d+\"\\]"`},
		"rules with nolog are quiet": {"/?a=x", `match_regex: '\[id "3"\]'`, `the log does not match`},
	} {
		file := filepath.Join(dir, "100.yaml")
		require.NoError(t, os.WriteFile(file, []byte("{tests: [{stages: [{input: {uri: '"+c.uri+"'}, output: {log: {"+c.log+"}}}]}]}"), 0o600))
		got := wafctl(nil, nil, "test", "--rules", rules, "--rule-packs", "off", file)
		if c.failure == "" {
			require.Equal(t, result{out: "1 test: 1 passed, 0 failed, 0 skipped\n"}, got, name)
		} else {
			require.Contains(t, got.out, c.failure, name)
		}
	}
}

func TestFaultsOfRuleTestsAreTold(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"broken.yaml": "tests: [", "other.yaml": "services: {}", "wire.yaml": "{rule_id: 1, tests: [{test_id: 1, stages: [{input: {encoded_request: R0VU}}]}]}",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	got := wafctl(nil, nil, "test", byRules, dir)
	require.Equal(t, cli.ExitError, got.code)
	for _, want := range []string{
		"read tests: " + dir + "/broken.yaml: ", "read tests: " + dir + "/other.yaml: no tests in it (want FTW YAML)",
		"read tests: " + dir + `/wire.yaml: test 1: encoded request: `,
	} {
		require.Contains(t, got.err, want)
	}
	got = wafctl(nil, nil, "test", byRules, "missing", t.TempDir())
	require.Equal(t, cli.ExitError, got.code)
	require.Contains(t, got.err, "read tests: lstat missing: no such file or directory")
	require.Contains(t, got.err, "has no .yaml and .yml files")
	require.Contains(t, wafctl(nil, nil, "test", byRules).err, "no tests (want directories or files)")
}
