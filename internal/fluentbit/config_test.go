package fluentbit

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	return path
}

func TestYAMLAndClassicAreReadAlike(t *testing.T) {
	t.Setenv("FROM_OUTSIDE", "outside")
	dir := t.TempDir()
	yaml := write(t, dir, "a.yaml", `
env:
  TAG: nano
plugins:
  - /lib/out_waf.so
service:
  Flush: 1
includes:
  - more.yaml
pipeline:
  inputs:
    - name: tail
      tag: ${TAG}
      path: /${FROM_OUTSIDE}/${MISSING}/*.log
      processors:
        logs:
          - name: waf
            emit_tag: alert.$TAG
  filters:
    - Name: WAF
      Match: '*'
      exclude_rules: [942100, "942110"]
`)
	write(t, dir, "more.yaml", "pipeline:\n  outputs:\n    - name: stdout\n      match: alert.*\n")
	classic := write(t, dir, "a.conf", `
@SET TAG=nano
@INCLUDE more*.conf
# a comment
[SERVICE]
    Flush 1
    Plugins_File plugins.conf
[INPUT]
    Name  tail
    Tag   ${TAG}
    Path  /${FROM_OUTSIDE}/${MISSING}/*.log
[FILTER]
    Name  WAF
    Match *
    exclude_rules 942100,942110
`)
	write(t, dir, "more1.conf", "[OUTPUT]\n    Name stdout\n    Match alert.*\n")
	write(t, dir, "plugins.conf", "[PLUGINS]\n    Path /lib/out_waf.so\n")
	for _, path := range []string{yaml, classic} {
		c, err := Read(path)
		require.NoError(t, err)
		require.Equal(t, "/lib/out_waf.so", c.Plugins[0].Value)
		require.Equal(t, "1", c.Service.Get("flush"))
		require.Equal(t, "input tail", c.Inputs[0].Title())
		require.Equal(t, "nano", c.Inputs[0].Get("tag"))
		require.Equal(t, "/outside//*.log", c.Inputs[0].Get("path"))
		require.Equal(t, "MISSING", c.Unset[0].Key)
		require.Len(t, c.Unset, 1)
		waf := c.Named(Filter, "waf")[0]
		require.Equal(t, "942100,942110", waf.Get("EXCLUDE_RULES"))
		require.Equal(t, path == yaml, waf.Find("exclude_rules").List)
		require.Equal(t, path, waf.Place.File)
		require.True(t, c.Outputs[0].Matches("alert.nano"))
	}
	c, err := Read(yaml)
	require.NoError(t, err)
	require.Equal(t, "alert.$TAG", c.Named(Processor, "waf")[0].Get("emit_tag"))
	require.Equal(t, 22, c.Named(Filter, "waf")[0].Find("exclude_rules").Place.Line)
}

func TestBrokenConfigurationsNameTheirPlace(t *testing.T) {
	for text, want := range map[string]string{
		"pipeline:\n  input:\n   - name: x": "a.yaml:2: unknown key \"input\" in pipeline",
		"- a":                               "a.yaml:1: no pipeline",
		"a: [":                              "read ",
		"includes: [a.yaml]":                "more than 16 levels",
	} {
		_, err := Read(write(t, t.TempDir(), "a.yaml", text))
		require.ErrorContains(t, err, want, text)
	}
	for text, want := range map[string]string{
		"name x":         "a.conf:1: \"name x\" stands in front of the first section",
		"[INPUT\nname x": "no closing bracket",
		"@SET x":         "want NAME=VALUE",
	} {
		_, err := Read(write(t, t.TempDir(), "a.conf", text))
		require.ErrorContains(t, err, want, text)
	}
}

func TestOnlyRegularFilesAreRead(t *testing.T) {
	for path, want := range map[string]string{"/dev/null": "is not a regular file", t.TempDir(): "is not a regular file", "/nowhere.conf": "no such file"} {
		_, err := Read(path)
		require.ErrorContains(t, err, want)
	}
}

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		key, pattern, tag string
		want              bool
	}{
		{"match", "*", "a.b", true},
		{"match", "a.*", "a.b", true},
		{"match", "a.*", "a", false},
		{"match", "*.b", "a.b", true},
		{"match", "a*c", "abbc", true},
		{"match", "a*c", "abbd", false},
		{"match", "a", "a", true},
		{"match", "a", "ab", false},
		{"match_regex", `^(?!alert\.)`, "alert.x", false},
		{"match_regex", `^(?!alert\.)`, "nano", true},
		{"other", "x", "x", false},
	} {
		s := Section{Properties: []Property{{Key: c.key, Value: c.pattern}}}
		require.Equal(t, c.want, s.Matches(c.tag), "%+v", c)
	}
}
