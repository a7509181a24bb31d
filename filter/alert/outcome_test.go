package alert

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/fieldmap"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

func TestTheOutcomeFollowsFromStatusHeadersAndRules(t *testing.T) {
	request := rules.Match{Rule: &rules.RuleInfo{ID: 930120, Phase: 2}}
	leak := rules.Match{Rule: &rules.RuleInfo{ID: 951220, Phase: 4}}
	server := func(name, value string) []rules.Header { return []rules.Header{{Name: name, Value: value}} }
	for name, c := range map[string]struct {
		status  int
		headers []rules.Header
		matches []rules.Match
		want    Outcome
		reason  string
	}{
		"forbidden":               {403, nil, []rules.Match{request}, Blocked, "the request was refused with status 403"},
		"forbidden with a leak":   {403, nil, []rules.Match{request, leak}, Blocked, "the request was refused with status 403"},
		"not acceptable":          {406, nil, nil, Blocked, "the request was refused with status 406"},
		"too many":                {429, nil, nil, Blocked, "the request was refused with status 429"},
		"closed by nginx":         {444, nil, nil, Blocked, "the request was refused with status 444"},
		"a firewall's 500":        {500, server("server", "ZhongKui WAF"), nil, Blocked, "status 500 from a WAF, identified by its response header server"},
		"a firewall's 405":        {405, server("X-WAF-Block", "1"), nil, Blocked, "status 405 from a WAF, identified by its response header x-waf-block"},
		"not found behind one":    {404, server("Server", "ZhongKui WAF"), nil, Attempted, "status 404, which is not how a WAF blocks"},
		"bad gateway behind one":  {502, server("Server", "ZhongKui WAF"), nil, Attempted, "status 502, which is not how a WAF blocks"},
		"error of an application": {500, server("Server", "nginx"), []rules.Match{request}, Attempted, "status 500, which is not how a WAF blocks"},
		"error with a leak":       {500, nil, []rules.Match{request, leak}, Attempted, "status 500 is not a success, although rule 951220 matched in the response"},
		"success":                 {200, nil, []rules.Match{request}, Attempted, "status 200, without a sign of success in the response"},
		"success by a firewall":   {200, server("Server", "ZhongKui WAF"), nil, Attempted, "status 200, without a sign of success in the response"},
		"success with a leak":     {200, nil, []rules.Match{request, leak}, LikelySucceeded, "status 200, and rule 951220 matched in the response"},
		"created with a leak":     {201, nil, []rules.Match{leak}, LikelySucceeded, "status 201, and rule 951220 matched in the response"},
		"redirect with a leak":    {302, nil, []rules.Match{leak}, Attempted, "status 302 is not a success, although rule 951220 matched in the response"},
		"redirect":                {302, nil, nil, Attempted, "status 302, which is not how a WAF blocks"},
		"unknown":                 {0, nil, []rules.Match{request}, Attempted, "the log does not have the response status"},
	} {
		t.Run(name, func(t *testing.T) {
			got, reason := outcomeOf(&View{
				Transaction: &rules.Transaction{ResponseStatus: c.status, ResponseHeaders: c.headers}, Verdict: &rules.Verdict{Matches: c.matches}, Values: &fieldmap.Values{},
			})
			require.Equal(t, c.want, got)
			require.Equal(t, c.reason, reason)
		})
	}
}

// Who decides about a request knows whether it was blocked: a status is the application's, whatever it looks like.
func TestInTheRequestPathTheOutcomeIsAFact(t *testing.T) {
	leak := rules.Match{Rule: &rules.RuleInfo{ID: 951220, Phase: 4}}
	for name, c := range map[string]struct {
		status  int
		headers []rules.Header
		matches []rules.Match
		want    Outcome
		reason  string
	}{
		"forbidden by the application": {403, nil, nil, Attempted, "the request passed, and the backend answered with status 403"},
		"another WAF":                  {500, []rules.Header{{Name: "Server", Value: "ZhongKui WAF"}}, nil, Attempted, "the request passed, and the backend answered with status 500"},
		"success with a leak":          {200, nil, []rules.Match{leak}, LikelySucceeded, "status 200, and rule 951220 matched in the response"},
		"no response":                  {0, nil, nil, Attempted, "the request passed, and its response is not known"},
	} {
		t.Run(name, func(t *testing.T) {
			got, reason := outcomeOf(&View{
				Transaction: &rules.Transaction{ResponseStatus: c.status, ResponseHeaders: c.headers}, Verdict: &rules.Verdict{Matches: c.matches},
				Values: &fieldmap.Values{}, Producer: Producer{Program: "wafctl", Inline: true},
			})
			require.Equal(t, c.want, got)
			require.Equal(t, c.reason, reason)
		})
	}
}

func TestTechniquesComeFromTagsOrCategories(t *testing.T) {
	a := &Alert{Matches: []rules.Match{
		{Rule: &rules.RuleInfo{Tags: []string{"attack-sqli"}}},
		{Rule: &rules.RuleInfo{Tags: []string{"attack-rce", "attack.T1610", "attack.T1190"}}},
		{Rule: &rules.RuleInfo{Tags: []string{"attack-protocol"}}},
	}}
	require.Equal(t, []string{"T1190", "T1610"}, a.techniques())
	require.Equal(t, []string{"sqli", "rce", "protocol"}, a.Categories())
}

func TestRequestTargetsAreSplit(t *testing.T) {
	for target, want := range map[string][2]string{
		"/a?b=c?d":                 {"/a", "b=c?d"},
		"/a#f?x":                   {"/a", ""},
		"http://host:80/a/b?c=d#e": {"/a/b", "c=d"},
		"http://host?x=y":          {"/", "x=y"},
		"/redirect://x":            {"/redirect://x", ""},
		"*":                        {"*", ""},
		"":                         {"", ""},
	} {
		path, query := splitTarget(target)
		require.Equal(t, want, [2]string{path, query}, target)
	}
}

func TestWhatProductsSayOfARequestIsReadAsARefusal(t *testing.T) {
	for _, action := range []string{
		"BLOCK", "Blocked", "deny", "DENY", "DENIED", "drop", "Rejected", "CAPTCHA", "challenge", "managed_challenge", "managedChallenge",
		"waf,waf-failed", "waf-failed", "log,block", "forceConnectionClose", `["block"]`, "connectionDrop", "allow; block",
	} {
		require.True(t, isRefusal(action), action)
	}
	for _, action := range []string{"", "-", "ALLOW", "COUNT", "log", "Matched", "Detected", "forward", "waf,forward", "waf-failed,forward", "blocker", "ACCEPT", "simulate"} {
		require.False(t, isRefusal(action), action)
	}
}
