package engine

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// What rule sets in use are made of has to be prefiltered; the list is in rules/prefilter/supported.go. The rules stand for the places named.
func TestThePrefilterSupportsWhatRuleSetsAreMadeOf(t *testing.T) {
	for name, rules := range map[string]string{
		"ModSecurity's configuration, 200004": `SecRule MULTIPART_UNMATCHED_BOUNDARY "@eq 1" "id:1,phase:2,deny"`,
		"ModSecurity's configuration, 200005": `SecRule TX:/^MSC_/ "!@streq 0" "id:1,phase:2,deny"`,
		"CRS 3.3, 980100": `SecRule ARGS_NAMES "@rx ." "id:1,phase:2,pass,setvar:'tx.count_%{MATCHED_VAR_NAME}=+1'"
SecRule &TX:'/LEAKAGE/' "@ge 1" "id:2,phase:5,pass,severity:'NOTICE',chain"
SecRule &TX:'/ATTACK/' "@ge 1" "t:none"`,
		"CRS 3.3, exclusions that are switched off": `SecAction "id:1,phase:1,pass,setvar:tx.methods=GET"
SecRule &TX:enabled "@eq 0" "id:2,phase:1,pass,skipAfter:END"
SecRule REQUEST_FILENAME "@endsWith .php" "id:3,phase:1,pass,setvar:'tx.methods=%{tx.methods} PUT'"
SecMarker END
SecRule REQUEST_METHOD "!@within %{tx.methods}" "id:4,phase:2,deny"`,
		"CRS 4.0 to 4.10, 920221": `SecRule REQUEST_HEADERS:Range "@rx (\d+)-(\d+)" "id:1,phase:1,deny,capture,chain"
SecRule TX:2 "@lt %{tx.1}" "t:none"
SecRule REQUEST_BASENAME "!@rx ^.*%.*\.\w+$" "id:2,phase:1,deny,capture,chain"
SecRule TX:0 "@validateUrlEncoding" "t:none"`,
		"CRS 4.25, 920539": `SecRule REQBODY_PROCESSOR "@streq JSON" "id:1,phase:2,pass,skip:1"
SecRule ARGS "@rx \x5cu" "id:2,phase:2,deny"
SecAction "id:3,phase:2,pass,setvar:tx.a=1"`,
		"CRS, names of headers": `SecAction "id:1,phase:1,pass,setvar:'tx.restricted=/proxy/ /if/'"
SecRule REQUEST_HEADERS_NAMES "@rx ^.*$" "id:2,phase:1,deny,capture,t:lowercase,setvar:'tx.header_%{tx.0}=/%{tx.0}/',chain"
SecRule TX:/^header_/ "@within %{tx.restricted}" "t:none"`,
		"a plugin that extends a list": `SecRule &TX:methods "@eq 0" "id:1,phase:1,pass,setvar:'tx.methods=GET POST'"
SecRule REQUEST_FILENAME "@streq /dav" "id:2,phase:1,pass,setvar:'tx.methods=%{tx.methods} PUT'"
SecRule REQUEST_FILENAME "@streq /" "id:3,phase:1,pass,setvar:'tx.methods=%{tx.methods} PROPFIND'"
SecRule &TX:methods "@eq 0" "id:4,phase:1,pass,setvar:'tx.methods=GET'"
SecRule REQUEST_METHOD "!@within %{tx.methods}" "id:5,phase:1,deny"`,
		"a plugin that switches a body processor off": `SecAction "id:1,phase:1,pass,setvar:tx.force=0"
SecRule REQUEST_FILENAME "@streq /dav" "id:2,phase:1,pass,setvar:tx.force=0"
SecRule TX:force "@eq 1" "id:3,phase:1,pass,chain"
SecRule REQBODY_PROCESSOR "!@rx JSON" "ctl:requestBodyProcessor=URLENCODED"`,
		"a plugin that skips itself": `SecRule REQUEST_FILENAME "!@beginsWith /wp-admin" "id:1,phase:1,pass,skipAfter:END"
SecRule ARGS:post "@rx ." "id:2,phase:1,pass,ctl:ruleRemoveTargetById=4;ARGS:content"
SecRule REQUEST_URI "@unconditionalMatch" "id:3,phase:1,pass,ctl:ruleRemoveById=5,ctl:ruleRemoveTargetByTag=t;ARGS:title"
SecMarker END
SecRule ARGS "@rx <script" "id:4,phase:2,deny,tag:'t'"
SecRule &ARGS "@gt 255" "id:5,phase:2,deny,tag:'t'"`,
		"a plugin that detects a log-in": `SecAction "id:1,phase:1,pass,setvar:tx.login=0"
SecRule &ARGS_GET:scope "@eq 1" "id:2,phase:2,pass,chain"
SecRule ARGS_GET:scope "@rx ^email" "t:none,setvar:tx.login=1"
SecRule TX:login "@eq 1" "id:3,phase:2,pass,chain"
SecRule ARGS_NAMES "@rx ^.*$" "capture,setvar:'tx.arg_%{tx.0}=/%{tx.0}/',chain"
SecRule TX:/^arg_/ "!@within /scope/" "setvar:tx.login=0"
SecRule TX:login "@eq 1" "id:4,phase:2,pass,ctl:ruleRemoveTargetById=5;ARGS:scope"
SecRule ARGS "@contains evil" "id:5,phase:2,deny"
SecRule TX:/types_*/ "!@rx ^text" "id:6,phase:2,deny"`,
		"exclusions by address": `SecRule REMOTE_ADDR "@ipMatch 10.0.0.0/8" "id:1,phase:1,pass,ctl:ruleRemoveById=2"
SecRule ARGS "@contains evil" "id:2,phase:2,deny"`,
		"a health check": `SecRule REQUEST_URI "@beginsWith /healthz" "id:1,phase:1,allow,nolog"
SecRule ARGS "@contains evil" "id:2,phase:2,deny"`,
		"updates": `SecRule ARGS "@contains evil" "id:1,phase:2,pass"
SecRuleUpdateActionById 1 "deny,severity:'CRITICAL'"
SecRuleUpdateTargetById 1 "!ARGS:/^x/"`,
	} {
		t.Run(name, func(t *testing.T) {
			e, err := engineOf(rules)
			require.NoError(t, err)
			defer e.Close() //nolint:errcheck // reported by the tests of close
			require.Empty(t, e.unfiltered)
			require.True(t, e.Ask(&plain, true).Clean)
			require.Empty(t, e.prefilter.Reads().Volatile)
		})
	}
}

