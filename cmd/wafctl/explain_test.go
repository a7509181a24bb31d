package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/check"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/stretchr/testify/require"
)

const (
	encoded = `{"SRC_IP":"10.1.2.3","METHOD":"GET","URL":"/?q=%252Fx%252F..%252FETC%2Fpasswd\u001b&p=1","DOMAIN":"shop.example","AGENT":"curl","L7_PROTOCOL":"http"}`
	byRules = "--rules=testdata/explain.conf"
)

func TestExplanationOfARecord(t *testing.T) {
	for name, change := range map[string]func(*cli.Console){
		"explain.txt": nil, "explain-color.txt": func(c *cli.Console) { c.Width, c.Color = 120, true },
	} {
		got := wafctl(strings.NewReader(clean+"\n"+encoded), change, "check", "--explain", "--line", "2", byRules, "-")
		require.Equal(t, cli.ExitAlert, got.code, got.err)
		golden(t, name, got.out)
	}
}

func TestExplanationsAreOfEveryKind(t *testing.T) {
	got := wafctl(strings.NewReader(clean+"\n"+`{"L7_PROTOCOL":"dns","METHOD":"GET","URL":"/"}`+"\n{\"a\":1}\n{"), nil, "check", "--explain", byRules, "-")
	require.Equal(t, cli.ExitError, got.code)
	require.Contains(t, got.out, "standard input:1: clean, read with the field map nano\n")
	require.Contains(t, got.out, "standard input:2: not HTTP according to the field map nano\n")
	require.Contains(t, got.out, "standard input:3: not HTTP: no field map knows its keys\n")
	require.Equal(t, "wafctl: standard input:4: not JSON at byte 2 (want a key in double quotes)\nwafctl: 1 line could not be read\n", got.err)
	requireNoControls(t, got.out)
}

func TestExplanationAsJSON(t *testing.T) {
	got := wafctl(strings.NewReader(encoded), nil, "check", "--explain", "--output", "json", byRules, "-")
	require.Equal(t, cli.ExitAlert, got.code, got.err)
	var x check.JSONExplanation
	require.NoError(t, json.Unmarshal([]byte(got.out), &x))
	require.True(t, x.HTTP && x.Alert)
	require.Equal(t, &check.JSONSum{Score: 5, Limit: 5}, x.Inbound)
	require.Len(t, x.Matches, 1)
	require.Equal(t, "found in REQUEST_METHOD", x.Matches[0].Data)
	require.Equal(t, []check.JSONStep{
		{Value: "%2Fx%2F..%2FETC/passwd\x1b"},
		{Transformation: "urlDecodeUni", Value: "/x/../ETC/passwd\x1b"},
		{Transformation: "normalizePath", Value: "/ETC/passwd\x1b"},
		{Transformation: "lowercase", Value: "/etc/passwd\x1b"},
	}, x.Matches[0].Values[0].Steps)
}

func TestExplanationOfTheCoreRuleSet(t *testing.T) {
	sample, err := os.ReadFile("../../testdata/nano-sample.json")
	require.NoError(t, err)
	got := wafctl(strings.NewReader(string(sample)), nil, "check", "--explain", "-")
	require.Equal(t, cli.ExitAlert, got.code, got.err)
	require.Contains(t, got.out, "932160  CRITICAL  Remote Command Execution: Unix Shell Code Found\n")
	require.Contains(t, got.out, "\n    ARGS:t = ../../etc/passwd\n      original                  ../../etc/passwd\n      t:cmdLine")
	require.Contains(t, got.out, "33, alerts from 5\n")
}

func TestExplanationsShortenLongLinesUnlessFull(t *testing.T) {
	long := strings.Replace(encoded, "p=1", "p="+strings.Repeat("x", 300), 1)
	for _, width := range []int{0, 80} {
		set := func(c *cli.Console) { c.Width = width }
		got := wafctl(strings.NewReader(long), set, "check", "--explain", byRules, "-")
		require.NotContains(t, got.out, strings.Repeat("x", 120))
		require.Contains(t, got.out, "xxx…\n")
		got = wafctl(strings.NewReader(long), set, "check", "--explain", "--full", byRules, "-")
		require.Contains(t, got.out, "ARGS:p                            "+strings.Repeat("x", 300)+"\n")
		require.NotContains(t, got.out, "…")
	}
	require.Contains(t, wafctl(nil, nil, "check", "--full", "-").err, "--full: requires --explain")
}

func TestLineGoesWithExplain(t *testing.T) {
	require.Contains(t, wafctl(nil, nil, "check", "--line", "2", "-").err, "--line: requires --explain")
	got := wafctl(strings.NewReader(clean), nil, "check", "--explain", "--line", "2", byRules, "-")
	require.Equal(t, cli.ExitError, got.code)
	require.Contains(t, got.err, "--line 2: no such record in standard input")
}
