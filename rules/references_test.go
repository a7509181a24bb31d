package rules

import (
	"strings"
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
		"an unknown tag":          {directives: "SecRuleRemoveByTag none", want: []int{11, 12, 13}, warnings: []string{`directives:1: SecRuleRemoveByTag skipped: no earlier rule has this tag: "none"`}},
		"an id that comes later": {
			directives: "SecRuleRemoveById 14\nSecRule ARGS:a \"@contains x\" \"id:14,phase:2,deny,severity:2\"", want: []int{11, 12, 13, 14},
			warnings: []string{"directives:1: SecRuleRemoveById has no effect: rule 14 comes later, at directives:2"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, map[string]string{"a.conf": rules})
			set := open(t, setting.Map{"rules": dir, "rule_packs": "off", "directives": c.directives})
			require.Equal(t, c.warnings, set.Warnings())
			transaction := sample()
			transaction.URI = "/?a=x"
			v, err := set.Inspect(transaction)
			require.NoError(t, err)
			require.Equal(t, c.want, ids(v))
		})
	}
	_, err := library.Open(config(t, setting.Map{"directives": "SecRuleRemoveById x-y"}))
	require.ErrorContains(t, err, `directives:1: SecRuleRemoveById: malformed rule "x-y" (want an id or a range of ids such as 942100-942199)`)
}

func TestListsOfTargets(t *testing.T) {
	const rules = `SecRule ARGS|REQUEST_COOKIES "@contains x" "id:11,phase:2,deny,severity:2,msg:'First, and only',tag:'attack-one'"
SecRule ARGS "@contains x" "id:12,phase:2,deny,severity:2,msg:'Second',tag:'attack-two'"
`
	ctl := func(action string) string {
		return `SecAction "id:1,phase:1,pass,nolog,` + action + `"`
	}
	for directive, c := range map[string]struct {
		silent string // arguments at which rule 11 no longer looks
		other  string // and rule 12
	}{
		`SecRuleUpdateTargetById 11 "!ARGS:k,!ARGS:l"`:                                              {"k l", ""},
		`SecRuleUpdateTargetById 11 !ARGS:k,!ARGS:l`:                                                {"k l", ""},
		`SecRuleUpdateTargetById 11 '!ARGS:k,!ARGS:l'`:                                              {"k l", ""},
		`SecRuleUpdateTargetById 11 "!ARGS:k|!ARGS:l"`:                                              {"k l", ""},
		`SecRuleUpdateTargetById 11 "!ARGS:k, !ARGS:l"`:                                             {"k l", ""},
		`SecRuleUpdateTargetById 11 "!ARGS:k | !ARGS:l,!ARGS:m"`:                                    {"k l m", ""},
		`SecRuleUpdateTargetById 11-12 "!ARGS:/^k{1,2}$/,!ARGS:l"`:                                  {"k l", "k l"},
		`SecRuleUpdateTargetById 11,12 "!ARGS:k,!ARGS:l"`:                                           {"k l", "k l"},
		`SecRuleUpdateTargetById 11 "!ARGS:'/^(k|l)$/',!ARGS:m"`:                                    {"k l m", ""},
		`SecRuleUpdateTargetById 11 "!args:K,!Args:L"`:                                              {"k l", ""},
		`SecRuleUpdateTargetById 11 "!ARGS:k,!REQUEST_HEADERS:a/b,!ARGS:l"`:                         {"k l", ""},
		`SecRuleUpdateTargetByTag attack-one "!ARGS:k,!ARGS:l"`:                                     {"k l", ""},
		`SecRuleUpdateTargetByTag "^attack-" "!ARGS:k|!ARGS:l"`:                                     {"k l", "k l"},
		`SecRuleUpdateTargetByMsg "First, and only" "!ARGS:k,!ARGS:l"`:                              {"k l", ""},
		ctl(`ctl:ruleRemoveTargetById=11;ARGS:k,ctl:ruleRemoveTargetById=11;ARGS:l`):                {"k l", ""},
		ctl(`ctl:ruleRemoveTargetById=11;ARGS:k|ARGS:l`):                                            {"k l", ""},
		ctl(`ctl:'ruleRemoveTargetById=11;ARGS:k,ARGS:l'`):                                          {"k l", ""},
		ctl(`ctl:'ruleRemoveTargetById=11,12;ARGS:k, ARGS:l'`):                                      {"k l", "k l"},
		ctl(`ctl:ruleRemoveTargetById=11-12;ARGS:k|ARGS:l`):                                         {"k l", "k l"},
		ctl(`ctl:'ruleRemoveTargetById=11;ARGS:/^k{1,2}$/,ARGS:l'`):                                 {"k l", ""},
		ctl(`ctl:ruleRemoveTargetByTag=attack-one;ARGS:k|ARGS:l`):                                   {"k l", ""},
		ctl(`ctl:'ruleRemoveTargetByMsg=First, and only;ARGS:k,ARGS:l'`):                            {"k l", ""},
		ctl(`ctl:ruleRemoveTargetById=11;ARGS|REQUEST_COOKIES`):                                     {"k l m", ""},
		ctl(`ctl:'ruleRemoveById=11,12'`):                                                           {"k l m", "k l m"},
		ctl(`ctl:'ruleRemoveById=11 12'`):                                                           {"k l m", "k l m"},
		ctl(`ctl:ruleRemoveById=11-12`):                                                             {"k l m", "k l m"},
		`SecRule ARGS:k,ARGS:l "@rx ." "id:1,phase:1,pass,nolog,ctl:ruleRemoveById=11"`:             {"k l", ""},
		`SecRule "ARGS:k, ARGS:l" "@rx ." "id:1,phase:1,pass,nolog,ctl:ruleRemoveById=11"`:          {"k l", ""},
		`SecRule ARGS:'/^(k|l)$/',ARGS:n "@rx ." "id:1,phase:1,pass,nolog,ctl:ruleRemoveById=11"`:   {"k l", ""},
		`SecRule ARGS,!ARGS:m "@rx ." "id:1,phase:1,pass,nolog,ctl:ruleRemoveById=11"`:              {"k l", ""},
		`SecRule ARGS:/^[k,l]$/ "@rx ." "id:1,phase:1,pass,nolog,ctl:ruleRemoveTargetById=11;ARGS"`: {"k l", ""},
	} {
		dir := t.TempDir()
		write(t, dir, map[string]string{"a.conf": rules})
		settings := setting.Map{"rules": dir, "rule_packs": "off", "directives": directive}
		for _, prefilter := range []string{"on", "off"} {
			settings["prefilter"] = prefilter
			set := open(t, settings)
			require.Empty(t, set.Warnings(), directive)
			for _, name := range []string{"k", "l", "m"} {
				transaction := sample()
				transaction.URI = "/?" + name + "=x"
				v, err := set.Inspect(transaction)
				require.NoError(t, err)
				var want []int
				if !strings.Contains(c.silent, name) {
					want = append(want, 11)
				}
				if !strings.Contains(c.other, name) {
					want = append(want, 12)
				}
				require.Equal(t, want, ids(v), "%s: argument %s", directive, name)
			}
		}
	}
}

