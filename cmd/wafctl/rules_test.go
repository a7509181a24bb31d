package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
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
	require.Equal(t, exitClean, got.code, got.err)
	golden(t, "rules.txt", strings.ReplaceAll(got.out, filepath.Dir(path)+"/", ""))
	golden(t, "rules-all.txt", wafctl(nil, nil, "rules", "--all", "--rule-packs", "off", path).out)

	got = wafctl(nil, nil, "rules", "--output", "json", "--rule-packs", "off", path)
	decoder := json.NewDecoder(bytes.NewBufferString(got.out))
	var last jsonRule
	for decoder.More() {
		last = jsonRule{}
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
	require.Equal(t, exitClean, got.code, got.err)
	require.Greater(t, strings.Count(got.out, "\n"), 300)
	require.Contains(t, got.out, "\n942100   CRITICAL")
	got = wafctl(nil, nil, "rules", "--exclude-rules", "942100")
	require.NotContains(t, got.out, "\n942100 ")
}

func TestRulesAreChecked(t *testing.T) {
	got := wafctl(nil, nil, "rules", "--check")
	require.Equal(t, exitClean, got.code, got.err)
	require.Regexp(t, `^[1-9]\d\d rules loaded, 0 skipped: .*OWASP_CRS/\S+\n$`, got.out)

	path := writeRules(t, ownRules+"SecRule ARGS \"@rx (?=a\" \"id:102,phase:2,deny\"\n")
	got = wafctl(nil, nil, "rules", "--check", "--rule-packs", "off", path)
	require.Equal(t, exitAlert, got.code, got.err)
	golden(t, "rules-check.txt", strings.ReplaceAll(got.out, filepath.Dir(path)+"/", ""))

	got = wafctl(nil, nil, "rules", "--check", writeRules(t, `SecRemoteRules key https://example.com`), "missing")
	require.Equal(t, exitError, got.code)
	require.Contains(t, got.err, "SecRemoteRules is refused")
	require.Contains(t, got.err, `unknown source "missing"`)
}

func TestDifferencesOfRulesAreTold(t *testing.T) {
	before := writeRules(t, ownRules)
	after := writeRules(t, strings.ReplaceAll(strings.Replace(ownRules, "@streq on", "@streq yes", 1), "id:101", "id:102")+"SecArgumentsLimit 10\n")
	got := wafctl(nil, nil, "rules", "--diff", before, after)
	require.Equal(t, exitAlert, got.code, got.err)
	golden(t, "rules-diff.txt", got.out)
	got = wafctl(nil, nil, "rules", "--diff", "--output", "json", before, after)
	require.Equal(t, exitAlert, got.code, got.err)
	golden(t, "rules-diff.json", got.out)

	got = wafctl(nil, nil, "rules", "--diff", before, before)
	require.Equal(t, exitClean, got.code, got.err)
	require.Equal(t, "no rule differs\n", got.out)
	got = wafctl(nil, nil, "rules", "--diff", before)
	require.Equal(t, exitError, got.code)
	require.Contains(t, got.err, "--diff: 1 source given (want OLD and NEW)")
	got = wafctl(nil, nil, "rules", "--diff", before, "missing")
	require.Equal(t, exitError, got.code)
	require.Contains(t, got.err, `missing: --rules: unknown source "missing"`)
}

func TestVersionNamesEngineAndRules(t *testing.T) {
	got := wafctl(nil, nil, "version")
	require.Equal(t, exitClean, got.code)
	require.Regexp(t, `^wafctl \S+\nCoraza \S.*\nOWASP CRS \S.*\ngo1\S+ \w+/\w+\n$`, got.out)
}

func TestHelpNamesEveryFlag(t *testing.T) {
	for _, command := range []string{"", "run", "check", "incidents", "report", "rules", "map", "compare", "tune", "test", "version"} {
		got := wafctl(nil, nil, strings.Fields(command+" --help")...)
		require.Equal(t, exitClean, got.code)
		require.Empty(t, got.err)
		own, shared, _ := strings.Cut(got.out, "\nRules and alerts")
		golden(t, "help-"+command+".txt", own)
		if command == "run" {
			require.Contains(t, shared, "syslog+udp://HOST")
		}
		if command == "" || command == "map" || command == "version" {
			continue
		}
		for _, p := range filter.Properties() {
			hidden := command != "run" && slices.Contains(writing, p.Name) &&
				!(command == "report" && slices.Contains(redacting, p.Name)) &&
				!(command == "incidents" && slices.ContainsFunc(filter.IncidentProperties(), func(own setting.Property) bool { return own.Name == p.Name })) || command == "test" && p.Name == "field_map"
			require.Equal(t, !hidden, strings.Contains(shared, "      "+flagName(p.Name)+" "), p.Name)
		}
	}
}
