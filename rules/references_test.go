package rules

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

func TestDirectivesThatNameRulesMeanWhatModSecurityMeans(t *testing.T) {
	const rules = `SecRule ARGS:a "@contains x" "id:11,phase:2,deny,severity:2,msg:'First',tag:'attack-one',tag:'app/one'"
SecRule ARGS:a "@contains x" "id:12,phase:2,deny,severity:2,msg:'Second',tag:'attack-two'"
SecRule ARGS:a "@contains x" "id:13,phase:2,deny,severity:2,tag:'other'"
`
	for name, c := range map[string]struct {
		directives string
		want       []int
		warnings   []string
	}{
		"nothing named":           {want: []int{11, 12, 13}},
		"by id":                   {directives: "SecRuleRemoveById 11", want: []int{12, 13}},
		"by ids and ranges":       {directives: `SecRuleRemoveById "11" 12-13`},
		"by ids with commas":      {directives: `SecRuleRemoveById 11,13`, want: []int{12}},
		"by tag":                  {directives: `SecRuleRemoveByTag "attack-one"`, want: []int{12, 13}},
		"by a pattern of tags":    {directives: `SecRuleRemoveByTag "^attack-"`, want: []int{13}},
		"by message":              {directives: `SecRuleRemoveByMsg "Second"`, want: []int{11, 13}},
		"by a pattern of msgs":    {directives: `SecRuleRemoveByMsg "(?i)^(first|second)$"`, want: []int{13}},
		"targets by id":           {directives: `SecRuleUpdateTargetById 11 "!ARGS:a"`, want: []int{12, 13}},
		"targets by several ids":  {directives: `SecRuleUpdateTargetById 11 13 "!ARGS:a"`, want: []int{12}},
		"targets by tag":          {directives: `SecRuleUpdateTargetByTag "attack-two" "!ARGS:a"`, want: []int{11, 13}},
		"targets by message":      {directives: `SecRuleUpdateTargetByMsg "First" "!ARGS:a"`, want: []int{12, 13}},
		"actions by id":           {directives: `SecRuleUpdateActionById 12 "pass, severity:5"`, want: []int{11, 12, 13}},
		"an unknown id":           {directives: "SecRuleRemoveById 99", want: []int{11, 12, 13}, warnings: []string{"directives:1: SecRuleRemoveById has no effect: there is no rule 99"}},
		"an unknown id's targets": {directives: `SecRuleUpdateTargetById 99 "!ARGS:a"`, want: []int{11, 12, 13}, warnings: []string{"directives:1: SecRuleUpdateTargetById has no effect: there is no rule 99"}},
		"an unknown tag":          {directives: "SecRuleRemoveByTag none", want: []int{11, 12, 13}, warnings: []string{`directives:1: SecRuleRemoveByTag left out: no rule before it has this tag: "none"`}},
		"an id that comes later": {
			directives: "SecRuleRemoveById 14\nSecRule ARGS:a \"@contains x\" \"id:14,phase:2,deny,severity:2\"", want: []int{11, 12, 13, 14},
			warnings: []string{"directives:1: SecRuleRemoveById has no effect: rule 14 comes later, at directives:2"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, map[string]string{"a.conf": rules})
			set := open(t, setting.Map{"rules": dir, "directives": c.directives})
			require.Equal(t, c.warnings, set.Warnings())
			transaction := sample()
			transaction.URI = "/?a=x"
			v, err := set.Inspect(transaction)
			require.NoError(t, err)
			require.Equal(t, c.want, ids(v))
		})
	}
	_, err := Open(config(t, setting.Map{"directives": "SecRuleRemoveById x-y"}))
	require.ErrorContains(t, err, `directives:1: SecRuleRemoveById: malformed rule "x-y" (want an id or a range of ids such as 942100-942199)`)
}

func TestSpellingOfOperatorsIsForgiven(t *testing.T) {
	set := open(t, setting.Map{"rules": "crs", "directives": `SecRule ARGS:t "@CONTAINS passwd" "id:1,phase:2,pass,severity:5"` + "\n" +
		`SecRule ARGS:t "!@StrEq x" "id:2,phase:2,pass,severity:5,setvar:ip.seen=+1,initcol:ip=%{REMOTE_ADDR},sanitiseArg:t"` + "\n" +
		`SecRule IP:seen "@gt 3" "id:3,phase:2,deny,severity:5"`})
	v, err := set.Inspect(sample())
	require.NoError(t, err)
	require.Subset(t, ids(v), []int{1, 2})
	require.Equal(t, []string{
		"directives:2: rule 2: action sanitisearg left out: alerts take the place of the audit log",
		"directives:2: rule 2: action setvar:ip left out: nothing is kept between transactions",
		"directives:3: rule 3 left out: IP: nothing is kept between transactions",
	}, set.Warnings())
}