func TestExclusionsFindNamesInAnyCase(t *testing.T) {
	const rules = `SecRule ARGS|REQUEST_COOKIES|REQUEST_HEADERS|XML:/* "@contains attack" "id:11,phase:2,deny,msg:'one'"` + "\n"
	for directive, silent := range map[string]bool{
		`SecRuleUpdateTargetById 11 "!ARGS:/^userName$/"`:                                                      true,
		`SecRuleUpdateTargetById 11 "!ARGS:/^user[A-Z]/"`:                                                      true,
		`SecRuleUpdateTargetById 11 "!ARGS:'/^(userName|x)$/'"`:                                                true,
		`SecRuleUpdateTargetById 11 "!ARGS:/(?i)^USERNAME$/"`:                                                  true,
		`SecRuleUpdateTargetById 11 "!ARGS:/^username$/"`:                                                      true,
		`SecRuleUpdateTargetById 11 "!ARGS:userName"`:                                                          true,
		`SecRuleUpdateTargetById 11 "!ARGS:x,!ARGS:/^userNam[A-Ze]$/"`:                                         true,
		`SecRuleUpdateTargetById 11 "!ARGS:/^UserKey$/"`:                                                       false,
		`SecRuleUpdateTargetById 11 "!XML://UserName"`:                                                         false,
		`SecAction "id:1,phase:1,pass,nolog,ctl:ruleRemoveTargetById=11;ARGS:/^userName$/"`:                    true,
		`SecAction "id:1,phase:1,pass,nolog,ctl:ruleRemoveTargetById=11;ARGS:/^UserKey$/"`:                     false,
		`SecAction "id:1,phase:1,pass,nolog,ctl:ruleRemoveTargetByMsg=one;ARGS:/^user\w+N/|ARGS:/^userName$/"`: true,
	} {
		for _, prefilter := range []string{"on", "off"} {
			set := open(t, setting.Map{"rules": ownFile(t, rules), "rule_packs": "off", "directives": directive, "prefilter": prefilter})
			transaction := sample()
			transaction.URI = "/?userName=attack"
			v, err := set.Inspect(transaction)
			require.NoError(t, err)
			require.Equal(t, silent, len(v.Matches) == 0, "%s, prefilter %s", directive, prefilter)
		}
	}
}

