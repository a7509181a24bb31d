package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
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

// posted is a record with a body that rules take for SQL.
func posted(t *testing.T, mime, body string) string {
	t.Helper()
	line, err := json.Marshal(map[string]string{
		"remote_addr": "192.0.2.9", "request": "POST /api HTTP/1.1", "status": "200", "http_host": "b.example", "http_user_agent": "a",
		"content_type": mime, "content_length": fmt.Sprint(len(body)), "request_body": body,
	})
	require.NoError(t, err)
	return string(line) + "\n"
}

// small has rules under the ids of some in the Core Rule Set.
const small = "--rules=testdata/attacks.conf"

func TestExclusionsOfArraysSilenceTheirRecords(t *testing.T) {
	const sql = "select name from users where id=1 union select 2"
	const mime, form = "application/json", "application/x-www-form-urlencoded"
	for name, c := range map[string]struct {
		clean  []string // records
		want   string   // target
		others []string // records that still alert
	}{
		"elements": {
			[]string{posted(t, mime, `{"jobs":[{"desc":"`+sql+`"}]}`), posted(t, mime, `{"jobs":[{},{"n":1},{"desc":"`+sql+`"}]}`)},
			`ARGS:/^json\.jobs\.\d+\.desc$/`,
			[]string{posted(t, mime, `{"jobs":[{"name":"`+sql+`"}]}`), posted(t, mime, `{"jobs":{"x":{"desc":"`+sql+`"}}}`)},
		},
		"many in one record": {
			[]string{posted(t, mime, `{"jobs":[`+strings.Repeat(`{"desc":"`+sql+`"},`, 12)+`{}]}`)}, `ARGS:/^json\.jobs\.\d+\.desc$/`,
			[]string{posted(t, mime, `{"jobs":[`+strings.Repeat(`{"desc":"`+sql+`"},`, 12)+`{"x":"`+sql+`"}]}`)},
		},
		"an array alone": {
			[]string{posted(t, mime, `["`+sql+`","`+sql+`"]`)}, `ARGS:/^json\.\d+$/`, []string{posted(t, mime, `[["`+sql+`"]]`)},
		},
		"names in mixed case": {
			[]string{posted(t, mime, `{"Jobs":[{"Desc":"`+sql+`"},{"Desc":"`+sql+`"}]}`)}, `ARGS:/(?i)^json\.Jobs\.\d+\.Desc$/`,
			[]string{posted(t, mime, `{"Jobs":[{"Name":"`+sql+`"}]}`)},
		},
		"fields of a form": {
			[]string{posted(t, form, "items[0][d]="+sql), posted(t, form, "items[1][d]="+sql)}, `ARGS:/^items\x5b\d+\x5d\x5bd\x5d$/`,
			[]string{posted(t, form, "items[x][d]="+sql)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			clean := strings.Join(c.clean, "")
			got := wafctl(strings.NewReader(clean), nil, "tune", small, "--rule-packs", "off", "--output", "property", "-")
			require.Equal(t, exitAlert, got.code)
			require.Empty(t, got.err, "SQL alone is no evidence of an attack")
			property := strings.TrimSpace(got.out)
			require.Equal(t, "942100:"+c.want+",942190:"+c.want, property)
			file := filepath.Join(t.TempDir(), "exclusions.conf")
			seclang := wafctl(strings.NewReader(clean), nil, "tune", small, "--rule-packs", "off", "--output", "seclang", "-").out
			require.NoError(t, os.WriteFile(file, []byte(seclang), 0o600))
			for _, with := range [][]string{{small, "--exclude-rules", property}, {small + "," + file}} {
				args := append([]string{"check", "--rule-packs", "off", "-"}, with...)
				got = wafctl(strings.NewReader(clean), nil, args...)
				require.Equal(t, exitClean, got.code, got.out+got.err)
				for _, other := range c.others {
					require.Equal(t, exitAlert, wafctl(strings.NewReader(other), nil, args...).code, other)
				}
			}
		})
	}
}

func TestIndexesMergeForTheCoreRuleSet(t *testing.T) {
	var clean strings.Builder
	for i := range 3 {
		body := `{"jobs":[` + strings.Repeat(`{"n":"x"},`, i) + `{"desc":"select name from users where id=1 union select 2"}]}`
		clean.WriteString(posted(t, "application/json", body))
	}
	got := wafctl(strings.NewReader(clean.String()), nil, "tune", "--output", "property", "-")
	require.Equal(t, `942100:ARGS:/^json\.jobs\.\d+\.desc$/,942190:ARGS:/^json\.jobs\.\d+\.desc$/`, strings.TrimSpace(got.out))
	got = wafctl(strings.NewReader(clean.String()), nil, "check", "--exclude-rules", strings.TrimSpace(got.out), "-")
	require.Equal(t, exitClean, got.code, got.out+got.err)
}
