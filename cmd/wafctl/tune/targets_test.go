package tune

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestIndexesThatDifferBecomeNumbers(t *testing.T) {
	for name, c := range map[string]struct {
		keys []string // of ARGS
		want []string
	}{
		"one key stays":               {[]string{"json.jobs.0.desc"}, []string{"ARGS:json.jobs.0.desc"}},
		"the same key twice":          {[]string{"json.jobs.3.desc", "json.jobs.3.desc"}, []string{"ARGS:json.jobs.3.desc", "ARGS:json.jobs.3.desc"}},
		"in the middle":               {[]string{"json.jobs.0.desc", "json.jobs.11.desc"}, both(`ARGS:/^json\.jobs\.\d+\.desc$/`)},
		"at the end":                  {[]string{"json.tags.0", "json.tags.1"}, both(`ARGS:/^json\.tags\.\d+$/`)},
		"of an array alone":           {[]string{"json.0", "json.1"}, both(`ARGS:/^json\.\d+$/`)},
		"of two arrays":               {[]string{"json.a.0.b.1", "json.a.2.b.3"}, both(`ARGS:/^json\.a\.\d+\.b\.\d+$/`)},
		"only those that differ":      {[]string{"json.a.0.b.1", "json.a.0.b.3"}, both(`ARGS:/^json\.a\.0\.b\.\d+$/`)},
		"side by side":                {[]string{"json.m.0.1", "json.m.1.0"}, both(`ARGS:/^json\.m\.\d+\.\d+$/`)},
		"in brackets":                 {[]string{"items[0][name]", "items[25][name]"}, both(`ARGS:/^items\x5b\d+\x5d\x5bname\x5d$/`)},
		"in brackets at the end":      {[]string{"id[7]", "id[8]"}, both(`ARGS:/^id\x5b\d+\x5d$/`)},
		"numbers in names are names":  {[]string{"address1", "address2"}, []string{"ARGS:address1", "ARGS:address2"}},
		"versions are names":          {[]string{"json.v1.x", "json.v2.x"}, []string{"ARGS:json.v1.x", "ARGS:json.v2.x"}},
		"a number in front is a name": {[]string{"1.x", "2.x"}, []string{"ARGS:1.x", "ARGS:2.x"}},
		"other names are other keys":  {[]string{"json.a.0.x", "json.a.1.y"}, []string{"ARGS:json.a.0.x", "ARGS:json.a.1.y"}},
		"other case is another key":   {[]string{"json.A.0.x", "json.a.1.x"}, []string{"ARGS:json.A.0.x", "ARGS:json.a.1.x"}},
	} {
		alerts := make([]falseAlert, len(c.keys))
		for i, key := range c.keys {
			alerts[i].matches = []falseMatch{{variables: []variable{{"ARGS", key, key}}}}
		}
		known := arraysIn(alerts)
		for i := range alerts {
			alerts[i].name(known)
			require.Equal(t, []string{c.want[i]}, alerts[i].matches[0].targets, name)
		}
	}
	secret := variable{"ARGS", "json.token.0.abc", "json.token.0.[redacted]"}
	other := variable{"ARGS", "json.token.1.abc", "json.token.1.[redacted]"}
	known := arraysIn([]falseAlert{{matches: []falseMatch{{variables: []variable{secret, other}}}}})
	require.Equal(t, `ARGS:/^json\.token\.0\..+$/`, known.target(secret), "secrets stay out")
}

func both(target string) []string { return []string{target, target} }

func FuzzSplitIndexes(f *testing.F) {
	f.Add("json.a.0.b[1][2].3")
	f.Fuzz(func(t *testing.T, key string) {
		texts, indexes := splitIndexes(key)
		require.Len(t, texts, len(indexes)+1)
		var b strings.Builder
		for i, index := range indexes {
			b.WriteString(texts[i] + index)
		}
		require.Equal(t, key, b.String()+texts[len(indexes)])
	})
}