func TestTargetsThatNothingMeansAreReportedWithTheirPlace(t *testing.T) {
	for directive, want := range map[string]string{
		`SecRuleUpdateTargetById 942100 "!ARGS:k,l"`: `SecRuleUpdateTargetById: unknown variable "l" of the target "l" ` +
			`(commas and bars separate targets; write a key that contains them as an expression)`,
		`SecRuleUpdateTargetById 942100 "!ARGS:k,"`:                                         `SecRuleUpdateTargetById: unknown variable "" of the target ""`,
		`SecRuleUpdateTargetById 942100 !ARGS:k, !ARGS:l`:                                   `SecRuleUpdateTargetById: malformed rule "!ARGS:k"`,
		`SecRuleUpdateTargetById 942100 ARGS "ARGS:k"`:                                      `SecRuleUpdateTargetById: malformed rule "ARGS"`,
		`SecRuleUpdateTargetById 942100`:                                                    `SecRuleUpdateTargetById: 1 arguments`,
		`SecRuleUpdateTargetById 942100 "!ARG:k"`:                                           `unknown variable "ARG" of the target "!ARG:k"`,
		`SecRuleUpdateTargetById 942100 "!REQUEST_URI:k"`:                                   `malformed target "!REQUEST_URI:k" (REQUEST_URI has no keys)`,
		`SecRuleUpdateTargetByTag attack-sqli "!ARGS:k,nothing"`:                            `unknown variable "nothing"`,
		`SecRuleUpdateTargetByTag attack-sqli !ARGS:k !ARGS:l`:                              `3 arguments (want the rules and the targets)`,
		`SecRuleUpdateTargetByMsg "a b" "!ARGS:k;!ARGS:l|x"`:                                `unknown variable "x"`,
		`SecAction "id:1,phase:1,pass,nolog,ctl:ruleRemoveTargetById=942100;ARGS:k,ARGS:l"`: `rule 1: invalid action`,
		`SecAction "id:1,phase:1,pass,nolog,ctl:ruleRemoveTargetById=942100;ARGS:k|l"`:      `rule 1: ctl:ruleRemoveTargetById=942100;ARGS:k|l: unknown variable "l"`,
		`SecAction "id:1,phase:1,pass,nolog,ctl:ruleRemoveTargetById=942100;!ARGS:k"`:       `malformed target "!ARGS:k" (want a variable such as ARGS:q)`,
		`SecAction "id:1,phase:1,pass,nolog,ctl:ruleRemoveTargetById=942100"`:               `no target (want one after a semicolon, such as 942100;ARGS:q)`,
		`SecAction "id:1,phase:1,pass,nolog,ctl:ruleRemoveTargetById=sqli;ARGS:k"`:          `malformed rule "sqli" (want an id or a range`,
		`SecAction "id:1,phase:1,pass,nolog,ctl:ruleRemoveTargetByTag=attack-sqli;ARG:k"`:   `unknown variable "ARG"`,
		`SecAction "id:1,phase:1,pass,nolog,ctl:ruleRemoveById=sqli"`:                       `malformed rule "sqli"`,
		`SecAction "id:1,phase:1,pass,nolog,ctl:ruleRemoveById="`:                           `no rule (want an id`,
		`SecRule ARGS:k,l "@rx x" "id:1,phase:1,pass,nolog"`:                                `rule 1: unknown variable L`,
	} {
		named := ownFile(t, `SecRule ARGS "@rx x" "id:942100,phase:2,deny,msg:'a b',tag:'attack-sqli'"`)
		_, err := library.Open(config(t, setting.Map{"rules": named, "rule_packs": "off", "directives": "# comment\n" + directive}))
		require.ErrorContains(t, err, "directives:2: ", directive)
		require.ErrorContains(t, err, want, directive)
		report := Check(config(t, setting.Map{"rules": named, "rule_packs": "off", "directives": directive, "rules_strict": "off"}))
		require.Empty(t, report.Refused, directive)
		require.Contains(t, strings.Join(report.Broken, "\n"), want, directive)
	}
}

func TestSpellingOfOperatorsIsForgiven(t *testing.T) {
	set := open(t, setting.Map{"rules": "crs", "directives": `SecRule ARGS:t "@CONTAINS passwd" "id:1,phase:2,pass,severity:5"` + "\n" +
		`SecRule ARGS:t "!@StrEq x" "id:2,phase:2,pass,severity:5,setvar:ip.seen=+1,initcol:ip=%{REMOTE_ADDR},sanitiseArg:t"` + "\n" +
		`SecRule IP:seen "@gt 3" "id:3,phase:2,deny,severity:5"`})
	v, err := set.Inspect(sample())
	require.NoError(t, err)
	require.Subset(t, ids(v), []int{1, 2})
	require.Equal(t, []string{
		"directives:2: rule 2: action sanitisearg skipped: alerts replace the audit log",
		"directives:2: rule 2: action setvar:ip skipped: nothing is kept between transactions",
		"directives:3: rule 3 skipped: IP: nothing is kept between transactions",
	}, set.Warnings())
}
