package seclang

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSpellingsOfModSecurityAndApacheReadTheSame(t *testing.T) {
	const rule = `SecRule ARGS|ARGS_NAMES "@rx a \"b\" c" "id:1,phase:2,msg:'it''s'"`
	for name, text := range map[string]string{
		"as Coraza wants it":       rule,
		"tabs":                     "SecRule\tARGS|ARGS_NAMES\t\t\"@rx a \\\"b\\\" c\" \t\"id:1,phase:2,msg:'it''s'\"",
		"lines":                    "  SecRule ARGS|ARGS_NAMES \\\r\n  \"@rx a \\\"b\\\" c\" \\\r\n\r\n# comment\r\n\"id:1,phase:2,\\\r\n msg:'it''s'\"\r\n",
		"targets in quotes":        `SecRule "ARGS | ARGS_NAMES" "@rx a \"b\" c" "id:1,phase:2,msg:'it''s'"`,
		"operator in single":       `SecRule ARGS|ARGS_NAMES '@rx a "b" c' "id:1,phase:2,msg:'it''s'"`,
		"actions in single":        `SecRule ARGS|ARGS_NAMES "@rx a \"b\" c" 'id:1,phase:2,msg:\'it\'\'s\''`,
		"actions without quotes":   `SecRule ARGS|ARGS_NAMES "@rx a \"b\" c" id:1,phase:2,msg:'it''s'`,
		"byte order mark in front": "\ufeff" + rule,
	} {
		t.Run(name, func(t *testing.T) {
			found, err := Split("f", text)
			require.NoError(t, err)
			require.Len(t, found, 1)
			require.Equal(t, []string{rule}, found[0].Rows())
			r, err := ParseRule(found[0])
			require.NoError(t, err)
			require.Equal(t, Operator{Name: "rx", Argument: `a "b" c`}, r.Operator)
			require.Equal(t, 1, r.ID())
			require.Len(t, r.Targets, 2)
		})
	}
}

func TestOtherDirectivesKeepTheirWords(t *testing.T) {
	for text, want := range map[string]string{
		"SecRuleEngine\tOn":                     "SecRuleEngine On",
		"SecRuleEngine 'On'":                    `SecRuleEngine "On"`,
		`SecComponentSignature "a b"`:           `SecComponentSignature "a b"`,
		"SecAction id:1,nolog":                  `SecAction "id:1,nolog"`,
		"SecAction 'id:1,msg:\\'a\\''":          `SecAction "id:1,msg:'a'"`,
		"SecResponseBodyMimeType a/b c/d":       "SecResponseBodyMimeType a/b c/d",
		"SecResponseBodyMimeTypesClear":         "SecResponseBodyMimeTypesClear",
		"SecRule ARGS attack":                   `SecRule ARGS "attack"`,
		`SecRule ARGS "open`:                    `SecRule ARGS "open`,
		"SecRule ARGS":                          "SecRule ARGS",
		`SecRule ARGS "a" "id:1" surplus`:       `SecRule ARGS "a" "id:1" surplus`,
		"SecDataset list `\nb a\n\"c\"\n`":      "SecDataset list `",
		`SecRuleUpdateTargetById 1 "!ARGS:'x'"`: `SecRuleUpdateTargetById 1 "!ARGS:'x'"`,
	} {
		found, err := Split("f", text)
		require.NoError(t, err, text)
		require.Len(t, found, 1, text)
		require.Equal(t, want, found[0].Rows()[0])
	}
}
