package fluentbit

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAPropertyThatIsGivenTwiceIsAMisuse(t *testing.T) {
	path := write(t, t.TempDir(), "a.conf", "[FILTER]\nname waf\nmatch *\nrules crs\nRules crs\n")
	c, err := Read(path)
	require.NoError(t, err)
	require.Equal(t, path+":5: filter waf: property Rules: given twice", c.Misuses()[0].String())
}

func TestSecretsOfDestinationsAreNotRepeated(t *testing.T) {
	c, err := Read(write(t, t.TempDir(), "a.yaml", "pipeline:\n  outputs:\n    - name: waf\n      alert_to: [stdout, 'forward://h?tag=a&shared-key=hidden']\n"))
	require.NoError(t, err)
	require.Len(t, c.Misuses(), 1)
	require.Contains(t, c.Misuses()[0].String(), "write one text: its parts with commas between them")
	require.NotContains(t, c.Misuses()[0].String(), "hidden")
}

func TestMisusesAreFoundInEverySection(t *testing.T) {
	dir := t.TempDir()
	path := write(t, dir, "a.yaml", `pipeline:
  inputs:
    - name: nano
      tag: nano
      storage.type: memory
      listenon: udp://127.0.0.1:1
      processors:
        logs:
          - name: waf
            emit_tga: alert
    - name: tail
      blocking_paranoai: 2
  filters:
    - name: waf
      match: "*"
      alias: edge
      blocking_paranoai: 2
      exclude_rules: [942100, 942110]
      redact_names: [one]
      alert_to: stdout
      nothing_like_it: 1
  outputs:
    - name: waf
      match: "*"
      retry_limit: no_limits
      emit_tag: x
`)
	c, err := Read(path)
	require.NoError(t, err)
	var found []string
	for _, m := range c.Misuses() {
		found = append(found, m.String())
	}
	require.Equal(t, []string{
		path + ":6: input nano: property listenon: unknown; did you mean listen_on?",
		path + ":10: processor waf: property emit_tga: unknown; did you mean emit_tag?",
		path + ":17: filter waf: property blocking_paranoai: unknown; did you mean blocking_paranoia?",
		path + ":18: filter waf: property exclude_rules: Fluent Bit takes a list for several properties of the same name; write one text: '942100,942110'",
		path + ":20: filter waf: property alert_to: belongs to the output waf",
		path + ":21: filter waf: property nothing_like_it: unknown; docs/configuration.md lists all",
		path + ":26: output waf: property emit_tag: belongs to the filter waf",
	}, found)
}
