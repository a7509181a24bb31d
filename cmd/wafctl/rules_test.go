package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/ruleset"
	"github.com/stretchr/testify/require"
)

const ownRules = `
SecRule ARGS:debug "@streq on" "id:100,phase:2,log,deny,severity:NOTICE,msg:'Debugging is \
switched on',tag:'own/debug',tag:'paranoia-level/2'"
SecAuditEngine On
SecAction "id:101,phase:1,pass,nolog"
`

func writeRules(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "own.conf")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestRulesAreListed(t *testing.T) {
	path := writeRules(t, ownRules)
	got := wafctl(nil, nil, "rules", "--rule-packs", "off", path)
	require.Equal(t, cli.ExitClean, got.code, got.err)
	golden(t, "rules.txt", strings.ReplaceAll(got.out, filepath.Dir(path)+"/", ""))
	golden(t, "rules-all.txt", wafctl(nil, nil, "rules", "--all", "--rule-packs", "off", path).out)

	got = wafctl(nil, nil, "rules", "--output", "json", "--rule-packs", "off", path)
	decoder := json.NewDecoder(bytes.NewBufferString(got.out))
	var last ruleset.JSONRule
	for decoder.More() {
		last = ruleset.JSONRule{}
		require.NoError(t, decoder.Decode(&last))
	}
	require.Equal(t, 100, last.ID)
	require.Equal(t, "notice", last.Severity)
	require.Equal(t, 2, last.Paranoia)
	require.Equal(t, []string{"own/debug", "paranoia-level/2"}, last.Tags)
	require.Equal(t, 2, last.Line)
	require.Contains(t, last.Text, `SecRule ARGS:debug "@streq on"`)
}

func TestCoreRuleSetIsListedAtOnce(t *testing.T) {
	got := wafctl(nil, nil, "rules")
	require.Equal(t, cli.ExitClean, got.code, got.err)
	require.Greater(t, strings.Count(got.out, "\n"), 300)
	require.Contains(t, got.out, "\n942100   CRITICAL")
	got = wafctl(nil, nil, "rules", "--exclude-rules", "942100")
	require.NotContains(t, got.out, "\n942100 ")
}

func TestRulesAreChecked(t *testing.T) {
	got := wafctl(nil, nil, "rules", "--check")
	require.Equal(t, cli.ExitClean, got.code, got.err)
	require.Regexp(t, `^[1-9]\d\d rules loaded, 0 skipped: .*OWASP_CRS/\S+\n$`, got.out)

	path := writeRules(t, ownRules+"SecRule ARGS \"@rx (?=a\" \"id:102,phase:2,deny\"\n")
	got = wafctl(nil, nil, "rules", "--check", "--rule-packs", "off", path)
	require.Equal(t, cli.ExitAlert, got.code, got.err)
	golden(t, "rules-check.txt", strings.ReplaceAll(got.out, filepath.Dir(path)+"/", ""))

	got = wafctl(nil, nil, "rules", "--check", writeRules(t, `SecRemoteRules key https://example.com`), "missing")
	require.Equal(t, cli.ExitError, got.code)
	require.Contains(t, got.err, "SecRemoteRules is not allowed")
	require.Contains(t, got.err, `unknown source "missing"`)
}

func TestDifferencesOfRulesAreTold(t *testing.T) {
	before := writeRules(t, ownRules)
	after := writeRules(t, strings.ReplaceAll(strings.Replace(ownRules, "@streq on", "@streq yes", 1), "id:101", "id:102")+"SecArgumentsLimit 10\n")
	got := wafctl(nil, nil, "rules", "--diff", before, after)
	require.Equal(t, cli.ExitAlert, got.code, got.err)
	golden(t, "rules-diff.txt", got.out)
	got = wafctl(nil, nil, "rules", "--diff", "--output", "json", before, after)
	require.Equal(t, cli.ExitAlert, got.code, got.err)
	golden(t, "rules-diff.json", got.out)

	got = wafctl(nil, nil, "rules", "--diff", before, before)
	require.Equal(t, cli.ExitClean, got.code, got.err)
	require.Equal(t, "no rule differs\n", got.out)
	got = wafctl(nil, nil, "rules", "--diff", before)
	require.Equal(t, cli.ExitError, got.code)
	require.Contains(t, got.err, "--diff: 1 source given (want OLD and NEW)")
	got = wafctl(nil, nil, "rules", "--diff", before, "missing")
	require.Equal(t, cli.ExitError, got.code)
	require.Contains(t, got.err, `missing: --rules: unknown source "missing"`)
}