// A rule set that is not prefiltered is ten times slower at least, so the reason has to name the rule.
func TestTheReasonForNoPrefilterNamesTheRule(t *testing.T) {
	for rules, reason := range map[string]string{
		`SecRule UNIQUE_ID "@rx 1" "id:7,phase:2,deny"`:                                                "rule 7 at directives:1 always runs: target UNIQUE_ID is not supported",
		`SecRule REQUEST_URI "@restpath /{x}" "id:7,phase:2,pass"`:                                     "rule 7 at directives:1 always runs: operator @restpath is not supported",
		`SecRule REQUEST_URI "@rx ." "id:7,phase:2,pass,setenv:a=b"`:                                   "rule 7 at directives:1 can match on a plain request, and action setenv is not supported",
		`SecAction "id:7,phase:2,deny"`:                                                                "rule 7 at directives:1 matches a plain request",
		`SecAction "id:7,phase:1,pass,ctl:ruleEngine=Off"`:                                             "rule 7 at directives:1 matches every transaction: ctl:ruleEngine is not supported",
		`SecRule ARGS "@streq %{REQUEST_URI}" "id:7,phase:2,deny"`:                                     "rule 7 at directives:1 always runs: the argument of @streq depends on the transaction",
		"SecAction \"id:6,phase:4,pass,setvar:tx.a=1\"\nSecRule &TX:a \"@eq 0\" \"id:7,phase:5,deny\"": "rule 7 at directives:2 matches a plain request",
		`SecRule REQUEST_HEADERS:Content-Type "@detectSQLi" "id:7,phase:1,pass,chain,ctl:requestBodyProcessor=JSON"` +
			"\nSecRule TX:1 \"@rx .\" \"ctl:requestBodyProcessor=XML\"": "rule 7 at directives:1 always runs: it selects how bodies are read",
	} {
		e, err := engineOf(rules)
		require.NoError(t, err)
		require.Contains(t, e.unfiltered, reason, rules)
		require.NoError(t, e.Close())
	}
}
