package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/tune"
	"github.com/stretchr/testify/require"
)

// falseAlarms are clean records that the rules of testdata/tune.conf take for attacks.
func falseAlarms() string {
	var b strings.Builder
	for _, url := range []string{
		"/?q=union", "/?q=union+select", "/?q=union", "/?a%5b0%5d%7c=select", "/?a=1&b=2&c=3", "/",
	} {
		fmt.Fprintf(&b, "{\"METHOD\":\"GET\",\"URL\":%q,\"DOMAIN\":\"shop.example\",\"AGENT\":\"curl\"}\n", url)
	}
	return b.String()
}

func TestTuneProposesWhatRemovesTheAlerts(t *testing.T) {
	rules := "--rules=testdata/tune.conf"
	got := wafctl(strings.NewReader(falseAlarms()), nil, "tune", rules, "-")
	require.Equal(t, cli.ExitAlert, got.code, got.err)
	require.Empty(t, got.err)
	golden(t, "tune.txt", got.out)

	got = wafctl(strings.NewReader(falseAlarms()), nil, "tune", rules, "--output", "seclang", "-")
	path := filepath.Join(t.TempDir(), "exclusions.conf")
	require.NoError(t, os.WriteFile(path, []byte(got.out), 0o600))
	got = wafctl(strings.NewReader(falseAlarms()), nil, "check", rules+","+path, "-")
	require.Equal(t, cli.ExitClean, got.code, got.out+got.err)

	got = wafctl(strings.NewReader(falseAlarms()), nil, "tune", rules, "--output", "property", "--exclude-rules", "900999", "-")
	require.Equal(t, `900999,100:ARGS:q,101:ARGS:/^a\x5b0\x5d\x7c$/,101:ARGS:q,103:ARGS`+"\n", got.out)
	got = wafctl(strings.NewReader(falseAlarms()), nil, "check", rules, "--exclude-rules", strings.TrimSpace(got.out), "-")
	require.Equal(t, cli.ExitClean, got.code, got.out+got.err)

	got = wafctl(strings.NewReader(falseAlarms()), nil, "tune", rules, "--output", "json", "-")
	lines := bufio.NewScanner(strings.NewReader(got.out))
	require.True(t, lines.Scan())
	var first tune.JSONExclusion
	require.NoError(t, json.Unmarshal(lines.Bytes(), &first))
	require.Equal(t, tune.JSONExclusion{
		Rule: 100, Target: "ARGS:q", Message: "SQL", Alerts: 3, Removes: 3, Directive: `SecRuleUpdateTargetById 100 "!ARGS:q"`, Property: "100:ARGS:q",
	}, first)
}

func TestTuneHasNothingToSayOfCleanRecords(t *testing.T) {
	got := wafctl(strings.NewReader(clean+"\n"+dns), nil, "tune", "-")
	require.Equal(t, result{out: "2 records, 0 alerts: nothing to exclude\n"}, got)
}

func TestTuneNamesTheSettingThatFitsBetter(t *testing.T) {
	put := `{"METHOD":"PUT","URL":"/a","DOMAIN":"shop.example","AGENT":"curl"}`
	got := wafctl(strings.NewReader(put), nil, "tune", "-")
	require.Contains(t, got.out, "A setting is better than an exclusion\n\n  911100   allowed_methods: allowed HTTP methods")
	require.Contains(t, wafctl(strings.NewReader(put), nil, "tune", "--output", "json", "-").out, `"setting":"allowed_methods"`)
}

func TestTuneOfAnyMatchLeavesNone(t *testing.T) {
	always := `SecAction "id:104,phase:1,pass,log,severity:NOTICE,msg:'Always'"`
	args := []string{"--rules=testdata/tune.conf", "--directives", always, "--alert-on", "match", "--output", "seclang", "-"}
	got := wafctl(strings.NewReader(falseAlarms()), nil, append([]string{"tune"}, args...)...)
	require.Equal(t, cli.ExitAlert, got.code, got.err)
	require.Contains(t, got.out, `SecRuleUpdateTargetById 102 "!REQUEST_HEADERS:User-Agent"`)
	require.Contains(t, got.out, "SecRuleRemoveById 104\n", "a rule without targets")
}

func TestTargetsAreWrittenSoThatSecLangReadsThem(t *testing.T) {
	for want, v := range map[string][2]string{
		"REQUEST_URI":            {"REQUEST_URI", ""},
		"ARGS:a.b_c-1":           {"ARGS", "a.b_c-1"},
		`ARGS:/^a\.b\x22$/`:      {"ARGS", `a.b"`},
		`ARGS:/^\xc3\xa4\x20$/`:  {"ARGS", "ä "},
		`ARGS:/^\x2fx\x2f\x0a$/`: {"ARGS", "/x/\n"},
		`ARGS:/(?i)^A\x5b\x5d$/`: {"ARGS", "A[]"},
		"ARGS:Abc":               {"ARGS", "Abc"},
		"XML:/*":                 {"XML", "/*"},
	} {
		require.Equal(t, want, tune.TargetOf(v[0], v[1], v[1]))
	}
	require.Equal(t, `ARGS:/^password\x3a\x20.+$/`, tune.TargetOf("ARGS", "password: hunter22", "password: [redacted]"))
}
