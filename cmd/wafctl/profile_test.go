package main

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/check"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/stretchr/testify/require"
)

func TestProfileTellsWhereTheTimeGoes(t *testing.T) {
	records := strings.Join([]string{attack, clean, dns, clean}, "\n")
	got := wafctl(strings.NewReader(records), nil, "check", "--profile", "-")
	require.Equal(t, cli.ExitAlert, got.code, got.err)
	require.Regexp(t, `^4 records in \S+ \S+: 1 alert\n`, got.out)
	require.Regexp(t, `\n +1  not HTTP\n +1  with a cached verdict\n +1  decided by the prefilter.*\n +1  evaluated by the engine.*\n\nThe prefilter took`, got.out)
	require.Regexp(t, `(?m)^RULE +TIME +SHARE +RUNS +A RUN +SKIPPED +MESSAGE$`, got.out)
	require.Regexp(t, `\d+ rules more ran, in .*; --all lists them\n`, got.out)

	all := wafctl(strings.NewReader(records), nil, "check", "--profile", "--all", "-").out
	require.Regexp(t, `(?m)^932160 .* 1 +\S+ \S+ +1  Remote Command Execution: Unix Shell Code Found$`, all)
	require.Regexp(t, `(?m)^942100 +0 ns +0.0 % +0 +0 ns +2  SQL Injection`, all)
	require.NotContains(t, all, "--all")
}

func TestProfileAsJSON(t *testing.T) {
	got := wafctl(strings.NewReader(attack+clean), nil, "check", "--profile", "--output", "json", "--gate", "off", "-")
	require.Equal(t, cli.ExitAlert, got.code, got.err)
	var p check.JSONProfile
	require.NoError(t, json.Unmarshal([]byte(got.out), &p))
	require.Equal(t, [4]uint64{2, 1, 0, 2}, [4]uint64{p.Records, p.Alerts, p.Prefiltered, p.Evaluated})
	require.Greater(t, len(p.Rules), 500)
	var sum int64
	for _, r := range p.Rules {
		require.LessOrEqual(t, r.Runs, uint64(2))
		sum += r.Time
	}
	require.Positive(t, sum)
	require.LessOrEqual(t, sum, p.Engine)
}

func TestProfileOfCleanRecordsSaysThatNoRuleRan(t *testing.T) {
	got := wafctl(strings.NewReader(clean), nil, "check", "--profile", "-")
	require.Equal(t, cli.ExitClean, got.code)
	require.Contains(t, got.out, "No rule ran. Use --prefilter off --cache-size 0 to run all rules for every record.\n")
}

func TestProfileDoesNotGoWithExplain(t *testing.T) {
	got := wafctl(nil, nil, "check", "--profile", "--explain", "-")
	require.Equal(t, cli.ExitError, got.code)
	require.Contains(t, got.err, "--profile: cannot be combined with --explain")
	require.Contains(t, wafctl(nil, nil, "check", "--all", "-").err, "--all: requires --profile")
}

func TestDurationsHaveFewDigits(t *testing.T) {
	few := regexp.MustCompile(`^\d{1,3} ns$|^\d\.\d .?s$|^\d{2,} .?s$`)
	for want, d := range map[string]time.Duration{
		"0 ns": 0, "999 ns": 999, "1.0 µs": 1000, "9.9 µs": 9940, "10 µs": 9960, "1.5 ms": 1500 * time.Microsecond, "75 s": 75 * time.Second,
	} {
		require.Equal(t, want, check.Duration(d))
		require.Regexp(t, few, check.Duration(d))
	}
}
