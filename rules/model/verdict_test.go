package model

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWordingNamesOperatorsAsLibModSecurityDoes(t *testing.T) {
	for operator, want := range map[string]string{
		"rx": "Rx", "pmFromFile": "PmFromFile", "pmf": "PmFromFile", "ipMatchF": "IpMatchFromFile", "streq": "StrEq", "ipmatch": "IpMatch", "strmatch": "StrMatch",
		"detectSQLi": "DetectSQLi", "detectxss": "DetectXSS", "validateByteRange": "ValidateByteRange",
	} {
		m := Match{Rule: &RuleInfo{Chain: []Link{{operator, "x"}}}, Variable: "ARGS:t", Value: "y"}
		require.Equal(t, "Matched \"Operator `"+want+"' with parameter `x' against variable `ARGS:t' (Value: `y' )", m.Wording())
	}
	for _, chain := range [][]Link{nil, {{"", ""}}} {
		require.Equal(t, "Unconditional match in SecAction.", (&Match{Rule: &RuleInfo{Chain: chain}}).Wording())
	}
}

func TestWordingIsOfTheLinkThatMatchedLast(t *testing.T) {
	m := Match{Rule: &RuleInfo{Chain: []Link{{"rx", "a"}, {"eq", "1"}}}}
	for link, want := range map[int]string{0: "`Rx'", 1: "`Eq'", 2: "`Eq'"} {
		m.Link = link
		require.Contains(t, m.Wording(), want)
	}
}

func TestTagsOfARule(t *testing.T) {
	for _, c := range []struct {
		info     RuleInfo
		category string
		paranoia int
		response bool
	}{
		{RuleInfo{Phase: 2, Tags: []string{"OWASP_CRS", "attack-sqli", "paranoia-level/2"}}, "sqli", 2, false},
		{RuleInfo{Phase: 2, Tags: []string{"lateral-movement", "attack-rce"}}, "lateral-movement", 0, false},
		{RuleInfo{Phase: 2, Tags: []string{"attack-disclosure", "paranoia-level/x", "paranoia-level/1"}}, "disclosure", 1, true},
		{RuleInfo{Phase: 4, Tags: []string{"sensitive-data"}}, "sensitive-data", 0, true},
		{RuleInfo{Phase: 3}, "", 0, true},
		{RuleInfo{Phase: 5}, "", 0, false},
	} {
		require.Equal(t, c.category, c.info.Category())
		require.Equal(t, c.paranoia, c.info.Paranoia())
		require.Equal(t, c.response, c.info.Response())
	}
}

func TestSharedVerdictsAreOneForAll(t *testing.T) {
	require.Same(t, CleanVerdict(PartialBody), CleanVerdict(PartialBody))
	require.Same(t, PassVerdict(), PassVerdict())
	require.NotSame(t, PassVerdict(), CleanVerdict(0), "a verdict without its matches is another one than that nothing matched")
	all := SharedVerdicts()
	require.Len(t, all, 1+1<<len(partialNames))
	require.Contains(t, all, PassVerdict())
	every := PartialHeaders | PartialArguments | PartialBody | PartialResponse | PartialRules
	require.Same(t, all[len(all)-1], CleanVerdict(every))
	require.Equal(t, []string{"headers", "arguments", "body", "response", "rules"}, CleanVerdict(every).Partial.Names())
	for _, v := range all {
		require.True(t, v.Clean())
	}
}

func TestVerdictsThatAreNotClean(t *testing.T) {
	require.False(t, (&Verdict{Blocked: true}).Clean())
	v := Verdict{Matches: []Match{Notice(3, "a")}, Inbound: 5, Outbound: 4}
	require.False(t, v.Clean())
	require.Equal(t, 9, v.Score())
	require.Equal(t, 3, v.Matches[0].Severity())
}

func TestSeveritiesHaveTheNamesOfModSecurity(t *testing.T) {
	for number, want := range map[int]string{0: "emergency", 2: "critical", 5: "notice", 7: "debug", 8: "unknown", int(SeverityUnset): "unknown"} {
		require.Equal(t, want, SeverityName(number))
	}
}
