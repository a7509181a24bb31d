package rules

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

// FuzzRuleFile loads any text as a file of rules: it becomes a set that can judge, or is refused with the place.
func FuzzRuleFile(f *testing.F) {
	for _, text := range []string{
		`SecRule ARGS "@rx a(b|c)+" "id:1,phase:2,deny,t:lowercase,severity:2,msg:'m',logdata:'%{MATCHED_VAR}',chain"` + "\n  SecRule TX:a \"@eq 1\"",
		"SecRule ARGS|!ARGS:a|&REQUEST_HEADERS \"!@pm a b\" \\\n \"id:2,phase:1,pass,setvar:tx.a=+%{tx.b},ctl:ruleRemoveById=1\"",
		"SecAction \"id:3,phase:5,nolog,skipAfter:END\"\nSecMarker END\nSecRuleRemoveById 1-5\nSecRuleUpdateTargetById 2 \"!ARGS:x\"",
		"SecDefaultAction \"phase:2,log,pass\"\nSecArgumentsLimit 10\nSecRequestBodyLimit -1\n", "Include x.conf\n", "<IfModule a>\nSecRuleEngine Off\n</IfModule>",
		`SecRule ARGS "@pmFromFile a.data" "id:4,deny"`, `SecRule ARGS "@inspectFile /bin/true" "id:5,deny,exec:/bin/true,setenv:a=b"`, "SecRemoteRules a https://a\n",
		`SecRule XML:/* "@validateByteRange 1-255" "id:6,phase:2,block"`, "SecRule ARGS \"@within %{tx.a}\" \"id:7,multiMatch,deny\"", "#\\\n#", "\"", "SecRule", "\xff\x00",
	} {
		f.Add(text)
	}
	dir := f.TempDir()
	file := filepath.Join(dir, "a.conf")
	f.Fuzz(func(t *testing.T, text string) {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		set, err := library.Open(config(t, setting.Map{"rules": file, "rule_packs": "off", "cache_size": "0"}))
		if err != nil {
			require.ErrorContains(t, err, "a.conf")
			return
		}
		transaction := sample()
		transaction.URI = "/?a=abc&x=1"
		_, err = set.Inspect(transaction)
		require.NoError(t, err)
		require.NoError(t, set.Close())
	})
}
