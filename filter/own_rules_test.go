package filter

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// ownRules are rules as users write them: most without a severity, some without a message.
var ownRules = []struct {
	rule, argument string
	id             int
	message, tag   string
}{
	{`SecRule ARGS:a "@streq deny" "id:ID,phase:2,deny"`, "deny", 201, "Rule 201 matched", ""},
	{`SecRule ARGS:a "@streq drop" "id:ID,phase:1,drop,nolog,msg:'Dropped'"`, "drop", 202, "Dropped", ""},
	{`SecRule ARGS:a "@streq redirect" "id:ID,phase:2,redirect:https://a.example/,tag:'own/away'"`, "redirect", 203, "Rule 203 matched", "own/away"},
	{`SecRule ARGS:a "@streq chain" "id:ID,phase:2,deny,msg:'Chained',tag:'own/chain',chain"` + "\n" + `SecRule REQUEST_METHOD "@streq GET"`,
		"chain", 204, "Chained", "own/chain"},
	{`SecRule ARGS:a "@streq log" "id:ID,phase:2,pass,log,msg:'Logged',tag:'own/log'"`, "log", 205, "Logged", "own/log"},
	{`SecRule ARGS:a "@streq plain" "id:ID,phase:1,pass,msg:'Logged, too'"`, "plain", 206, "Logged, too", ""},
	{`SecRule ARGS:a "@streq data" "id:ID,phase:2,deny,logdata:'%{MATCHED_VAR}',tag:'own/data'"`, "data", 207, "Rule 207 matched", "own/data"},
	{`SecRule ARGS:a "@streq severe" "id:ID,phase:2,pass,nolog,severity:ERROR,msg:'Severe'"`, "severe", 208, "Severe", ""},
	{`SecRule ARGS:a "@streq 9" "id:ID,phase:2,deny,status:403,msg:'Value %{MATCHED_VAR}'"`, "9", 209, "Value 9", ""},
}

// ownSettings loads the rules, and returns records of which each matches one of them.
func ownSettings(t *testing.T) (settings setting.Map, chunk []byte) {
	t.Helper()
	var text strings.Builder
	for _, r := range ownRules {
		text.WriteString(strings.Replace(r.rule, "ID", fmt.Sprint(r.id), 1) + "\n")
		chunk = append(chunk, pairs("L7_PROTOCOL", "http", "SRC_IP", "192.0.2.7", "DST_IP", "192.0.2.80", "METHOD", "GET", "URL", "/?a="+r.argument)...)
	}
	file := filepath.Join(t.TempDir(), "own.conf")
	require.NoError(t, os.WriteFile(file, []byte(text.String()), 0o600))
	return setting.Map{"rules": file, "rule_packs": "off", "alert_on": "match", "emit_tag": "alert.$TAG", "flood_window": "off"}, chunk
}

func TestOwnRulesNameTheirAlertsInEveryFormat(t *testing.T) {
	for _, format := range alert.Formats() {
		t.Run(format, func(t *testing.T) {
			settings, chunk := ownSettings(t)
			settings["emit_format"] = format
			texts := emitted(t, settings, chunk)
			require.Len(t, texts, len(ownRules))
			for i, r := range ownRules {
				requireValid(t, alert.Format(format), texts[i])
				require.Regexp(t, fmt.Sprintf(`\b%d\b`, r.id), texts[i])
				require.Contains(t, texts[i], r.message)
				require.NotContains(t, texts[i], "Blocked without a detection rule")
				if r.tag != "" && format != string(alert.MSA) { // whose fields are fixed
					require.Contains(t, strings.ReplaceAll(texts[i], `\/`, "/"), r.tag)
				}
			}
		})
	}
}

func TestFloodControlTellsOwnRulesApart(t *testing.T) {
	settings, chunk := ownSettings(t)
	settings["flood_window"] = "1m"
	f := newFilter(t, settings)
	require.Len(t, take(f, process(f, append(chunk, chunk...), "nano").Emits), len(ownRules), "the second of each kind waits for a summary")
}

func TestMetricsCountOwnRules(t *testing.T) {
	settings, chunk := ownSettings(t)
	f := measured(t, "filter waf.own", settings)
	process(f, chunk, "nano")
	values, _ := scrape(t, f)
	counted := map[int]float64{}
	for name, n := range values {
		if labels, is := strings.CutPrefix(name, "waf_alert_rules_total{"); is {
			id, err := strconv.Atoi(strings.TrimSuffix(labels[strings.LastIndexByte(labels, ',')+1:], "}"))
			require.NoError(t, err, name)
			counted[id] += n
		}
	}
	for _, r := range ownRules {
		require.EqualValues(t, 1, counted[r.id], r.id)
	}
	require.NotContains(t, counted, 0)
}

func TestOwnRulesAreListedAndExplained(t *testing.T) {
	settings, _ := ownSettings(t)
	f := newFilter(t, settings)
	listed := map[int]string{}
	for _, l := range f.Rules() {
		if l.Detection {
			listed[l.ID] = l.Message
		}
	}
	for _, r := range ownRules {
		require.Equal(t, strings.Replace(r.message, "Value 9", "Value %{MATCHED_VAR}", 1), listed[r.id])
		x, err := f.Explain(pairs("L7_PROTOCOL", "http", "SRC_IP", "192.0.2.7", "METHOD", "GET", "URL", "/?a="+r.argument))
		require.NoError(t, err)
		require.Len(t, x.Rules.Verdict.Matches, 1)
		require.Equal(t, r.id, x.Rules.Verdict.Matches[0].Rule.ID)
		require.Equal(t, r.message, x.Match(0).Message)
		require.NotEmpty(t, x.Rules.Reasons[0].Values)
	}
}
