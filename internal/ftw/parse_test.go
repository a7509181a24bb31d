package ftw_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/ftw"
)

func TestTestsHaveTheIDsOfGoFTW(t *testing.T) {
	const two = "tests: [{test_id: 4}, {desc: none}]"
	for name, c := range map[string]struct {
		file, text string
		ids        []string
		problem    string
	}{
		"stated":                         {file: "1.yaml", text: "rule_id: 942100\n" + two, ids: []string{"942100-4", "942100-2"}},
		"stated as text":                 {file: "1.yaml", text: "rule_id: '942100'\n" + two, ids: []string{"942100-4", "942100-2"}},
		"in the name":                    {file: "9513999.yaml", text: two, ids: []string{"9513999-4", "9513999-2"}},
		"in the name of a path":          {file: "/tests/77/9513999.yml", text: two, ids: []string{"9513999-4", "9513999-2"}},
		"first number of a name":         {file: "rule-100-2.test", text: two, ids: []string{"100-4", "100-2"}},
		"no tests":                       {file: "1.yaml", text: "rule_id: 5", ids: []string{}},
		"nothing but comments":           {file: "1.yaml", text: "# later"},
		"nowhere":                        {file: "/tests/77/own.yaml", text: two, problem: "no rule_id in it, and no number in its name (want FTW YAML)"},
		"another file that has a number": {file: "compose2.yaml", text: "services: {}", problem: "no tests in it (want FTW YAML)"},
	} {
		found, err := ftw.Parse(c.file, []byte(c.text))
		if c.problem != "" {
			require.EqualError(t, err, c.problem, name)
			continue
		}
		require.NoError(t, err, name)
		var ids []string
		for i := range found {
			ids = append(ids, found[i].ID)
		}
		require.ElementsMatch(t, c.ids, ids, name)
	}
}

func TestOlderNamesInTestsAreRead(t *testing.T) {
	parse := func(input, output string) ftw.Stage {
		t.Helper()
		found, err := ftw.Parse("1.yaml", []byte("{tests: [{stages: [{input: {"+input+"}, output: {"+output+"}}]}]}"))
		require.NoError(t, err)
		return found[0].Stages[0]
	}
	s := parse("stop_magic: true, headers: {B: 1, A: 2}", `log_contains: 'id "1"', no_log_contains: 'id "2"'`)
	require.Equal(t, []string{`id "1"`, `id "2"`}, []string{s.Pattern, s.NotPattern})
	require.Equal(t, []ftw.Header{{Name: "B", Value: "1"}, {Name: "A", Value: "2"}}, s.Request.Headers)

	s = parse("stop_magic: true, autocomplete_headers: true, ordered_headers: [{name: B, value: 1}, {name: B, value: 2}], headers: {C: 3}",
		`log_contains: a, no_log_contains: b, log: {expect_ids: [1], no_match_regex: c}`)
	require.Equal(t, []string{"", "c"}, []string{s.Pattern, s.NotPattern}, "what is newer counts")
	require.Equal(t, []ftw.Header{{Name: "B", Value: "1"}, {Name: "B", Value: "2"}}, s.Request.Headers[:2])
	require.Greater(t, len(s.Request.Headers), 2, "headers are completed")
}
