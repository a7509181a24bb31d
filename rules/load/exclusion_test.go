package load

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestExclusionsAreWrittenAsDirectives(t *testing.T) {
	vocabulary := Vocabulary{Variable: someVariable}
	for part, want := range map[string]string{
		"942100":             "SecRuleRemoveById 942100",
		"942100 - 942199":    "SecRuleRemoveById 942100-942199",
		"tag:attack-sqli":    "SecRuleRemoveByTag attack-sqli",
		"942100:ARGS:q":      `SecRuleUpdateTargetById 942100 "!ARGS:q"`,
		"942100-942199:ARGS": `SecRuleUpdateTargetById 942100-942199 "!ARGS"`,
		"tag:attack-sqli:REQUEST_COOKIES:session": `SecRuleUpdateTargetByTag attack-sqli "!REQUEST_COOKIES:session"`,
		`942100:ARGS:/^a\x2eb$/`:                  `SecRuleUpdateTargetById 942100 "!ARGS:/^a\x2eb$/"`,
		"942100:XML:/*":                           `SecRuleUpdateTargetById 942100 "!XML:/*"`,
		"942100:args_names":                       `SecRuleUpdateTargetById 942100 "!args_names"`,
	} {
		got, err := vocabulary.exclusion(part)
		require.NoError(t, err, part)
		require.Equal(t, want, got)
	}
}

func TestMalformedExclusionsAreRefused(t *testing.T) {
	vocabulary := Vocabulary{Variable: someVariable}
	for part, want := range map[string]string{
		"x":                 `malformed rule "x" (want an id, a range of ids such as 942100-942199, or tag:NAME)`,
		"0":                 `malformed rule "0"`,
		"3-2":               `malformed rule "3-2"`,
		"tag:":              `malformed tag ""`,
		`tag:a"b`:           `malformed tag "a\"b"`,
		"942100:":           `malformed target ""`,
		"942100:ARGS:":      `malformed target "ARGS:"`,
		`942100:ARGS:a"`:    `malformed target "ARGS:a\""`,
		"942100:ARGS:a|b":   `malformed target "ARGS:a|b"`,
		"942100:!ARGS:a":    `malformed target "!ARGS:a"`,
		"942100:ARGS:/x":    `malformed target "ARGS:/x"`,
		"942100:ARGS:a b":   `malformed target "ARGS:a b"`,
		"942100:ARG:q":      `unknown variable "ARG" of the target "ARG:q"`,
		"942100:ARGS:q:x y": `malformed target`,
	} {
		_, err := vocabulary.exclusion(part)
		require.ErrorContains(t, err, want, part)
	}
}

// someVariable knows some variables of Coraza.
func someVariable(name string) (hasKeys, known bool) {
	known = slices.Contains([]string{"ARGS", "ARGS_NAMES", "REQUEST_BODY", "REQUEST_COOKIES", "REQUEST_HEADERS", "XML"}, strings.ToUpper(name))
	return known && !strings.EqualFold(name, "REQUEST_BODY"), known
}
