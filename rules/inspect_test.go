package rules

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

// library is that of the tests.
var library = new(Library)

// kept are open sets of the Core Rule Set by their settings. Compiling it takes half a second, and most tests only look at it.
var kept = map[string]*Set{}

// open returns the set of settings, which tests share that have the same. Those that look at what a set has done so far use openFresh.
func open(t *testing.T, settings setting.Map) *Set {
	t.Helper()
	if settings["directives"] != "" || settings["exclude_rules"] != "" || settings["rules"] != "" && settings["rules"] != "crs" {
		return openIn(t, library, settings)
	}
	key := fmt.Sprint(settings)
	if kept[key] == nil {
		kept[key] = openIn(t, library, settings).Share()
	}
	return kept[key]
}

// openFresh returns a set that no other test has used.
func openFresh(t *testing.T, settings setting.Map) *Set {
	t.Helper()
	return openIn(t, new(Library), settings)
}

func openIn(t *testing.T, l *Library, settings setting.Map) *Set {
	t.Helper()
	set, err := l.Open(config(t, settings))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, set.Close()) })
	return set
}

func ids(v *model.Verdict) []int {
	var found []int
	for _, m := range v.Matches {
		found = append(found, m.Rule.ID)
	}
	return found
}

func sample() *model.Transaction {
	return &model.Transaction{
		ClientIP: "192.168.1.105", ClientPort: 46152, ServerIP: "192.168.1.55", ServerPort: 80,
		Method: "GET", URI: "/?t=../../etc/passwd", Protocol: "HTTP/1.1", ServerName: "192.168.1.55",
		RequestHeaders: []model.Header{{Name: "Host", Value: "192.168.1.55"}, {Name: "User-Agent", Value: "curl/7.81.0"}, {Name: "Accept", Value: "*/*"}},
	}
}

func TestInspectFindsThePathTraversalOfTheSample(t *testing.T) {
	v, err := open(t, nil).Inspect(sample())
	require.NoError(t, err)
	require.True(t, v.Blocked)
	last := v.Matches[len(v.Matches)-1]
	require.Equal(t, 932160, last.Rule.ID, "matches %v", ids(v))
	require.Equal(t, 2, last.Severity())
	require.Equal(t, "Matched \"Operator `PmFromFile' with parameter `unix-shell.data' against variable `ARGS:t' "+
		"(Value: `../../etc/passwd' )", last.Wording())
	t.Log(ids(v), v.Inbound, v.Scores)
}

func TestMatchesThatThePrefilterOfTheEngineMisses(t *testing.T) {
	set := open(t, setting.Map{"blocking_paranoia": "4"})
	for id, uri := range map[int]string{
		932311: "/post?textarea=%0d%0ad%20store%202%20%2BFLAGS%20%28%5CDeleted%29",
		942220: "/get?i=2.2250738585072011e-308",
	} {
		request := sample()
		request.URI = uri
		v, err := set.Inspect(request)
		require.NoError(t, err)
		require.Contains(t, ids(v), id)
	}
}
