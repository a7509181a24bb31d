package main

import (
	"strings"
	"testing"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/stretchr/testify/require"
)

const (
	deletes = `{"METHOD":"DELETE","URL":"/x","DOMAIN":"shop.example","AGENT":"curl"}`
	plainly = `{"METHOD":"GET","URL":"/?q=/etc/passwd","DOMAIN":"shop.example","AGENT":"curl"}`
)

func TestCompareShowsWhatChanges(t *testing.T) {
	in := strings.Join([]string{clean, encoded, deletes, plainly, dns}, "\n")
	with := []string{"compare", byRules, "--exclude-rules", "101", "--with", "exclude-rules=100", "-"}
	got := wafctl(strings.NewReader(in), nil, with...)
	require.Equal(t, cli.ExitAlert, got.code, got.err)
	golden(t, "compare.txt", got.out)
	got = wafctl(strings.NewReader(in), nil, append(with, "--output", "json")...)
	require.Equal(t, cli.ExitAlert, got.code, got.err)
	golden(t, "compare.json", got.out)
}

func TestCompareFindsNoDifferenceInTheSame(t *testing.T) {
	got := wafctl(strings.NewReader(encoded+"\n"+deletes), nil, "compare", byRules, "--with", "rules_strict=off", "-")
	require.Equal(t, cli.ExitClean, got.code, got.err)
	require.Equal(t, "2 records: 0 changes, 2 alerts → 2 alerts\n", got.out)
}

func TestCompareRefusesWhatItCannotChange(t *testing.T) {
	for want, args := range map[string][]string{
		"--with: missing (want PROPERTY=VALUE)":                                             {"-"},
		"--with: malformed change \"paranoia\" (want PROPERTY=VALUE)":                       {"--with", "paranoia", "-"},
		"--with: unknown property \"paranoja\"":                                             {"--with", "paranoja=2", "-"},
		"with --with: --blocking-paranoia: 9 is out of range (1 to 4)":                      {"--with", "blocking_paranoia=9", "-"},
		"wafctl: no file (want one or more, or - for standard input)\n\"wafctl compare --h": {"--with", "alert_on=match"},
	} {
		got := wafctl(strings.NewReader(clean), nil, append([]string{"compare", byRules}, args...)...)
		require.Equal(t, cli.ExitError, got.code)
		require.Contains(t, got.err, want)
	}
}
