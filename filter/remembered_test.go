package filter

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

// rulesThatRead are rule sets that look at different parts of a transaction, in targets, macros and through directives that update rules.
var rulesThatRead = map[string]string{
	"network":  `SecRule REMOTE_ADDR "@ipMatch 10.0.0.0/8" "id:100,phase:1,deny,severity:'CRITICAL',msg:'internal',logdata:'client %{MATCHED_VAR}'"`,
	"networks": `SecRule REMOTE_ADDR "@ipMatch 10.0.0.0/8,192.0.2.7" "id:100,phase:1,pass,nolog,setvar:tx.internal=1"` + "\n" + `SecRule ARGS:a "@rx (f.)o" "id:101,phase:2,deny,capture,severity:'CRITICAL',msg:'%{tx.0}',logdata:'%{MATCHED_VAR_NAME}',chain"` + "\n" + `SecRule TX:internal "@eq 1" "t:none"`,
	"chained network": `SecRule REMOTE_ADDR "@ipMatch 10.0.0.0/8" "id:100,phase:1,deny,severity:'CRITICAL',chain"` + "\n" +
		`SecRule MATCHED_VAR "@streq 10.0.0.5" "t:none"`,
	"client in text":        `SecRule ARGS:a "@contains foo" "id:100,phase:2,deny,severity:'CRITICAL',msg:'from %{REMOTE_ADDR}:%{REMOTE_PORT}'"`,
	"updated":               `SecRule ARGS:admin "@ipMatch 10.0.0.5" "id:100,phase:1,deny,severity:'CRITICAL'"` + "\n" + `SecRuleUpdateTargetById 100 "REMOTE_ADDR"`,
	"updated action":        `SecRule ARGS:a "@contains foo" "id:100,phase:4,deny,severity:'CRITICAL'"` + "\n" + `SecRuleUpdateActionById 100 "logdata:'%{RESPONSE_HEADERS.x-cache}'"`,
	"one response header":   `SecRule RESPONSE_HEADERS:Location "@contains evil" "id:100,phase:3,deny,severity:'CRITICAL',logdata:'%{MATCHED_VAR}'"`,
	"some response headers": `SecRule RESPONSE_HEADERS:/^X-/ "@contains evil" "id:100,phase:3,deny,severity:'CRITICAL',logdata:'%{MATCHED_VAR_NAME}'"`,
	"count of names":        `SecRule &RESPONSE_HEADERS_NAMES "@gt 2" "id:100,phase:4,deny,severity:'CRITICAL'"`,
	"server":                `SecRule SERVER_ADDR "@endsWith 8" "id:100,phase:1,deny,severity:'CRITICAL',logdata:'%{SERVER_PORT}'"`,
	"score":                 `SecRule ARGS|REQUEST_HEADERS|RESPONSE_BODY "@contains foo" "id:100,phase:4,pass,severity:'WARNING',setvar:tx.score=+3"` + "\n" + `SecRule TX:score "@ge 6" "id:101,phase:4,deny,severity:'CRITICAL',msg:'%{tx.score}'"`,
	"status":                `SecRule RESPONSE_STATUS "@streq 403" "id:100,phase:3,deny,severity:'CRITICAL'"`,
}

// recordFields are the fields that change from one record to the next, and their values.
var recordFields = []struct {
	key    string
	values []string
}{
	{"SRC_IP", []string{"10.0.0.4", "10.0.0.5", "192.0.2.7", "203.0.113.9"}},
	{"SRC_PORT", []string{"40000", "40001"}},
	{"DST_IP", []string{"192.0.2.8", "192.0.2.9"}},
	{"DST_PORT", []string{"80", "8080"}},
	{"METHOD", []string{"GET", "POST"}},
	{"URL", []string{"/", "/?a=foo", "/?a=fao", "/?a=bar&admin=1"}},
	{"REQ_BODY", []string{"", "a=foo", "b=1"}},
	{"RETCODE", []string{"200", "403"}},
	{"RSP_BODY", []string{"ok", "foo"}},
	{"X", []string{"1", "foo"}}, // a request header
	{"Y", []string{"Location: /", "Location: evil", "X-A: evil", "X-\u212a: evil", "X-Cache: foo", "x-cache: bar\r\nX-B: 1"}}, // response headers
}

func recordOf(choice []int) []byte {
	text := func(i int) string { return recordFields[i].values[choice[i]] }
	var pair []string
	for i := range recordFields[:9] {
		pair = append(pair, recordFields[i].key, text(i))
	}
	pair = append(pair, "L7_PROTOCOL", "http",
		"REQ_HEADER", fmt.Sprintf("%s %s HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\nX: %s\r\n\r\n", text(4), text(5), text(9)),
		"RSP_HEADER", fmt.Sprintf("HTTP/1.1 %s OK\r\nContent-Type: text/html\r\n%s\r\n\r\n", text(7), text(10)))
	return pairs(pair...)
}

// told is all that an alert tells of a verdict.
func told(f Finding) string {
	text := opinion(f)
	if f.Verdict != nil {
		for i := range f.Verdict.Matches {
			m := &f.Verdict.Matches[i]
			text += fmt.Sprintf("\n%q %q %q %q", m.Data, m.Variable, m.Value, m.Wording())
		}
	}
	return text
}

// A verdict from the cache has to be that of the record itself, and so has the text of its alert.
func TestRememberedVerdictsAreThoseOfTheRecord(t *testing.T) {
	for name, rules := range rulesThatRead {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "rules.conf")
			require.NoError(t, os.WriteFile(file, []byte(rules+"\n"), 0o600))
			settings := setting.Map{"rules": file, "rule_packs": "off"}
			cached := newFilter(t, settings)
			settings["cache_size"], settings["gate"] = "0", "off"
			fresh := newFilter(t, settings)
			dice := rand.New(rand.NewPCG(5, 17))
			choice := make([]int, len(recordFields))
			seen := map[string]bool{}
			for range 600 { // each differs from the one before in one field
				at := dice.IntN(len(choice))
				choice[at] = dice.IntN(len(recordFields[at].values))
				record := recordOf(choice)
				want, got := fresh.Check(record), cached.Check(record)
				require.Len(t, got, 1)
				require.Equal(t, told(want[0]), told(got[0]), "%q", record)
				seen[told(want[0])] = true
			}
			require.Greater(t, len(seen), 1, "the rule never matches, or always")
			require.Positive(t, cached.rules.Set().Speed().Cached)
		})
	}
}
